from collections.abc import AsyncIterator

import httpx
import pytest
from support.http_app import ADMIN_KEY, api
from support.problems import ERRORS

from wallet_service.core.errors import Unauthorized, WalletBusy
from wallet_service.ledger.problems import AmountPrecision, InsufficientFunds
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.web.problems import problem_document, problem_headers, validation_problem

THING = "/api/v1/things/7"
PAY = f"{THING}/pay"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with api(database, ADMIN_KEY) as opened:
        yield opened


def test_a_document_says_what_happened() -> None:
    assert problem_document(InsufficientFunds("2.50 is missing", shortfall="2.50"), "r1") == {
        "type": "urn:wallet:problem:insufficient_funds",
        "title": "Insufficient funds",
        "status": 402,
        "detail": "2.50 is missing",
        "instance": "urn:wallet:request:r1",
        "code": "insufficient_funds",
        "retryable": False,
        "request_id": "r1",
        "shortfall": "2.50",
    }


def test_an_item_of_a_batch_has_no_request_of_its_own() -> None:
    assert not {"instance", "request_id"} & set(problem_document(AmountPrecision()))


def test_facts_never_stand_for_standard_members() -> None:
    assert problem_document(AmountPrecision(status=200, code="fine"))["status"] == 422
    assert problem_document(AmountPrecision(status=200, code="fine"))["code"] == "amount_precision"


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_what_can_be_tried_again_says_when(error: type[Unauthorized]) -> None:
    headers = problem_headers(error())
    assert ("Retry-After" in headers) == error.retryable
    assert ("WWW-Authenticate" in headers) == (error.status == 401)


def test_the_time_to_wait_is_in_seconds() -> None:
    assert problem_headers(WalletBusy()) == {"Retry-After": "1"}


async def test_a_refusal_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{THING}/poor", headers={"X-Request-Id": "r-1"})
    assert answer.status_code == 402
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == problem_document(
        InsufficientFunds("2.50 is missing", shortfall="2.50", thing="7"), "r-1"
    )


async def test_busy_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{THING}/busy")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


async def test_unknown_paths_and_methods(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await client.put(PAY, json={})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert (answer.headers["Allow"], answer.json()["detail"]) == ("POST", "This path has only POST")


async def test_values_are_named_and_not_repeated(client: httpx.AsyncClient) -> None:
    body = {"amount": "12", "name": ["a-secret"], "metadata": "a-secret", "a/b~c": "a-secret"}
    answer = await client.post(PAY, json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "validation_failed"
    assert {(item["in"], item["pointer"], item["code"]) for item in answer.json()["errors"]} == {
        ("body", "/name", "string_type"),
        ("body", "/metadata", "dict_type"),
        ("body", "/a~1b~0c", "extra_forbidden"),
    }
    assert "a-secret" not in answer.text


async def test_a_query_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.get(THING, params={"limit": 101})
    assert answer.json()["errors"][0]["in"] == "query"
    assert answer.json()["errors"][0]["pointer"] == "/limit"


async def test_an_error_named_like_a_problem_is_that_problem(client: httpx.AsyncClient) -> None:
    answer = await client.post(PAY, json={"amount": "-1", "name": 5})
    assert (answer.status_code, answer.json()["code"]) == (422, "amount_invalid")
    assert answer.json()["detail"] == "an amount is more than 0"
    assert [item["code"] for item in answer.json()["errors"]] == ["amount_invalid", "string_type"]


async def test_a_missing_body_is_malformed(client: httpx.AsyncClient) -> None:
    answer = await client.post(PAY)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_many_and_long_errors_are_cut(client: httpx.AsyncClient) -> None:
    answer = await client.post(PAY, json={"amount": "1"} | {f"unknown{n}": 1 for n in range(60)})
    assert len(answer.json()["errors"]) == 20
    answer = await client.post(PAY, json={"amount": "1", "x" * 1000: 1})
    assert len(answer.json()["errors"][0]["pointer"]) == 256


def test_an_error_without_a_place_is_the_body_s() -> None:
    problem = validation_problem([{"loc": (), "msg": "Value error, no", "type": "value_error"}])
    assert problem.facts["errors"] == [{"in": "body", "pointer": "", "detail": "no", "code": "value_error"}]
