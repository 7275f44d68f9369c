import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.routing import APIRoute
from support.http_app import ADMIN_KEY, BODY_LIMIT, IMPORT_LIMIT, api

from wallet_service.platform.database.gateway import Database
from wallet_service.platform.web.body import StrictRoute

PAY = "/api/v1/things/7/pay"
IMPORT = "/api/v1/things/import"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with api(database) as opened:
        yield opened


@pytest.fixture
async def admin_client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with api(database, ADMIN_KEY) as opened:
        yield opened


async def chunks(total: int, size: int = 100) -> AsyncIterator[bytes]:
    for _ in range(total // size):
        yield b"x" * size


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=UTF-8",
        "Application/Merge-Patch+JSON",
        "application/vnd.x+json",
    ],
)
async def test_json_is_read_exactly(admin_client: httpx.AsyncClient, content_type: str) -> None:
    body = '{"amount": 0.10, "metadata": {"rate": 1.10, "big": 123456789012345678901234567890, "text": "é"}}'
    answer = await admin_client.post(PAY, content=body.encode(), headers={"Content-Type": content_type})
    assert answer.status_code == 200
    assert json.loads(answer.text, parse_float=str)["metadata"] == {
        "rate": "1.10",
        "big": 123456789012345678901234567890,
        "text": "é",
    }
    assert answer.json()["amount"] == "0.10"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_other_content_types_are_refused(
    admin_client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await admin_client.post(PAY, content=b'{"amount": "1"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"amount": "1", "amount": "2"}', b'{"amount": NaN}', b'{"a": "\xff"}']
)
async def test_unreadable_bodies_are_malformed(admin_client: httpx.AsyncClient, content: bytes) -> None:
    answer = await admin_client.post(PAY, content=content, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("content", [b"[]", b"null", b'"text"', b"1", b"true"])
async def test_a_body_that_is_no_object_is_not_valid(admin_client: httpx.AsyncClient, content: bytes) -> None:
    answer = await admin_client.post(PAY, content=content, headers=JSON)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "object_expected")


async def test_nesting_is_malformed(admin_client: httpx.AsyncClient) -> None:
    content = b'{"amount": "1", "metadata": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}"
    answer = await admin_client.post(PAY, content=content, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("path", ["/api/v1/things/a%00b", "/api/v1/things/7?cursor=%00"])
async def test_null_characters_outside_the_body_are_refused(
    admin_client: httpx.AsyncClient, path: str
) -> None:
    answer = await admin_client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_declared_length_over_the_limit_is_refused_unread(admin_client: httpx.AsyncClient) -> None:
    body = json.dumps({"amount": "1", "name": "x" * BODY_LIMIT}).encode()
    answer = await admin_client.post(PAY, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert answer.json()["limit_bytes"] == BODY_LIMIT
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


async def test_a_body_at_the_limit_is_read(admin_client: httpx.AsyncClient) -> None:
    body = b'{"amount": "1"}'
    answer = await admin_client.post(PAY, content=body.ljust(BODY_LIMIT), headers=JSON)
    assert answer.status_code == 200


async def test_chunks_over_the_limit_are_refused(admin_client: httpx.AsyncClient) -> None:
    answer = await admin_client.post(PAY, content=chunks(BODY_LIMIT * 10), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


async def test_a_path_can_have_its_own_limit(client: httpx.AsyncClient) -> None:
    answer = await client.post(IMPORT, content=chunks(IMPORT_LIMIT - 100))
    assert answer.json()["bytes"] > BODY_LIMIT
    for content in (chunks(IMPORT_LIMIT + 200), b"x" * (IMPORT_LIMIT + 1)):
        answer = await client.post(IMPORT, content=content)
        assert (answer.status_code, answer.json()["limit_bytes"]) == (413, IMPORT_LIMIT)


async def test_no_body_is_parsed_before_the_caller_is_authenticated(client: httpx.AsyncClient) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"{"

    answer = await client.post(PAY, content=body(), headers=JSON)
    assert answer.status_code == 401
    assert read == 0


async def test_a_route_without_credentials_is_as_strict(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/things/open", content=b'{"amount": 1, "amount": 2}', headers=JSON)
    assert answer.status_code == 400
    assert (await client.post("/api/v1/things/open", json={"amount": "1"})).status_code == 200


@pytest.mark.parametrize("template", ["/a/{x}/end", "/a/{x}", "/a", "/a/{x:path}/end", "/a/{x}-{y}"])
def test_a_route_matches_the_paths_that_fastapis_matches(template: str) -> None:
    async def endpoint() -> None: ...

    ours, plain = StrictRoute(template, endpoint), APIRoute(template, endpoint)
    for path in (
        "/a/1/end",
        "/a/1/end\n",
        "/a/1/end\n\n",
        "/a/1/end/",
        "/a/1",
        "/a\n",
        "/a",
        "/a/1-2",
        "/b",
        "",
    ):
        for method in ("GET", "POST"):
            scope = {"type": "http", "method": method, "path": path}
            assert ours.matches(scope)[0] is plain.matches(scope)[0], (template, path, method)
