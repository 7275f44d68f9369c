"""The SDK and the service's OpenAPI document say the same: every path, member and field, none more."""

import json
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cache
from inspect import signature
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import wallet_client
from wallet_client import Operation, models, sums
from wallet_client._flat import FlatCalls
from wallet_client._method import ListMethod, Method

from wallet_service.app import create_app
from wallet_service.settings import Settings

ID = "0199d0a8-0000-7000-8000-0000000000aa"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
VALUES: dict[str, Any] = {
    **dict.fromkeys(("wallet_id", "to_wallet_id", "transaction_id", "user_id", "organization_id"), ID),
    **dict.fromkeys(("amount", "initial_balance", "credit_limit", "min_amount", "max_amount"), "1"),
    **dict.fromkeys(("effective_at", "at", "from_", "to"), NOW),
    **dict.fromkeys(("dry_run", "atomic", "is_primary", "verified"), True),
    "metadata": {"model": "small"},
    "if_version": 1,
    "page_size": 10,
    "operations": [Operation.consume(ID, 1)],
}
LEFT_OUT = {
    ("get", "/health"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
    ("post", "/api/v1/wallets/import"),
}
"""What operators ask for, not the services that use the SDK."""

OWNERS = {"wallet_id", "user_id"}
"""A list is of a wallet's or a user's, never of both."""


@cache
def document() -> dict[str, Any]:
    settings = Settings(admin_key="an-admin-key-of-forty-characters-1234567")
    return create_app(settings, "postgres://nowhere").openapi()


def properties(schema: str) -> set[str]:
    return set(document()["components"]["schemas"][schema]["properties"])


def arguments(build: Any, *without: str) -> dict[str, Any]:
    names = [name for name in signature(build).parameters if name not in without]
    return {name: VALUES.get(name, "X") for name in names}


def every_call() -> list[Any]:
    calls: list[Any] = []
    for definition in vars(FlatCalls).values():
        if isinstance(definition, Method):
            build = definition.__wrapped__
            calls.append(build(**arguments(build)))
        elif isinstance(definition, ListMethod):
            build = definition.__wrapped__
            owners = OWNERS & signature(build).parameters.keys()
            of_users = {"currency", "status", "wallet_type"}
            calls.append(build(**arguments(build, "wallet_id", "verified"))("next"))
            others = owners - {"wallet_id"} | (set() if "wallet_id" in owners else of_users)
            calls.append(build(**arguments(build, *others))("next"))
    return calls


def test_every_path_is_called() -> None:
    known = {
        (method, path)
        for path, operations in document()["paths"].items()
        for method in operations
        if (method, path) not in LEFT_OUT
    }

    assert {(call.method.lower(), call.route) for call in every_call()} == known


@pytest.mark.parametrize("call", every_call(), ids=lambda call: f"{call.method} {call.route}")
def test_a_call_can_say_all_that_its_path_reads(call: Any) -> None:
    operation = document()["paths"][call.route][call.method.lower()]
    parameters = {(each["in"], each["name"]) for each in operation.get("parameters", [])}
    headers = {("header", name) for name, _ in call.headers}
    if call.key is not None:
        headers.add(("header", "Idempotency-Key"))
    query = {("query", name) for name in parse_qs(urlsplit(call.target).query)}
    path = {each for each in parameters if each[0] == "path"}

    assert headers | query | path == parameters
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is None:
        assert call.body is None
    else:
        schema = body["schema"]["$ref"].rpartition("/")[2]
        # Once is enough: the header names it.
        assert json.loads(call.body).keys() == properties(schema) - {"idempotency_key"}


@pytest.mark.parametrize(
    ("made", "schema"),
    [
        (Operation.consume(**arguments(Operation.consume)), "BatchMovement"),
        (Operation.transfer(**arguments(Operation.transfer)), "BatchTransfer"),
        (Operation.refund(**arguments(Operation.refund)), "BatchRefund"),
    ],
)
def test_an_operation_of_a_batch_can_say_all_that_is_read(made: Operation, schema: str) -> None:
    assert made.members.keys() == properties(schema)


@pytest.mark.parametrize(
    "model",
    [
        *(getattr(models, name) for name in ("Wallet", "Balance", "Entry", "Transaction")),
        *(
            getattr(sums, name)
            for name in (
                *("TypeTotal", "CounterAccountTotal", "Step", "CurrencyStatistics", "WalletStatistics"),
                *("UserStatistics", "CurrencyStats", "ServiceStats", "TrialBalanceLine"),
                *("TrialBalanceCurrency", "TrialBalance", "Currency"),
            )
        ),
    ],
)
def test_a_model_has_every_member_of_its_answer(model: Any) -> None:
    of_the_document = {field.name.rstrip("_") for field in fields(model) if field.default is MISSING}

    assert of_the_document == properties(model.__name__)


def test_credits_have_every_member_of_their_answer() -> None:
    assert {field.name for field in fields(models.Credits)} == properties("CreditsBalance")


def test_all_that_is_public_is_there() -> None:
    assert len(set(wallet_client.__all__)) == len(wallet_client.__all__)
    assert all(hasattr(wallet_client, name) for name in wallet_client.__all__)
