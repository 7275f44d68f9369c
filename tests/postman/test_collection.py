"""The collection follows the document, and hangs together."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from contract.document import committed, text
from contract.postman.cases import Operation, operations
from contract.postman.collection import COLLECTION, collection
from contract.postman.scripts import every_response
from contract.postman.written import FOLDER, WrittenError, written

DOCUMENT = committed()
OPERATIONS = operations(DOCUMENT)
LARGEST_REQUEST = 8_000
"""In bytes, as the committed file has it."""
MADE: dict[str, Any] = json.loads(COLLECTION.read_text(encoding="utf-8"))
ENVIRONMENTS = sorted(FOLDER.glob("*.postman_environment.json"))

NOT_FROM_OUTSIDE = {
    "top_up_under_way": "needs a payment service that has not answered yet",
    "batch_aborted": "the code of an operation within an answer, not of an answer",
    "headers_too_large": "needs headers that no collection sends",
    "test_clock_missing": "needs the setting of a developer",
    "job_status": "needs a job that a worker is running or has done",
    "uri_too_long": "needs a path that no collection sends",
    "request_timeout": "needs a caller that stops in the middle",
    "cursor_expired": "needs events that are older than they are kept",
    "file_quota_exceeded": "needs a quota that is used up",
    "internal_error": "a fault of the service",
    "upstream_unavailable": "needs another service that does not answer",
    "organization_unknown": "needs the organization service",
    "overloaded": "needs more load than a collection makes",
    "rate_limited": "needs a limit that is set",
    "transaction_superseded": "needs two tries at the same moment",
    "unavailable": "needs a database that is away",
    "user_unknown": "needs the account service",
    "vault_unavailable": "needs a service without a key",
    "webhook_limit": "needs as many endpoints as there may be",
    "alert_limit": "needs as many alerts as there may be",
    "alert_not_own": "needs an owner's token beside the operator's key",
    "grant_limit": "needs as many grants as there may be",
    "grant_schedule_limit": "needs as many schedules as there may be",
    "grants_not_usable": "needs a balance that is in grants for something else",
    "budget_limit": "needs as many budgets as there may be",
    "hold_limit": "needs as many open holds as there may be",
    "rate_card_ended": "needs a rate card that has ended some time ago",
    "rate_version_limit": "needs as many versions as there may be",
    "label_depth": "needs six levels of labels",
    "rate_stale": "needs money that is converted, and a rate of some days ago",
    "quote_expired": "needs a minute",
    "conversion_off": "needs operating wallets of two currencies",
    "entry_pending": "needs a book that misses thousands of entries",
    "rule_limit": "needs a thousand rules",
    "wallet_busy": "needs somebody who holds the wallet",
}


def requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """In the order in which they run."""
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield item


def scripts(item: dict[str, Any], listen: str) -> str:
    return "\n".join(
        line for event in item["event"] if event["listen"] == listen for line in event["script"]["exec"]
    )


def expected(item: dict[str, Any]) -> str:
    """The status that the request expects, and the code of a problem or ``replayed``."""
    (found,) = re.findall(
        r'^pm\.variables\.set\("expected", "(.+)"\);$', scripts(item, "prerequest"), re.MULTILINE
    )
    return found


def operation_of(item: dict[str, Any]) -> Operation:
    path = "/" + "/".join(item["request"]["url"]["path"])
    return OPERATIONS[f"{item['request']['method']} " + re.sub(r":(\w+)", r"{\1}", path)]


def test_the_committed_collection_is_made_of_the_committed_document() -> None:
    assert COLLECTION.read_text(encoding="utf-8") == text(collection(DOCUMENT)), "scripts/openapi writes it"


def test_every_operation_is_done_right_and_no_path_is_made_up() -> None:
    done = {operation_of(item).name for item in requests(MADE["item"]) if expected(item).startswith("2")}
    # A stream does not end, so the collection shows only its refusals.
    streams = {name for name, each in OPERATIONS.items() if set(each.responses) == {"text/event-stream"}}
    assert streams == {"GET /api/v1/events/stream"}
    # Nor can it sign a notice.
    signed = {name for name, each in OPERATIONS.items() if each.parameter("webhook-signature")}
    assert signed == {"POST /api/v1/payments/events"}
    # A quote needs a rate of these days, and the days of requests are fixed.
    assert done == OPERATIONS.keys() - streams - signed - {"POST /api/v1/fx/quotes"}


def test_every_refusal_that_can_be_brought_about_is_there() -> None:
    codes = set(DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    shown = {expected(item).partition(" ")[2] for item in requests(MADE["item"])}
    assert codes - shown == NOT_FROM_OUTSIDE.keys()


def test_every_request_expects_something_and_is_described() -> None:
    ids: set[str] = set()
    for item in requests(MADE["item"]):
        assert re.fullmatch(r"2\d\d( replayed)?|4\d\d [a-z_]+", expected(item)), item["name"]
        assert item["request"]["description"], item["name"]
        ids.add(item["id"])
    assert len(ids) == len(list(requests(MADE["item"])))
    assert len(ids) > 250


def test_a_request_is_small_and_has_only_what_is_its_own() -> None:
    lines = Counter[str]()
    for item in requests(MADE["item"]):
        assert len(text(item).encode()) <= LARGEST_REQUEST, item["name"]
        assert scripts(item, "prerequest").count("\n") < 10, item["name"]
        lines.update(set(re.findall(r"pm\.test\(.*", scripts(item, "test"))))
    repeated = {line: count for line, count in lines.items() if count > 4}
    assert not repeated, "a check that many requests repeat belongs in the collection's script"


def test_every_operation_with_a_key_is_replayed() -> None:
    replayed = {
        operation_of(item).name
        for item in requests(MADE["item"])
        if item["name"] == "Again with the same key" and expected(item).endswith(" replayed")
    }
    assert replayed == {each.name for each in OPERATIONS.values() if each.parameter("Idempotency-Key")}


def test_nothing_depends_on_how_fast_it_is() -> None:
    assert "responseTime" not in json.dumps(MADE)


def test_no_key_is_to_be_set_in_the_collection() -> None:
    for variable in MADE["variable"]:
        if variable["key"].endswith("_key") and variable["key"] != "idempotency_key":
            assert (variable["value"], "environment" in variable["description"]) == (
                "",
                variable["key"] != "wrong_key",
            )
    assert "no key in the variables of the collection" in MADE["info"]["description"]


def test_a_folder_needs_nothing_of_another() -> None:
    given = {
        variable["key"]
        for variable in MADE["variable"]
        if variable["key"] in ("base_url", "api_key", "read_only_key")
    }
    flows = MADE["item"][-1]["item"]
    for folder in [*MADE["item"][:-1], *flows]:
        known = set(given)
        for item in requests(folder["item"]):
            known |= set(re.findall(r'ariables\.set\("(\w+)"', scripts(item, "prerequest")))
            wanted = set(re.findall(r"\{\{(\w+)\}\}", json.dumps(item["request"])))
            assert wanted <= known, f"{folder['name']}/{item['name']} lacks {wanted - known}"
            known |= set(re.findall(r'ariables\.set\("(\w+)"', scripts(item, "test")))


def test_the_folders_are_those_that_testers_know() -> None:
    assert [folder["name"] for folder in MADE["item"]] == [
        "Health",
        "Wallets",
        "Transactions",
        "Files",
        "Events",
        "Jobs",
        "Webhooks",
        "Limits",
        "Alerts",
        "Grants",
        "Holds",
        "Rates",
        "Usage",
        "Top-ups",
        "Billing",
        "Books",
        "Exchange",
        "Categories",
        "Payees",
        "Tags",
        "Parts",
        "Rules",
        "Budgets",
        "History",
        "Statistics",
        "Ledger",
        "Credits (older clients)",
        "Imports",
        "Audit",
        "Flows",
    ]


def test_amounts_that_are_sent_are_text() -> None:
    bodies = "\n".join(each["request"].get("body", {}).get("raw", "") for each in requests(MADE["item"]))
    amounts = re.findall(r'"(?:amount|initial_balance|credit_limit)": (\S)', bodies)
    assert len(amounts) > 100
    assert amounts.count("1") == 1  # the request that shows how a number is read
    assert set(amounts) == {'"', "1"}


def test_an_operation_of_a_new_part_gets_a_folder() -> None:
    document = committed()
    described = document["paths"]["/api/v1/currencies"]["get"] | {
        "tags": ["baskets"],
        "summary": "List the baskets",
    }
    document["paths"]["/api/v1/baskets"] = {"get": described}
    folder = next(each for each in collection(document)["item"] if each["name"] == "Baskets")
    assert [each["name"] for each in requests(folder["item"])] == ["List the baskets", "401 Without a key"]


@pytest.mark.parametrize(
    ("request_written", "said"),
    [
        (
            {"name": "A basket", "operation": "POST /api/v1/baskets", "expect": 201},
            "A basket: the document has no POST",
        ),
        ({"name": "Health", "operation": "GET /health"}, "Health: the expected response is missing"),
        ({"name": "Health", "operation": "GET /health", "expects": 200}, "Health: unknown members: expects"),
    ],
)
def test_what_is_written_wrong_is_said(request_written: dict[str, Any], said: str) -> None:
    with pytest.raises(WrittenError, match=re.escape(said)):
        written(request_written, OPERATIONS)


def test_checks_of_a_schema_that_no_operation_responds_with_are_refused() -> None:
    with pytest.raises(WrittenError, match="no operation responds with Basket"):
        every_response(DOCUMENT, OPERATIONS, {"Basket": 'pm.test("It is full", () => {});'})


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_has_what_the_collection_asks_for(path: Any) -> None:
    values = {each["key"]: each for each in json.loads(path.read_text(encoding="utf-8"))["values"]}
    assert values.keys() == {"base_url", "api_key", "read_only_key"}
    assert values["base_url"]["value"] == "http://127.0.0.1:8208"
    for name in ("api_key", "read_only_key"):
        assert (values[name]["type"], values[name]["value"]) == ("secret", "")
