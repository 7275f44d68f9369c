"""The SDK and the OpenAPI document of the service agree: on every path, parameter and field, and on no others."""

import json
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from inspect import getdoc, isgenerator, signature
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
import wallet_client
from support.settings import make_settings
from wallet_client import (
    AsyncWalletClient,
    NewEntry,
    NewPart,
    Operation,
    Pages,
    WalletClient,
    alerts,
    billing,
    books,
    exchange,
    grants,
    holds,
    limits,
    models,
    parts,
    rates,
    rules,
    sums,
    top_ups,
    usage,
    webhooks,
)
from wallet_client._async.shortcuts import AsyncShortcuts
from wallet_client._sync.alerts import AlertsResource
from wallet_client._sync.audit import AuditResource
from wallet_client._sync.billing import BillingResource
from wallet_client._sync.books import BooksResource
from wallet_client._sync.budgets import BudgetsResource
from wallet_client._sync.credits import CreditsResource
from wallet_client._sync.events import Events, EventsResource
from wallet_client._sync.exchange import ExchangeResource
from wallet_client._sync.files import FilesResource
from wallet_client._sync.grants import GrantSchedulesResource, GrantsResource
from wallet_client._sync.holds import HoldsResource
from wallet_client._sync.jobs import JobsResource
from wallet_client._sync.labels import CategoriesResource, PayeesResource, TagsResource
from wallet_client._sync.limits import LimitsResource
from wallet_client._sync.parts import PairsResource, PartsResource
from wallet_client._sync.rates import MetersResource, RateCardsResource
from wallet_client._sync.rules import RulesResource
from wallet_client._sync.shortcuts import Shortcuts
from wallet_client._sync.statistics import StatisticsResource
from wallet_client._sync.test_clock import TestClockResource
from wallet_client._sync.top_ups import TopUpsResource
from wallet_client._sync.transactions import TransactionsResource
from wallet_client._sync.usage import UsageResource
from wallet_client._sync.wallets import WalletsResource
from wallet_client._sync.webhooks import WebhooksResource
from wallet_client.budgets import NewBudgetItem
from wallet_client.exchange import NewRate
from wallet_client.limits import NewLimit
from wallet_client.testing.operations import OPERATION_TYPES

from contract.references import inlined
from wallet_service.runtime.application import create_app

