"""The OpenAPI document describes the service, and the service agrees with it.

Schemathesis creates requests from the document: every boundary of every member (its phase "coverage"), and random
ones. In the suite they are the same at each run.
"""

import json
import re
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import given
from schemathesis.python.asgi import shutdown_lifespans
from support.api import ADMIN_KEY, Api, Client, make_app, open_api
from support.cluster import create_database, drop_database
from support.database_location import DatabaseLocation, open_location
from support.problems import ERRORS
from support.settings import make_settings
from support.soak import search

from contract.references import inlined
from wallet_service.platform.vault.keys import generate_key
from wallet_service.runtime.application import create_app

# Hypothesis compares the state of `random` before and after it draws; the application draws from it in another thread.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

SERVED: dict[str, Any] = create_app(make_settings(), "postgresql://nowhere/").openapi()
DOCUMENT = inlined(SERVED)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
OPEN = {"GET /health", "GET /health/live", "GET /health/ready"}
SIGNED = {"POST /api/v1/payments/events"}
"""Requests that have a signature in place of credentials."""
CLOSED = sorted(OPERATIONS.keys() - OPEN)

PROMISED = """
GET /health
GET /health/live
GET /health/ready
GET /metrics
GET /api/v1/wallet/stats
POST /api/v1/wallets
GET /api/v1/wallets
GET /api/v1/wallets/{wallet_id}
PATCH /api/v1/wallets/{wallet_id}
DELETE /api/v1/wallets/{wallet_id}
GET /api/v1/users/{user_id}/wallets
GET /api/v1/wallets/{wallet_id}/balance
POST /api/v1/wallets/{wallet_id}/deposit
POST /api/v1/wallets/{wallet_id}/withdraw
POST /api/v1/wallets/{wallet_id}/consume
POST /api/v1/wallets/{wallet_id}/transfer
POST /api/v1/wallets/{wallet_id}/reward
POST /api/v1/wallets/{wallet_id}/fee
POST /api/v1/wallets/{wallet_id}/adjust
POST /api/v1/transactions
POST /api/v1/transactions/{transaction_id}/refund
GET /api/v1/transactions/{transaction_id}
POST /api/v1/transactions/batch
GET /api/v1/wallets/{wallet_id}/transactions
GET /api/v1/users/{user_id}/transactions
GET /api/v1/wallets/{wallet_id}/statistics
GET /api/v1/wallets/{wallet_id}/limits
PUT /api/v1/wallets/{wallet_id}/limits
POST /api/v1/wallets/{wallet_id}/alerts
GET /api/v1/wallets/{wallet_id}/alerts
GET /api/v1/wallets/{wallet_id}/alerts/{alert_id}
PATCH /api/v1/wallets/{wallet_id}/alerts/{alert_id}
DELETE /api/v1/wallets/{wallet_id}/alerts/{alert_id}
GET /api/v1/wallets/{wallet_id}/burn-rate
POST /api/v1/meters
GET /api/v1/meters
GET /api/v1/meters/{meter}
POST /api/v1/rate-cards
GET /api/v1/rate-cards
GET /api/v1/rate-cards/{rate_card_id}
GET /api/v1/rate-cards/{rate_card_id}/versions/{version}
POST /api/v1/rate-cards/{rate_card_id}/versions
POST /api/v1/rate-cards/{rate_card_id}/end
POST /api/v1/usage
POST /api/v1/usage/batch
GET /api/v1/usage/{usage_id}
GET /api/v1/wallets/{wallet_id}/usage
GET /api/v1/wallets/{wallet_id}/usage/events
GET /api/v1/wallets/{wallet_id}/top-up-rule
PUT /api/v1/wallets/{wallet_id}/top-up-rule
DELETE /api/v1/wallets/{wallet_id}/top-up-rule
POST /api/v1/wallets/{wallet_id}/top-ups
GET /api/v1/wallets/{wallet_id}/top-ups
GET /api/v1/top-ups/{top_up_id}
POST /api/v1/payments/events
POST /api/v1/wallets/{wallet_id}/grants
GET /api/v1/wallets/{wallet_id}/grants
GET /api/v1/grants/{grant_id}
POST /api/v1/grants/{grant_id}/void
POST /api/v1/wallets/{wallet_id}/grant-schedules
GET /api/v1/wallets/{wallet_id}/grant-schedules
GET /api/v1/wallets/{wallet_id}/grant-schedules/{schedule_id}
PATCH /api/v1/wallets/{wallet_id}/grant-schedules/{schedule_id}
DELETE /api/v1/wallets/{wallet_id}/grant-schedules/{schedule_id}
POST /api/v1/wallets/{wallet_id}/holds
GET /api/v1/wallets/{wallet_id}/holds
GET /api/v1/holds/{hold_id}
POST /api/v1/holds/{hold_id}/capture
POST /api/v1/holds/{hold_id}/void
POST /api/v1/holds/{hold_id}/extend
POST /api/v1/holds/{hold_id}/increase
GET /api/v1/wallets/{wallet_id}/explain
GET /api/v1/billing/summary
GET /api/v1/users/{user_id}/statistics
GET /api/v1/users/{user_id}/credits/balance
POST /api/v1/users/{user_id}/credits/consume
GET /api/v1/ledger/trial-balance
GET /api/v1/currencies
POST /api/v1/wallets/import
POST /api/v1/files
GET /api/v1/files
GET /api/v1/files/{file_id}
GET /api/v1/files/{file_id}/content
DELETE /api/v1/files/{file_id}
POST /api/v1/webhooks
GET /api/v1/webhooks
GET /api/v1/webhooks/{endpoint_id}
PATCH /api/v1/webhooks/{endpoint_id}
DELETE /api/v1/webhooks/{endpoint_id}
POST /api/v1/webhooks/{endpoint_id}/rotate-secret
POST /api/v1/webhooks/{endpoint_id}/ping
GET /api/v1/webhooks/{endpoint_id}/deliveries
GET /api/v1/webhooks/{endpoint_id}/deliveries/{number}
POST /api/v1/webhooks/{endpoint_id}/replay
POST /api/v1/books
GET /api/v1/books
GET /api/v1/books/{book_id}
PATCH /api/v1/books/{book_id}
GET /api/v1/books/{book_id}/wallets
PUT /api/v1/books/{book_id}/wallets/{wallet_id}
GET /api/v1/categories
POST /api/v1/categories
GET /api/v1/categories/{label_id}
PATCH /api/v1/categories/{label_id}
DELETE /api/v1/categories/{label_id}
POST /api/v1/categories/{label_id}/merge
POST /api/v1/categories/{label_id}/unmerge
GET /api/v1/fx/rates
PUT /api/v1/fx/rates
POST /api/v1/fx/rates/refresh
GET /api/v1/fx/convert
POST /api/v1/fx/quotes
POST /api/v1/wallets/{wallet_id}/convert
GET /api/v1/budgets
POST /api/v1/budgets
GET /api/v1/budgets/progress
GET /api/v1/budgets/{budget_id}
PUT /api/v1/budgets/{budget_id}
DELETE /api/v1/budgets/{budget_id}
GET /api/v1/budgets/{budget_id}/details
GET /api/v1/payees
POST /api/v1/payees
GET /api/v1/payees/{label_id}
PATCH /api/v1/payees/{label_id}
DELETE /api/v1/payees/{label_id}
POST /api/v1/payees/{label_id}/merge
POST /api/v1/payees/{label_id}/unmerge
GET /api/v1/tags
POST /api/v1/tags
GET /api/v1/tags/{label_id}
PATCH /api/v1/tags/{label_id}
DELETE /api/v1/tags/{label_id}
POST /api/v1/tags/{label_id}/merge
POST /api/v1/tags/{label_id}/unmerge
GET /api/v1/parts
POST /api/v1/parts/bulk
GET /api/v1/wallets/{wallet_id}/entries/{wallet_version}/parts
PUT /api/v1/wallets/{wallet_id}/entries/{wallet_version}/parts
POST /api/v1/runs/{run_id}/undo
GET /api/v1/pairs
POST /api/v1/pairs
DELETE /api/v1/pairs/{pair_id}
POST /api/v1/quick-transactions
GET /api/v1/rules
POST /api/v1/rules
GET /api/v1/rules/{rule_id}
PUT /api/v1/rules/{rule_id}
DELETE /api/v1/rules/{rule_id}
POST /api/v1/rules/order
POST /api/v1/rules/test
POST /api/v1/rules/apply
POST /api/v1/wallets/import/jobs
GET /api/v1/events
GET /api/v1/events/stream
GET /api/v1/events/types
GET /api/v1/audit
GET /api/v1/jobs
GET /api/v1/jobs/{job_id}
POST /api/v1/jobs/{job_id}/retry
POST /api/v1/jobs/{job_id}/cancel
"""

