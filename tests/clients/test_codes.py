"""The codes of refusals are the same in the service, its document, both clients and FakeWallet."""

import json
import re
from pathlib import Path

from support.problems import ERRORS
from wallet_client import _retries
from wallet_client._problems import BY_CODE
from wallet_client.testing.problems import STATUSES

ROOT = Path(__file__).parents[2]
SQL = sorted((ROOT / "wallet_service").rglob("*.sql"))
TYPESCRIPT = ROOT / "clients" / "typescript" / "src"

NOT_OF_THE_LEDGER_ALONE = {
    "amount_invalid": "said of the request's form as well",
    "validation_failed": "said of the request's form as well",
    "forbidden": "said of the scopes as well",
    "user_unknown": "said by the account service as well",
    "batch_aborted": "said beside the refusal that is the answer's",
    "credit_limit_in_use": "of a change, which has no key",
    "version_mismatch": "of a change, which has no key",
    "wallet_not_empty": "of a closing, which has no key",
    "wallet_busy": "temporary",
    "test_clock_missing": "of the test clock, which moves no money",
    "cursor_expired": "of a read, which moves no money",
    "file_not_found": "of an upload that was given up, whose earlier attempt may still be stored",
    "file_incomplete": "of what arrived in one attempt",
    "job_not_found": "of jobs; what they move has keys of its own",
    "job_status": "of a job's status, which has no key",
    "meter_not_found": "said by reads, and of the search for a user's wallet, as well",
    "price_not_found": "said of the search for a user's wallet as well",
    "meter_exists": "of meters and rate cards, which move no money",
    "rate_card_not_found": "of meters and rate cards, which move no money",
    "rate_card_overlap": "of meters and rate cards, which move no money",
    "rate_card_ended": "of meters and rate cards, which move no money",
    "rate_version_overlap": "of meters and rate cards, which move no money",
    "rate_version_limit": "of meters and rate cards, which move no money",
    "usage_not_found": "of a read, which moves no money",
    "top_up_not_found": "of a read, which moves no money",
    "top_up_rule_not_found": "of a change, which has no key",
    "webhook_not_found": "of webhooks, which move no money",
    "delivery_not_found": "of webhooks, which move no money",
    "grant_schedule_not_found": "of a schedule, whose changes have no key",
    "grant_schedule_limit": "an earlier attempt may be what is one too many",
    "webhook_limit": "an earlier attempt may be what is one too many",
    "book_not_found": "said before the key is checked",
    **dict.fromkeys(
        ("label_cycle", "label_fixed", "label_in_use", "label_merged"), "of a change, which has no key"
    ),
    **dict.fromkeys(("entry_not_found", "pair_exists", "pair_not_found"), "of a change, which has no key"),
    "run_not_found": "of a change, which has no key",
    "entry_pending": "temporary",
    "budget_not_found": "of a change, which has no key",
    **dict.fromkeys(("rule_not_found", "rules_changed"), "of a change, which has no key"),
    "rule_limit": "an earlier attempt may be what is one too many",
    "file_quota_exceeded": "an earlier attempt may be what uses the quota",
}
"""What the SQL functions say too, and what tells nothing of an earlier try under the same key."""


def typescript_set(name: str) -> set[str]:
    """The codes of a set in the TypeScript client."""
    (inner,) = re.findall(
        rf"const {name} = new Set<ProblemCode>\(\[(.*?)\]\);",
        "".join((TYPESCRIPT / file).read_text() for file in ("errors.ts", "retry.ts")),
        re.DOTALL,
    )
    return set(re.findall(r'"(\w+)"', inner))


def said_by_the_database() -> set[str]:
    """The codes that SQL functions name."""
    assert SQL
    return {
        code for text in map(Path.read_text, SQL) for code in re.findall(r"'(\w+)'", text)
    } & ERRORS.keys()


def test_all_know_the_same_codes_and_say_the_same_of_them() -> None:
    document = json.loads((ROOT / "openapi.json").read_text())
    documented = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    (typed,) = re.findall(
        r'^ +code: ((?:"\w+"(?: \| )?)+);$', (TYPESCRIPT.parent / "schema.d.ts").read_text(), re.MULTILINE
    )

    assert set(documented) == ERRORS.keys()
    assert set(re.findall(r'"(\w+)"', typed)) == ERRORS.keys()
    assert BY_CODE.keys() == ERRORS.keys()
    assert {code: error.status for code, error in ERRORS.items()} == STATUSES


def test_both_clients_take_the_same_refusals_for_the_ledgers() -> None:
    """Of these, an earlier try without an answer was not done until then; a new one is decided on here first."""
    ledgers = said_by_the_database() - NOT_OF_THE_LEDGER_ALONE.keys()

    assert ledgers | NOT_OF_THE_LEDGER_ALONE.keys() == said_by_the_database()
    assert ledgers == _retries.OF_THE_LEDGER
    assert typescript_set("OF_THE_LEDGER") == ledgers


def test_both_clients_take_the_same_refusals_for_those_of_an_attempt_that_did_nothing() -> None:
    nothing_done = {error.code for error in _retries.NOTHING_DONE}

    assert typescript_set("NOTHING_DONE") == nothing_done
    assert all(ERRORS[code].retryable for code in nothing_done)