ID = "0199d0a8-0000-7000-8000-0000000000aa"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
VALUES: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("wallet_id", "to_wallet_id", "transaction_id", "user_id", "organization_id", "file_id"),
            *("endpoint_id", "event_id", "from_event", "alert_id", "grant_id", "schedule_id", "hold_id"),
            *("top_up_id", "rate_card_id", "usage_id", "book_id", "label_id", "parent_id", "into"),
            *("category_id", "payee_id", "tag_id", "run_id", "pair_id", "quote_id", "rule_id", "budget_id"),
        ),
        ID,
    ),
    **dict.fromkeys(
        (
            *(
                "amount",
                "to_amount",
                "balance",
                "initial_balance",
                "credit_limit",
                "min_amount",
                "max_amount",
            ),
            *("unit_cost", "rollover_value", "percent", "hysteresis", "threshold", "target"),
        ),
        "1",
    ),
    **dict.fromkeys(
        ("dry_run", "atomic", "is_primary", "verified", "dead", "is_transferable", "final"), True
    ),
    **dict.fromkeys(
        ("effective_at", "at", "from_", "to", "expires_at", "from_time", "starts_at", "ends_at"), NOW
    ),
    "rates": [NewRate("EUR", "USD", "2026-01-02", "1.1")],
    "content": b"bytes",
    "media_type": "text/csv",
    "duration": timedelta(days=1),
    "metadata": {"model": "small"},
    **dict.fromkeys(
        (
            *("priority", "expires_in_s", "notice_s", "refund_grace_s", "day_of_month", "max_age_s"),
            *("if_version", "version", "number", "from_number"),
        ),
        1,
    ),
    "pays": ["revenue:usage"],
    "types": ["X"],
    "overlap_s": 60,
    "event_types": ["transaction.posted"],
    "page_size": 10,
    "operations": [Operation.consume(ID, 1)],
    "limits": [NewLimit("day", 1)],
    "event": usage.NewUsage("1", "tokens", 1, ID, ID, {"model": "x"}, NOW, "eu", "X"),
    "events": [usage.NewUsage("1", "tokens", 1, user_id="u", currency="CREDIT")],
    "dimensions": ["model"],
    "wallet_ids": [ID],
    "category_ids": [ID],
    "items": [NewBudgetItem(ID, 1)],
    "tiers": [75],
    "prorate": True,
    "prices": [rates.NewRatePrice("per_unit", 1)],
    "entries": [NewEntry.debit(ID, 1, "fx:EUR-USD")],
    "parts": [NewPart(1, ID, ID, [ID], "X")],
    "changes": [{"wallet_id": ID, "wallet_version": 1, "changes": {"note": "X"}}],
    **dict.fromkeys(("amount_from", "amount_to"), "1"),
    **dict.fromkeys(("from_day", "to_day", "booked_on"), NOW.date()),
    "tag_ids": [ID],
    "rule_ids": [ID],
    "conditions": [{"field": "note", "op": "is", "value": "X"}],
    "actions": {"note": "X"},
    "rule": {"name": "X", "conditions": [{"field": "note", "op": "is", "value": "X"}], "stop": True},
    "match": "any",
    "most_entries": 1,
    "debit": (ID, 1),
    "credit": (ID, 1),
    "wallet_version": 1,
    "if_etag": "9f86d081884c7d65",
}
LEFT_OUT = {
    ("get", "/health"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
    ("post", "/api/v1/wallets/import"),
    ("post", "/api/v1/wallets/import/jobs"),
    ("post", "/api/v1/payments/events"),
}
"""Paths for operators and the payment service, not for the services that use the SDK."""

IN_NO_DOCUMENT = {("get", "/api/v1/test-clock"), ("post", "/api/v1/test-clock")}
"""Paths that exist only in development."""

RESOURCES: dict[str, Any] = {
    "wallets": WalletsResource,
    "transactions": TransactionsResource,
    "credits": CreditsResource,
    "events": EventsResource,
    "files": FilesResource,
    "jobs": JobsResource,
    "test_clock": TestClockResource,
    "statistics": StatisticsResource,
    "audit": AuditResource,
    "holds": HoldsResource,
    "limits": LimitsResource,
    "alerts": AlertsResource,
    "grants": GrantsResource,
    "grant_schedules": GrantSchedulesResource,
    "billing": BillingResource,
    "meters": MetersResource,
    "rate_cards": RateCardsResource,
    "usage": UsageResource,
    "top_ups": TopUpsResource,
    "webhooks": WebhooksResource,
    "books": BooksResource,
    "exchange": ExchangeResource,
    "categories": CategoriesResource,
    "payees": PayeesResource,
    "tags": TagsResource,
    "parts": PartsResource,
    "pairs": PairsResource,
    "rules": RulesResource,
    "budgets": BudgetsResource,
}

OF_OTHER_CALLS = {"wait"}
"""Methods that make the calls of other methods."""

SHORTCUTS = {
    "create_wallet": "wallets.create",
    "get_wallet": "wallets.get",
    "list_wallets": "wallets.list",
    "get_balance": "wallets.balance",
    "deposit": "transactions.deposit",
    "withdraw": "transactions.withdraw",
    "consume": "transactions.consume",
    "transfer": "transactions.transfer",
    "refund": "transactions.refund",
    "list_transactions": "transactions.list",
    "get_credits": "credits.balance",
    "consume_credits": "credits.consume",
}
"""The calls of older clients, and the methods to which they forward."""


@cache
def document() -> dict[str, Any]:
    settings = make_settings(admin_key="an-admin-key-of-forty-characters-1234567")
    return inlined(create_app(settings, "postgres://nowhere").openapi())


def properties(schema: str) -> set[str]:
    return set(document()["components"]["schemas"][schema]["properties"])


class Recorder:
    """In the place of a runner: returns each call instead of carrying it out."""

    def run(self, call: Any) -> Any:
        return call

    def stream(self, call: Any) -> Any:
        raise Streamed(call)


class Streamed(Exception):
    """Carries the call of a stream out of its generator."""


def call_of(made: Any) -> Any:
    if isinstance(made, Pages | Events):
        return made._page_after("next")
    if isgenerator(made):
        with pytest.raises(Streamed) as streamed:
            next(made)
        return streamed.value.args[0]
    return made


def public_methods(kind: Any) -> list[str]:
    return sorted(name for name in dir(kind) if not name.startswith("_"))


def arguments(function: Any, *without: str) -> dict[str, Any]:
    names = [name for name in signature(function).parameters if name not in without]
    return {name: VALUES.get(name, "X") for name in names}


def choices(method: Any) -> list[dict[str, Any]]:
    """Arguments with which a method makes each of its calls: a list is either of one owner or of another."""
    names = signature(method).parameters.keys()
    if "page_size" not in names or "user_id" not in names or names.isdisjoint({"wallet_id", "verified"}):
        return [arguments(method)]
    if "category_id" in names:  # a wallet of the owner's book
        return [arguments(method)]
    of_users = arguments(method, "wallet_id", "verified")
    if "wallet_id" in names:
        return [of_users, arguments(method, "user_id")]
    return [of_users, arguments(method, "user_id", "currency", "status", "wallet_type")]


def every_call() -> list[Any]:
    """A call of each method of the resources, with every argument that the method takes."""
    recorder: Any = Recorder()
    calls: list[Any] = []
    for kind in RESOURCES.values():
        resource = kind(recorder)
        for name in sorted(set(public_methods(kind)) - OF_OTHER_CALLS):
            method = getattr(resource, name)
            made = [method(**each) for each in choices(method)]
            calls += map(call_of, made)
    return calls


def test_every_path_is_called() -> None:
    known = {
        (method, path)
        for path, operations in document()["paths"].items()
        for method in operations
        if (method, path) not in LEFT_OUT
    }

    assert {(call.method.lower(), call.route) for call in every_call()} == known | IN_NO_DOCUMENT


def of_path(client: Any, path: str) -> Any:
    resource, name = path.split(".")
    return getattr(getattr(client, resource), name)


@pytest.mark.parametrize(
    ("kind", "shortcuts"), [(WalletClient, Shortcuts), (AsyncWalletClient, AsyncShortcuts)]
)
def test_a_shortcut_takes_and_returns_what_its_method_does(kind: Any, shortcuts: Any) -> None:
    assert set(public_methods(shortcuts)) == SHORTCUTS.keys()
    for name, path in SHORTCUTS.items():
        resource, method = path.split(".")
        assert signature(getattr(kind, name)) == signature(getattr(type(getattr(kind, resource)), method))


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_shortcut_forwards_every_argument(name: str) -> None:
    client = mock.create_autospec(WalletClient, instance=True)
    shortcut, forwarded = getattr(Shortcuts, name), of_path(client, SHORTCUTS[name])
    given = arguments(shortcut, "self")

    result = shortcut(client, **given)

    assert result is forwarded.return_value
    sent = signature(shortcut).bind(client, *forwarded.call_args.args, **forwarded.call_args.kwargs).arguments
    assert sent == {"self": client, **given}


def test_every_method_explains_itself() -> None:
    for kind in RESOURCES.values():
        for name in public_methods(kind):
            text = getdoc(getattr(kind, name)) or ""
            names = [each for each in signature(getattr(kind, name)).parameters if each != "self"]
            assert [each for each in names if f"\n    {each}: " not in text] == [], name
    assert all(getdoc(getattr(WalletClient, name)) for name in public_methods(WalletClient))


@pytest.mark.parametrize("name", [*OPERATION_TYPES, "update", "balance"])
def test_a_wrong_argument_is_reported_with_the_name_of_the_method(name: str) -> None:
    kind = WalletsResource if name in {"update", "balance"} else TransactionsResource
    recorder: Any = Recorder()
    with pytest.raises(TypeError, match=rf"^\w+\.{name}\(\) got an unexpected keyword argument 'amuont'"):
        getattr(kind(recorder), name)("w", amuont=1)


DOCUMENTED = [call for call in every_call() if (call.method.lower(), call.route) not in IN_NO_DOCUMENT]


@pytest.mark.parametrize("call", DOCUMENTED, ids=lambda call: f"{call.method} {call.route}")
def test_a_call_can_send_all_that_its_path_reads(call: Any) -> None:
    operation = document()["paths"][call.route][call.method.lower()]
    parameters = {(each["in"], each["name"]) for each in operation.get("parameters", [])}
    headers = {("header", name) for name, _ in call.headers}
    if call.key is not None:
        headers.add(("header", "Idempotency-Key"))
        # Of each attempt; test_attempts.py shows that every call with a key sends them.
        headers |= parameters & {("header", "Idempotency-Call"), ("header", "Idempotency-Attempt")}
    headers |= parameters & {("header", "Last-Event-ID")}  # of browsers; this client sends after
    query = {("query", name) for name in parse_qs(urlsplit(call.target).query)}
    path = {each for each in parameters if each[0] == "path"}

    assert headers | query | path == parameters
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is None:
        assert (call.body is not None) == ("requestBody" in operation)
    else:
        schema = body["schema"]["$ref"].rpartition("/")[2]
        # The key is sent in the header, not in the body.
        assert json.loads(call.body).keys() == properties(schema) - {"idempotency_key"}


@pytest.mark.parametrize(
    ("made", "schema"),
    [
        (Operation.consume(**arguments(Operation.consume)), "BatchMovement"),
        (Operation.transfer(**arguments(Operation.transfer)), "BatchTransfer"),
        (Operation.refund(**arguments(Operation.refund)), "BatchRefund"),
        (Operation.adjust(**arguments(Operation.adjust)), "BatchAdjustment"),
        (Operation.post(**arguments(Operation.post)), "BatchEntries"),
        (Operation.grant(**arguments(Operation.grant)), "BatchGrant"),
        (Operation.hold(**arguments(Operation.hold)), "BatchHold"),
        (Operation.capture_hold(**arguments(Operation.capture_hold)), "BatchHoldCapture"),
        (Operation.void_hold(**arguments(Operation.void_hold)), "BatchHoldVoid"),
        (Operation.extend_hold(**arguments(Operation.extend_hold)), "BatchHoldExtend"),
        (Operation.increase_hold(**arguments(Operation.increase_hold)), "BatchHoldIncrease"),
    ],
)
def test_an_operation_of_a_batch_can_send_all_that_is_read(made: Operation, schema: str) -> None:
    assert made.members.keys() == properties(schema)


def test_a_limit_can_send_all_that_is_read() -> None:
    assert NewLimit("day", 1).members.keys() == properties("NewLimit")


def test_a_price_can_send_all_that_is_read() -> None:
    tier = rates.NewRateTier(1, up_to=2, flat_amount=3)
    price = rates.NewRatePrice("volume", 1, {"model": "x"}, 1, package_size=1, package_price=1, tiers=[tier])
    assert tier.members.keys() == properties("NewRateTier")
    assert price.members.keys() == properties("NewRatePrice")


def test_an_entry_can_send_all_that_is_read() -> None:
    assert NewEntry.debit(ID, 1, "fx:EUR-USD").members.keys() == properties("EntryRequest")


@pytest.mark.parametrize(
    "model",
    [
        *(
            getattr(models, name)
            for name in ("Wallet", "Balance", "Entry", "EventPage", "File", "Transaction")
        ),
        *(
            getattr(sums, name)
            for name in (
                *("TypeTotal", "CounterAccountTotal", "Step", "CurrencyStatistics", "WalletStatistics"),
                *("UserStatistics", "CurrencyStats", "ServiceStats", "TrialBalanceLine"),
                *("TrialBalanceCurrency", "TrialBalance", "Currency"),
            )
        ),
        *(getattr(alerts, name) for name in ("Alert", "BurnWindow", "BurnRate")),
        *(getattr(holds, name) for name in ("Hold", "Capture")),
        *(getattr(limits, name) for name in ("Limit", "Limits")),
        *(getattr(grants, name) for name in ("Grant", "GrantSchedule")),
        *(getattr(books, name) for name in ("Book", "BookWallet", "ChangedBook", "Label")),
        *(getattr(parts, name) for name in ("EntryPart", "Part", "EntryParts", "ChangedParts", "EntryName")),
        *(getattr(rules, name) for name in ("Rule", "RuleOrder", "RuledEntry", "RuleTestResult")),
        *(getattr(parts, name) for name in ("Undone", "PairSide", "Pair")),
        *(
            getattr(exchange, name)
            for name in ("Rate", "Converted", "Quote", "Conversion", "PostedConversion")
        ),
        *(
            getattr(billing, name)
            for name in (
                *(
                    "Movements",
                    "GrantLeft",
                    "NextExpiry",
                    "LimitLeft",
                    "GrantPart",
                    "HoldOpen",
                    "Change",
                    "Update",
                ),
                *("Explanation", "SourceSum", "Consumption", "GrantCost", "AccountSum", "CurrencySummary"),
                "BillingSummary",
            )
        ),
        *(
            getattr(rates, name)
            for name in ("Meter", "RateTier", "RatePrice", "RateVersionTimes", "RateVersion", "RateCard")
        ),
        *(getattr(usage, name) for name in ("RatingLine", "Rating", "Usage", "UsageTotal")),
        *(getattr(top_ups, name) for name in ("TopUpRule", "TopUpFailure", "TopUp")),
        *(
            getattr(webhooks, name)
            for name in (
                *("WebhookEndpoint", "CreatedWebhook", "RotatedSecret", "Ping", "LoggedAttempt"),
                *("Delivery", "DeliveryWithLog", "Replayed"),
            )
        ),
    ],
)
def test_a_model_has_every_member_of_its_response(model: Any) -> None:
    of_the_document = {
        field.name.rstrip("_")
        for field in fields(model)
        if field.default is MISSING or "later" in field.metadata
    }

    assert of_the_document == properties(model.__name__)


def test_credits_have_every_member_of_their_response() -> None:
    assert {field.name for field in fields(models.Credits)} == properties("CreditsBalance")


def test_all_that_is_public_is_there() -> None:
    assert len(set(wallet_client.__all__)) == len(wallet_client.__all__)
    assert all(hasattr(wallet_client, name) for name in wallet_client.__all__)