OF_NO_OPERATION = {
    "not_found": "the path is none of the document's",
    "method_not_allowed": "the method is none of the document's",
    "internal_error": "a fault of the service, which no operation promises",
    "headers_too_large": "refused by the connection, before there is an operation",
    "uri_too_long": "refused by the connection, before there is an operation",
    "request_timeout": "refused by the connection, before there is an operation",
    "test_clock_missing": "the paths of the test clock are in no document",
}

BEYOND_A_SCHEMA = {
    "currency_unknown": "the currencies are data",
    "operator_unknown": "depends on the field",
    "value_invalid": "depends on the field and the operator",
    "pattern_invalid": "what RE2 accepts is no regular language",
    "percent_invalid": "a JSON number can't be limited to four decimals",
    "share_invalid": "compares members",
    "split_invalid": "adds up the shares",
    "rule_without_effect": "compares two members",
    "rule_too_slow": "depends on the entries of the book",
    "day_invalid": "compares two days; a day can be none of the calendar's, or be too early",
    "parts_unbalanced": "compares the parts with the entry",
    "part_amount_missing": "compares the parts",
    "change_ambiguous": "compares two members",
    "entries_repeated": "compares two changes",
    "wallet_named_twice": "compares two members",
    "entry_pending": "depends on what the book has read",
    "amount_invalid": "only a mirrored wallet opens below zero, and the keeping is another member",
    "amount_precision": "the decimals are the currency's",
    "same_wallet": "compares two members",
    "idempotency_key_conflict": "compares two members",
    "idempotency_key_reused": "depends on requests before",
    "insufficient_funds": "depends on the balance",
    "grants_not_usable": "depends on the grants in the balance",
    "version_mismatch": "depends on the wallet",
    "alert_not_own": "depends on the caller",
    "owner_invalid": "two members exclude each other, and which is needed depends on the caller",
    "forbidden": "depends on the caller",
    "unauthorized": "a signature depends on the body and on a secret",
    "call_missing": "compares two headers",
    "cursor_invalid": "a cursor is opaque",
    "destination_refused": "depends on the addresses of a name",
    "type_unknown": "the types of events are data",
    "replay_choice": "members exclude each other",
    "payer_choice": "members exclude each other",
    "group_repeated": "compares names within one text",
    "timestamp_invalid": "a date-time can be none of the calendar's, a leap second for one",
    "text_not_storable": "U+0000 and half surrogates, anywhere in metadata",
    "too_long": "metadata is limited by its bytes",
    "hold_end_ambiguous": "two members exclude each other",
    "hold_end_missing": "one of two members, and one that is null is as good as none",
    "end_invalid": "compares two members",
    "items_exceed": "compares members",
    "ids_repeated": "compares members of items",
    "tiers_invalid": "compares numbers of a list",
    "cap_invalid": "depends on another member",
    "adjustment_ambiguous": "two members exclude each other, and a member that is null is as good as none",
    "threshold_invalid": "two members exclude each other",
    "price_ambiguous": "two members exclude each other",
    "amount_missing": "one of two members, and one that is null is as good as none",
    "validation_failed": "time zones are data; the moments of a question compare with each other and with the clock, "
    "and so do "
    "those of a grant and of a hold; the members of a limit with its period, those of a schedule with its rollover, and "
    "those of a rule for top-ups with each other",
}
"""Why a request that agrees with the document can be refused, other than by 404 or 409."""

