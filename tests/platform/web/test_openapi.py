import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import httpx
import jsonschema_rs
import pytest
from support.http_app import api
from support.problems import ERRORS

from contract.references import inlined
from wallet_service.core import errors
from wallet_service.core.errors import WalletError, WalletNotFound
from wallet_service.ledger.problems import InsufficientFunds, WalletClosed, WalletFrozen
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.web.openapi import READS, problem_schema, problems


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with api(database) as opened:
        yield opened


def test_errors_of_one_status_share_a_response() -> None:
    responses = problems(*READS, WalletNotFound, WalletFrozen, WalletNotFound)
    assert list(responses) == [400, 401, 403, 404, 409, 422, 429, 503]
    content = problems(InsufficientFunds)[402]["content"]["application/problem+json"]
    assert content["schema"]["properties"]["code"]["enum"] == ["insufficient_funds"]
    assert content["examples"]["insufficient_funds"]["value"]["shortfall"] == "2.500000"


def test_a_response_lists_its_codes() -> None:
    responses = problems(InsufficientFunds, WalletFrozen, WalletClosed)
    assert responses[402]["description"] == "`insufficient_funds`: Insufficient funds"
    assert responses[409]["description"] == "`wallet_frozen`, `wallet_closed`"
    examples = responses[409]["content"]["application/problem+json"]["examples"]
    assert examples["wallet_closed"]["summary"] == "Wallet is closed"


def test_a_problem_brings_the_facts_of_its_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "ERRORS", dict(errors.ERRORS))

    class HoldExpired(WalletError):
        """A problem of another room; this one is declared nowhere else."""

        code, status, title = "hold_expired", 409, "The hold has expired"
        example_facts: ClassVar[Mapping[str, Any]] = {"expired_at": "2026-01-02T03:04:05Z"}

    examples = problems(HoldExpired)[409]["content"]["application/problem+json"]["examples"]
    assert examples["hold_expired"]["value"]["expired_at"] == "2026-01-02T03:04:05Z"


def test_headers_are_documented() -> None:
    responses = problems(*READS)
    assert set(responses[401]["headers"]) == {"WWW-Authenticate"}
    assert set(responses[429]["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}
    assert set(responses[503]["headers"]) == {"Retry-After"}
    assert "headers" not in responses[403]


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_examples_are_valid(error: type[InsufficientFunds]) -> None:
    content = problems(error)[error.status]["content"]["application/problem+json"]
    jsonschema_rs.validate(problem_schema(ERRORS), content["examples"][error.code]["value"])


async def test_the_document_is_open_and_whole(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert (await client.get("/openapi.json")).json() == document
    document = inlined(document)
    jsonschema_rs.meta.validate(document["components"]["schemas"]["Problem"])
    operation = document["paths"]["/api/v1/things/{thing_id}/pay"]["post"]
    assert operation["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert set(operation["responses"]) == {"200", "400", "401", "403", "413", "415", "422", "429", "503"}
    assert operation["responses"]["422"]["content"]["application/problem+json"]["schema"]["$ref"].endswith(
        "/Problem"
    )
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert names == {"thing_id", "Idempotency-Key"}
    assert "/docs" not in document["paths"]


async def test_the_pages_need_no_internet(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) >= 3
    assert "://" not in re.sub(r"window\.location\.origin", "", page.text)
    for address in addresses:
        assert address.startswith("/docs/assets/")
        assert (await client.get(address)).status_code == 200


async def test_the_docs_keep_the_key_when_the_page_is_loaded_again(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert re.search(r'"persistAuthorization":\s*true', page.text)
