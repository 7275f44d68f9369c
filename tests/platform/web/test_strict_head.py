"""Path, query and headers are the text that they claim to be, or the request is refused before it is routed."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from support.api import Api
from support.http_app import ADMIN_KEY, api, make_app

THINGS = "/api/v1/things"


@pytest.fixture
async def client(direct_api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api(direct_api.app.state.database, ADMIN_KEY) as opened:
        yield opened


async def raw(
    app: FastAPI, path: bytes, query: bytes = b"", *headers: tuple[bytes, bytes]
) -> tuple[int, bytes]:
    """Status and body of a GET as a server passes it on, which no client library would send."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "headers": [(b"authorization", f"Bearer {ADMIN_KEY}".encode()), *headers],
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    "target",
    [
        "M%FCller",  # Latin-1
        "M%F6ller",
        "%C3",  # half a character
        "%C3%28",
        "%ED%A0%80",  # half a surrogate pair
        "%C0%AF",  # a slash, longer than it may be
        "%F4%90%80%80",  # above the last character
        "7?cursor=%FF",
        "7?cursor=%C3&limit=%A4",  # halves in two parameters
        "7?%FF=1",
    ],
)
async def test_bytes_that_are_not_utf_8_are_refused(client: httpx.AsyncClient, target: str) -> None:
    answer = await client.get(f"{THINGS}/{target}")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    place = "query" if "?" in target else "path"
    assert answer.json()["detail"] == f"The {place} is not text in UTF-8"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("text", [b"100%", b"%", b"%4", b"%4g", b"%%41", b"M\xc3\xbcller", b"M\xfcller"])
async def test_what_is_not_percent_encoded_is_refused(direct_api: Api, text: bytes) -> None:
    app = make_app(direct_api.app.state.database)
    for status, body in (
        await raw(app, THINGS.encode() + b"/" + text),
        await raw(app, THINGS.encode() + b"/7", b"cursor=" + text),
    ):
        assert status == 400
        assert b"is not percent-encoded" in body


async def test_what_is_utf_8_is_read_as_it_is(client: httpx.AsyncClient) -> None:
    for sent, read in (
        ("M%C3%BCller", "Müller"),
        ("100%25", "100%"),
        ("%252F", "%2F"),
        ("%EF%BF%BD", "\ufffd"),
        ("%F0%9F%98%80", "😀"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
    ):
        answer = await client.get(f"{THINGS}/{sent}", params={"cursor": "é %&=+"})
        assert answer.json()["thing"] == read
        assert answer.json()["cursor"] == "é %&=+"


@pytest.mark.parametrize("sent", ["a%2Fb", "a%2fb", "%2F", "a%2Fadmin", "..%2F..%2Fthings", "%2F%2F"])
async def test_an_encoded_slash_belongs_to_its_segment(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get(f"{THINGS}/{sent}/admin")
    assert answer.json()["thing"] == sent.replace("%2F", "/").replace("%2f", "/")
    answer = await client.get(f"{THINGS}/{sent}")
    assert answer.json()["thing"] == sent.replace("%2F", "/").replace("%2f", "/")


async def test_a_path_with_an_encoded_slash_is_not_the_path_with_a_slash(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{THINGS}/7/poor")).json()["code"] == "insufficient_funds"
    assert (await client.get(f"{THINGS}/7%2Fpoor")).json()["thing"] == "7/poor"
    assert (await client.get("/api%2Fv1/things/7")).json()["code"] == "not_found"


@pytest.mark.parametrize(
    "header", ["Accept", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match"]
)
async def test_a_header_that_is_read_is_utf_8(client: httpx.AsyncClient, header: str) -> None:
    for value in (b"caf\xe9", b"\xff"):
        answer = await client.get(f"{THINGS}/7", headers={header.encode(): value})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
        assert answer.json()["detail"] == f"The header {header} is not text in UTF-8"


async def test_a_header_that_is_not_read_may_have_any_bytes(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{THINGS}/7", headers={b"X-City": b"S\xe3o Paulo", b"User-Agent": b"\xff"})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/docs/assets/%00", "/api/v1/nothing/%00", "/docs?%00"])
async def test_null_characters_are_refused_wherever_the_path_leads(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["code"] == "text_not_storable"
