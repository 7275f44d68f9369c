"""Pages of named origins may call from a browser; others may not, and cookies play no part."""

from collections.abc import AsyncIterator

import httpx
import pytest
from support.api import Api
from support.http_app import ADMIN_KEY, api
from support.settings import make_settings

from wallet_service.core.settings import SettingsError
from wallet_service.platform.web.settings import WebSettings

APP, OTHER = "https://app.example.com", "https://app.example.com.evil.example"
THING = "/api/v1/things/7"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, if-match",
}


@pytest.fixture
async def client(direct_api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api(
        direct_api.app.state.database, ADMIN_KEY, cors_origins=f"{APP}, http://localhost:5173"
    ) as opened:
        yield opened


def allowed(answer: httpx.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_page_of_a_named_origin_may_call(client: httpx.AsyncClient) -> None:
    for origin in (APP, "http://localhost:5173"):
        asked = await client.options(THING, headers={"Origin": origin, **PREFLIGHT})
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == origin
        assert asked.headers["Access-Control-Allow-Headers"] == "authorization, if-match"
        assert "PATCH" in asked.headers["Access-Control-Allow-Methods"].split(", ")
        assert int(asked.headers["Access-Control-Max-Age"]) > 0
        assert asked.headers["X-Request-Id"]
        answer = await client.get(THING, headers={"Origin": origin})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Retry-After", "X-Request-Id", "Idempotency-Replayed"} <= set(exposed)
        for each in (asked, answer):
            assert "Access-Control-Allow-Credentials" not in each.headers
            assert each.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", [OTHER, "https://APP.example.com", f"{APP}:443", f"{APP}/", "null", "*", ""]
)
async def test_any_other_origin_gets_no_permission(client: httpx.AsyncClient, origin: str) -> None:
    asked = await client.options(THING, headers={"Origin": origin, **PREFLIGHT})
    assert (asked.status_code, asked.json()["code"]) == (405, "method_not_allowed")
    answer = await client.get(THING, headers={"Origin": origin})
    assert answer.status_code == 200
    for each in (asked, answer):
        assert allowed(each) == []
        assert each.headers["Vary"] == "Origin"  # or a cache could give it to a named origin


async def test_a_page_can_read_refusals_and_faults(client: httpx.AsyncClient) -> None:
    for path, status in (("fault", 500), ("poor", 402), ("nothing", 404), ("%FF", 400)):
        answer = await client.get(f"{THING}/{path}", headers={"Origin": APP})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, APP)
    answer = await client.get(THING, headers={"Origin": APP, "Authorization": "Bearer no"})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, APP)


async def test_without_the_setting_no_page_may_call(direct_api: Api) -> None:
    async with api(direct_api.app.state.database, ADMIN_KEY) as client:
        for answer in (
            await client.options(THING, headers={"Origin": APP, **PREFLIGHT}),
            await client.get(THING, headers={"Origin": APP}),
        ):
            assert allowed(answer) == []
            assert "Vary" not in answer.headers


def test_origins_are_exact() -> None:
    for text in (APP, "http://localhost:5173", "http://[::1]:8080", "https://a.example:8443"):
        assert make_settings(cors_origins=text)[WebSettings].cors_origins == (text,)
    assert make_settings(cors_origins=f" {APP} , http://b,")[WebSettings].cors_origins == (APP, "http://b")
    assert make_settings()[WebSettings].cors_origins == ()
    for text in (
        *("*", "null", "app.example.com", "https://*.example.com", f"{APP}/", f"{APP}/x", "ftp://a.example"),
        *(
            "https://App.example.com",
            "https://u@a.example",
            f"{APP}:443",
            "http://a:80",
            "https://",
            "https://a:b",
        ),
        f"{APP} http://b",
    ):
        with pytest.raises(
            SettingsError, match="WALLET_CORS_ORIGINS should be origins as browsers send them"
        ):
            make_settings(cors_origins=text)
