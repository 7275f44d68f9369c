from collections.abc import AsyncIterator

import httpx
import pytest
from support.http_app import ADMIN_KEY, api

from wallet_service.core.errors import IdempotencyKeyConflict
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.web.idempotency import chosen_key

PAY = "/api/v1/things/7/pay"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with api(database, ADMIN_KEY) as opened:
        yield opened


@pytest.mark.parametrize(
    ("header", "body", "key"),
    [(None, None, None), ("a", None, "a"), (None, "b", "b"), ("a", "a", "a"), ("", None, ""), (None, "", "")],
)
def test_one_key_is_chosen(header: str | None, body: str | None, key: str | None) -> None:
    assert chosen_key(header, body) == key


@pytest.mark.parametrize(("header", "body"), [("a", "b"), ("a", "A"), ("a", "a "), ("", "a")])
def test_two_keys_conflict(header: str, body: str) -> None:
    with pytest.raises(IdempotencyKeyConflict):
        chosen_key(header, body)


@pytest.mark.parametrize("key", ["a", "x" * 255, '"quoted"', "order 7/2 ~!"])
async def test_the_header_is_taken_literally(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(PAY, json={"amount": "1"}, headers={"Idempotency-Key": key})
    assert answer.json()["key"] == key


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"caf\xc3\xa9", b"a\tb", b"\x7f"])
async def test_other_headers_are_not_valid(client: httpx.AsyncClient, key: bytes) -> None:
    answer = await client.post(PAY, json={"amount": "1"}, headers={b"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0] | {"detail": "", "code": ""} == {
        "in": "header",
        "pointer": "/Idempotency-Key",
        "detail": "",
        "code": "",
    }


async def test_header_and_body_conflict(client: httpx.AsyncClient) -> None:
    body = {"amount": "1", "idempotency_key": "b"}
    answer = await client.post(PAY, json=body, headers={"Idempotency-Key": "a"})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_conflict")


async def test_two_headers_conflict(client: httpx.AsyncClient) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await client.post(PAY, json={"amount": "1"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_conflict")
