"""Requests without valid credentials are limited by address; they cost no call of the database, and others go on."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from support.api import ADMIN_KEY, Api, created, open_api, problem
from support.service import serving
from support.upstreams import ManualClock

from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.rate_limits import address_limit
from wallet_service.platform.rate_limits.address_limit import AddressLimit

PATH = "/api/v1/currencies"
LIMIT = 5

Limited = Callable[..., Awaitable[Api]]


@pytest.fixture
async def limited(service_dsn: str, clock: ManualClock) -> AsyncIterator[Limited]:
    """``await limited()``: the application with a limit of 5 for each address, whose clock stands."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Api:
            chosen = {"rate_limit_address_tokens": LIMIT} | settings
            api = await stack.enter_async_context(open_api(service_dsn, **chosen))
            limit: AddressLimit = api.app.state.address_limit
            limit._leases._clock = clock
            return api

        yield start


@asynccontextmanager
async def at(api: Api, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose connections come from this address."""
    transport = httpx.ASGITransport(api.app, client=(address, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://wallet") as http:
        yield http


def bearer(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials}"}


def unknown_key() -> str:
    return f"wsk_{secrets.token_hex(16)}_{'a' * 43}"


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[Api], list[str]]:
    """The keys about which the database is asked, from now on."""

    def watch(api: Api) -> list[str]:
        asked, database = list[str](), api.app.state.database
        read = database.read

        async def counted(function: str, /, **params: Any) -> bytes:
            asked.extend(params["key_id"] for _ in range(function == "find_key"))
            return await read(function, **params)

        monkeypatch.setattr(database, "read", counted)
        return asked

    return watch


async def use_up(http: httpx.AsyncClient) -> None:
    for _ in range(LIMIT):
        problem(await http.get(PATH, headers=bearer(unknown_key())), "unauthorized")


async def test_a_flood_of_unknown_keys_is_refused_without_asking_the_database(
    limited: Limited, clock: ManualClock, looked_up: Callable[[Api], list[str]]
) -> None:
    api = await limited()
    asked = looked_up(api)
    async with at(api, "203.0.113.5") as http:
        await use_up(http)
        assert len(asked) == LIMIT
        for credentials in (unknown_key(), unknown_key(), "not-a-key", ""):
            answer = await http.get(PATH, headers=bearer(credentials) if credentials else {})
            document = problem(answer, "rate_limited")
            assert (document["scope"], document["limit"], document["window_s"]) == ("address", LIMIT, 60)
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.headers["RateLimit-Policy"] == '"address";q=5;w=60'
            assert answer.headers["RateLimit"] == f'"address";r=0;t={answer.headers["Retry-After"]}'
        assert len(asked) == LIMIT
        clock.value += int(answer.headers["Retry-After"])
        problem(await http.get(PATH, headers=bearer(unknown_key())), "unauthorized")
        assert len(asked) == LIMIT + 1


async def test_requests_without_credentials_and_with_bad_tokens_count_too(limited: Limited) -> None:
    api = await limited()
    async with at(api, "203.0.113.5") as http:
        for headers in (
            {},
            bearer("a.b.c"),
            {"Authorization": "Basic x"},
            {b"Authorization": b"Bearer \xff"},
            bearer(ADMIN_KEY[1:]),
        ):
            problem(await http.get(PATH, headers=headers), "unauthorized")
        problem(await http.get(PATH), "rate_limited")
        # What needs no credentials is not limited.
        for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
            assert (await http.get(path)).status_code == 200


async def test_valid_callers_at_the_address_go_on(
    limited: Limited, looked_up: Callable[[Api], list[str]]
) -> None:
    api = await limited(key_cache_ms=0)  # each request asks the database, unless it is refused before
    known = await create_key(api.app.state.database, "known", ["wallets:read"])
    fresh = await create_key(api.app.state.database, "fresh", ["wallets:read"])
    token = api.user()._headers
    async with at(api, "203.0.113.5") as http, at(api, "203.0.113.6") as elsewhere:
        assert (await http.get(PATH, headers=bearer(known))).status_code == 200
        await use_up(http)
        for headers in (bearer(known), bearer(ADMIN_KEY), token):
            assert (await http.get(PATH, headers=headers)).status_code == 200
        asked = looked_up(api)
        # The id of a known key with another secret, and a key that has not been seen yet.
        problem(await http.get(PATH, headers=bearer(known[:-43] + "a" * 43)), "rate_limited")
        problem(await http.get(PATH, headers=bearer(fresh)), "rate_limited")
        assert asked == []
        assert (await elsewhere.get(PATH, headers=bearer(fresh))).status_code == 200
        assert (await http.get(PATH, headers=bearer(fresh))).status_code == 200  # it is known now


async def test_refusals_of_valid_callers_do_not_count(limited: Limited) -> None:
    api = await limited()
    service = await api.service("wallets:read")
    for _ in range(LIMIT + 1):
        problem(await service.post("/wallets", {"user_id": "a"}), "forbidden")
        problem(await service.get("/wallets/0199d0a8-0000-7000-8000-0000000000aa"), "wallet_not_found")


async def test_each_address_and_each_64_counts_for_itself(limited: Limited) -> None:
    api = await limited()
    async with at(api, "2001:db8:1:2::1") as http:
        await use_up(http)
    for address, code in (
        ("2001:db8:1:2:ffff::9", "rate_limited"),
        ("2001:db8:1:3::1", "unauthorized"),
        ("203.0.113.5", "unauthorized"),
    ):
        async with at(api, address) as http:
            problem(await http.get(PATH), code)


async def test_behind_trusted_proxies_the_caller_s_address_counts(limited: Limited) -> None:
    api = await limited(trusted_proxies="10.0.0.0/8")
    async with at(api, "10.0.0.1") as http:
        for number in range(LIMIT):  # the caller invents addresses, the proxy adds the real one
            forwarded = {"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.5"}
            problem(await http.get(PATH, headers=forwarded), "unauthorized")
        problem(await http.get(PATH, headers={"X-Forwarded-For": "203.0.113.5"}), "rate_limited")
        problem(await http.get(PATH, headers={"X-Forwarded-For": "203.0.113.6"}), "unauthorized")


async def test_without_trusted_proxies_the_header_changes_nothing(limited: Limited) -> None:
    api = await limited()
    with capture_logs() as log:
        async with at(api, "10.0.0.1") as http:
            for number in range(LIMIT + 2):
                code = "unauthorized" if number < LIMIT else "rate_limited"
                problem(await http.get(PATH, headers={"X-Forwarded-For": f"198.51.100.{number}"}), code)
    # Once, and it says that there is a proxy which the settings do not name.
    (line,) = [line for line in log if line["event"] == "address_limited"]
    assert (line["address"], line["limit"], line["is_forwarded"]) == ("10.0.0.1", LIMIT, True)


def test_the_server_itself_trusts_no_proxy(service_dsn: str, own_folder: Path) -> None:
    """uvicorn would, for every proxy on the same machine."""
    settings = {"WALLET_ADMIN_KEY": ADMIN_KEY, "WALLET_MIGRATE_ON_START": "false"}
    with serving(
        own_folder, WALLET_DATABASE_URL=service_dsn, WALLET_RATE_LIMIT_ADDRESS_TOKENS="2", **settings
    ) as service:
        codes = [
            httpx.get(service.url + PATH, headers={"X-Forwarded-For": f"198.51.100.{number}"}).status_code
            for number in range(3)
        ]
        assert codes == [401, 401, 429]
        assert httpx.get(service.url + PATH, headers=bearer(ADMIN_KEY)).status_code == 200


async def test_it_can_be_switched_off_and_has_a_default(service_dsn: str) -> None:
    async with open_api(service_dsn, rate_limit_address_tokens=0) as api:
        assert api.app.state.address_limit is None
        problem(await api.http.get(PATH), "unauthorized")
        created(await api.admin.post("/wallets", {"user_id": "an-id", "name": secrets.token_hex(8)}))
    async with open_api(service_dsn) as api:
        assert api.app.state.address_limit._leases.quota.tokens == 300


async def test_refusals_are_counted_without_addresses(limited: Limited) -> None:
    api = await limited()
    async with at(api, "203.0.113.5") as http:
        await use_up(http)
        await http.get(PATH)
        metrics = (await http.get("/metrics", headers=bearer(ADMIN_KEY))).text
    assert 'wallet_rate_limit_refusals_total{scope="address"} 1.0' in metrics
    assert "203.0.113.5" not in metrics


async def test_the_addresses_that_are_remembered_are_bounded(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_limit, "MOST_ADDRESSES", 3)
    api = await limited(rate_limit_address_tokens=1)
    limit: AddressLimit = api.app.state.address_limit
    for number in range(5):
        async with at(api, f"203.0.113.{number}") as http:
            problem(await http.get(PATH), "unauthorized")
            problem(await http.get(PATH), "rate_limited")
    assert len(limit._leases) == len(limit._used_up) == 3