LINES_ARE_TEXT = "POST /api/v1/wallets/import"
"""To a schema its body is text, of which any is as good as another."""

LONGEST_BATCH_KEY = 251
"""A batch adds to the key; the header is described once for all paths."""


def test_every_promised_path_is_there_and_no_other() -> None:
    assert OPERATIONS.keys() == set(PROMISED.strip().splitlines())


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1
    if name not in OPEN | SIGNED:
        assert {"401", "403", "422", "503"} <= operation["responses"].keys()
        assert operation["security"] == [{"bearer": []}]
    for status, response in operation["responses"].items():
        media_types = set(response.get("content", ()))
        assert bool(media_types) == (status != "204")
        if int(status) >= 400:
            assert media_types == {"application/problem+json"}


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


def _examples(node: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Place, schema and example, wherever the document has both."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return
    if "schema" in node:  # a parameter, or the content of a body
        named = {name: example["value"] for name, example in (node.get("examples") or {}).items()}
        given = named | ({"": node["example"]} if "example" in node else {})
        yield from ((f"{place}/{name}", node["schema"], example) for name, example in given.items())
    elif isinstance(node.get("examples"), list):  # a schema
        schema = {name: value for name, value in node.items() if name != "examples"}
        yield from ((f"{place}/{number}", schema, each) for number, each in enumerate(node["examples"]))
    for name, item in node.items():
        if name not in ("example", "examples"):
            yield from _examples(item, f"{place}/{name}")


def test_every_example_is_valid() -> None:
    checked = 0
    for place, schema, example in _examples(DOCUMENT):
        whole = {**schema, "components": DOCUMENT["components"]}
        faults = [error.message for error in jsonschema_rs.validator_for(whole).iter_errors(example)]
        assert not faults, (place, faults)
        checked += 1
    assert checked > 200


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_a_request_or_answer_has_an_example(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    used = json.dumps(DOCUMENT["paths"]).count(f'"#/components/schemas/{name}"')
    if used and name != "Problem":  # whose examples are those of each response
        assert schema.get("examples"), name


def test_every_code_is_documented() -> None:
    assert set(DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == set(ERRORS)
    documented = {
        code
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
        for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert documented == ERRORS.keys() - OF_NO_OPERATION.keys()
    page = (Path(__file__).parents[1] / "docs" / "api.md").read_text()
    assert [code for code in ERRORS if f"`{code}`" not in page] == []


def test_every_problem_has_one_example_to_which_operations_refer() -> None:
    examples = {
        name: example
        for name, example in SERVED["components"]["examples"].items()
        if "." not in name  # those are of responses: operation and example
    }
    assert {code: example["value"]["code"] for code, example in examples.items()} == {
        code: code for code in ERRORS if code not in OF_NO_OPERATION
    }
    for code, example in examples.items():
        assert example["summary"] == ERRORS[code].title
        assert ERRORS[code].example_facts.items() <= example["value"].items()
    referenced = json.dumps(SERVED)
    assert "urn:wallet:problem:" not in json.dumps(SERVED["paths"])
    assert all(f'"#/components/examples/{code}"' in referenced for code in examples)


def test_every_component_is_used_and_every_reference_names_one() -> None:
    references = set(re.findall(r'"#/components/(\w+)/([\w.-]+)"', json.dumps(SERVED)))
    there = {
        (kind, name)
        for kind, parts in SERVED["components"].items()
        if kind != "securitySchemes"
        for name in parts
    }
    assert references == there


async def test_the_docs_are_served_without_the_internet(direct_api: Api) -> None:
    page = await direct_api.http.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(r"(?:https?:)?//[\w.]", page.text.replace("window.location.origin", "")), page.text
    assets = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert "/openapi.json" in assets
    assert len(assets) >= 4
    for asset in assets:
        answer = await direct_api.http.get(asset)
        assert answer.status_code == 200, asset
        assert len(answer.content) > 100
        if asset.endswith(".css"):
            assert not re.search(r"url\(['\"]?https?:|@import", answer.text)


@pytest.fixture
async def unlimited(service_dsn: str) -> AsyncIterator[Api]:
    """An application that takes more requests without a key than one address may send."""
    async with open_api(service_dsn, rate_limit_address_tokens=0) as opened:
        yield opened


@pytest.mark.parametrize("name", OPERATIONS)
async def test_only_open_paths_respond_without_credentials(unlimited: Api, name: str) -> None:
    method, path = name.split(" ")
    path = path.format_map(defaultdict(lambda: "x", wallet_id=secrets.token_hex(4), user_id="ann"))
    for body in (None, b"{}", b"not json"):
        headers = {} if body is None else {"Content-Type": "application/json"}
        answer = await unlimited.http.request(method, path, content=body, headers=headers)
        if name in OPEN:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"


# What schemathesis makes of it


@schemathesis.serializer("application/x-ndjson", "application/octet-stream")
def _bytes(context: schemathesis.SerializationContext, value: Any) -> bytes:
    del context
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


CONFIG: dict[str, Any] = {
    # Each request has credentials: without them only 401 is answered, which is shown above.
    "generation": {"deterministic": True, "with-security-parameters": False},
    "checks": {
        # Stands below, stricter: by code, where this one goes by status.
        "positive_data_acceptance": {"enabled": False},
        # Needs links between operations that create and delete things. This document has none.
        "use_after_free": {"enabled": False},
        "ensure_resource_availability": {"enabled": False},
        # Needs the credentials of two users at once; tests/platform and the rooms' tests show it.
        "object_level_authorization": {"enabled": False},
    },
    "operations": [
        # Each operation of a batch, and each line of an import, is refused in its own place: the status is 200.
        {
            "include-path": ["/api/v1/transactions/batch", "/api/v1/wallets/import", "/api/v1/usage/batch"],
            "checks": {
                "negative_data_rejection": {"enabled": False},
                # To GET these is to ask for a transaction or a wallet of this name: 422, it is no UUID.
                "unsupported_method": {"enabled": False},
                "allow_header_conformance": {"enabled": False},
            },
        },
        {
            # To DELETE these is to delete a rule or a budget of this name: 422, it is no UUID.
            "include-path": [
                *(f"/api/v1/rules/{verb}" for verb in ("order", "test", "apply")),
                "/api/v1/budgets/progress",
            ],
            "checks": {
                "unsupported_method": {"enabled": False},
                "allow_header_conformance": {"enabled": False},
            },
        },
    ],
}


@dataclass(frozen=True)
class Contract:
    """The application as schemathesis sees it, and things that are there.

    Attributes:
        ids: of things, by their parameter in a path; ``PATCH wallet_id`` is for that method,
            ``tags label_id`` for paths that begin so.
    """

    schema: Any
    token: str
    ids: Mapping[str, Any]
    modes: tuple[schemathesis.GenerationMode, ...]

    def place(self, case: schemathesis.Case) -> None:
        """Put ids of things that are there into a request, so that it gets further than a 404."""
        first = "".join(case.operation.path.split("/")[3:4])
        for name in case.path_parameters or {}:
            named = (f"{case.method} {name}", f"{first} {name}", name)
            case.path_parameters[name] = next(self.ids[each] for each in named if each in self.ids)
        if isinstance(case.body, dict) and "to_wallet_id" in case.body:
            case.body["to_wallet_id"] = self.ids["other"]


@pytest.fixture(scope="module")
async def contract(driver: str, postgres: Any) -> AsyncIterator[Contract]:
    database = f"contract_{secrets.token_hex(8)}"
    await create_database(postgres.cluster, database)
    # Requests that disagree with the document are refused before the driver is used: one driver shows it.
    modes = (
        tuple(schemathesis.GenerationMode)
        if driver == "postgres"
        else (schemathesis.GenerationMode.POSITIVE,)
    )
    async with open_location(driver, postgres.cluster, database) as place:
        yield await _contract(place, modes)
        shutdown_lifespans()
    await drop_database(postgres.cluster, database)


async def _contract(place: DatabaseLocation, modes: tuple[schemathesis.GenerationMode, ...]) -> Contract:
    keys = generate_key()
    async with open_api(place, credential_keys=keys) as api:
        ann = api.user("ann")
        ids = await _things(api, ann)
        token = ann._headers["Authorization"]
    # It sends more requests without a key than one address may.
    app = make_app(place, rate_limit_address_tokens=0, credential_keys=keys)
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", app, config=schemathesis.Config.from_dict(CONFIG)
    )
    return Contract(schema, token, ids, modes)


async def _things(api: Api, ann: Client) -> dict[str, Any]:
    """Things that are there: those that are changed or deleted are others than those that are read."""
    main, other, changing, closing = [
        (await api.admin.wallet(balance, user_id="ann", name=name))["wallet_id"]
        for name, balance in (("main", "1000000"), ("other", "10"), ("changing", "10"), ("closing", None))
    ]
    ids: dict[str, Any] = {"wallet_id": main, "other": other, "user_id": "ann", "number": 1}
    ids |= {"PATCH wallet_id": changing, "DELETE wallet_id": closing}

    async def made(name: str, path: str, body: Any, caller: Client = api.admin) -> None:
        answer = await caller.send("POST", path, body)
        assert answer.is_success, answer.text
        ids[name] = answer.json()[name.rsplit(" ", maxsplit=1)[-1]]

    await made("transaction_id", f"/wallets/{main}/consume", {"amount": "1000"})
    for method in ("", "DELETE "):
        await made(f"{method}file_id", "/files?name=a", b"{}")
        await made(f"{method}endpoint_id", "/webhooks", {"url": "https://hooks.example.com/"})
    far = datetime(2999, 1, 1, tzinfo=UTC)
    ids["job_id"] = json.loads(await api.app.state.jobs.enqueue("delete_finished_jobs", due_at=far))["job_id"]
    given = {"amount": "1", "source": "promotion"}
    await made("grant_id", f"/wallets/{main}/grants", given)
    await made("book_id", "/books", {"user_id": "ann", "base_currency": "EUR"})
    categories = (await api.admin.get("/categories", user_id="ann")).json()["items"]
    ids["categories label_id"] = categories[-1]["label_id"]
    for several in ("payees", "tags"):
        await made(f"{several} label_id", f"/{several}", {"user_id": "ann", "name": "one"})
    ids["wallet_version"] = 1
    rule = {"conditions": [{"field": "note", "op": "is", "value": "x"}], "stop": True}
    await made("rule_id", "/rules", {"user_id": "ann", "name": "one"} | rule)
    part = {"parts": [{"note": "seen"}]}
    answer = await api.admin.send("PUT", f"/wallets/{main}/entries/1/parts", part)
    assert answer.is_success, answer.text
    ids["run_id"], ids["pair_id"] = answer.json()["run_id"], "0199d0a8-0000-7000-8000-00000000f001"
    budget = {"user_id": "ann", "name": "one", "amount": "1", "period": "monthly", "start_date": "2026-01-01"}
    for method in ("", "PUT ", "DELETE "):
        await made(f"{method}budget_id", "/budgets", budget)
    await made("hold_id", f"/wallets/{main}/holds", {"amount": "1"})
    await made("top_up_id", f"/wallets/{main}/top-ups", {"amount": "1", "payment_method": "pm-1"})
    await made("meter", "/meters", {"meter": "tokens", "dimensions": ["model"]})
    prices = [{"model": "per_unit", "unit_price": "1"}]
    await made("rate_card_id", "/rate-cards", {"meter": "tokens", "currency": "CREDIT", "prices": prices})
    ids["version"] = 1
    event = {"event_id": "1", "meter": "tokens", "wallet_id": main, "quantity": "1"}
    await made("usage_id", "/usage", event)
    monthly = {"amount": "1", "source": "plan", "day_of_month": 31}
    for method, wallet in (("", main), ("PATCH ", changing), ("DELETE ", closing)):
        await made(f"{method}alert_id", f"/wallets/{wallet}/alerts", {"amount": "1"}, ann)
        await made(f"{method}schedule_id", f"/wallets/{wallet}/grant-schedules", monthly)
    return ids


def agrees(case: schemathesis.Case, authorization: str) -> None:
    """Send the request, and judge the answer by the document."""
    answer = case.call_and_validate(headers={"Authorization": authorization})
    assert case.meta is not None
    label = case.operation.label
    if case.meta.generation.mode.is_negative or answer.status_code in (200, 201, 202, 204, 404, 409):
        return
    problem = answer.json()
    codes = {problem["code"]}
    if codes == {"validation_failed"} and label != LINES_ARE_TEXT:
        codes = {error["code"] for error in problem["errors"]}
    if label.endswith("/batch") and len((case.headers or {}).get("Idempotency-Key", "")) > LONGEST_BATCH_KEY:
        codes -= {"string_too_long"}
    assert codes <= BEYOND_A_SCHEMA.keys(), (problem, case.as_curl_command())


def fuzzed(operation: Any, mode: schemathesis.GenerationMode, examples: int, check: Any) -> None:
    """Make so many random requests that agree with the document, or that don't."""

    @search(examples)
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case) -> None:
        check(case)

    run()


def _operation(contract: Contract, name: str) -> Any:
    method, path = name.split(" ")
    return contract.schema[path][method]


def _can_be_wrong(operation: Any) -> bool:
    return any(True for _ in operation.iter_parameters()) or bool(operation.body)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_boundary(contract: Contract, name: str) -> None:
    operation = _operation(contract, name)
    checked = 0
    for case in contract.schema.iter_coverage_cases(
        operation,
        generation_modes=list(contract.modes),
        generation_config=contract.schema.config.generation,
    ):
        agrees(case, f"Bearer {ADMIN_KEY}")
        checked += 1
    assert checked > (5 if schemathesis.GenerationMode.NEGATIVE in contract.modes else 0)


# The boundaries show that the drivers agree.
@pytest.mark.soak
@pytest.mark.parametrize("driver", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_operator(contract: Contract, name: str) -> None:
    operation = _operation(contract, name)

    def right(case: schemathesis.Case) -> None:
        contract.place(case)
        agrees(case, f"Bearer {ADMIN_KEY}")

    fuzzed(operation, schemathesis.GenerationMode.POSITIVE, 10, right)
    if _can_be_wrong(operation):
        wrong = schemathesis.GenerationMode.NEGATIVE
        fuzzed(operation, wrong, 10, lambda case: agrees(case, f"Bearer {ADMIN_KEY}"))


# The caller is authenticated before the driver is used.
@pytest.mark.soak
@pytest.mark.parametrize("driver", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", CLOSED)
def test_a_user(contract: Contract, name: str) -> None:
    def own(case: schemathesis.Case) -> None:
        contract.place(case)
        agrees(case, contract.token)

    fuzzed(_operation(contract, name), schemathesis.GenerationMode.POSITIVE, 5, own)
