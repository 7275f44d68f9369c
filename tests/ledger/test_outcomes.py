import pytest

from wallet_service.errors import InsufficientFunds, InternalError, WalletBusy
from wallet_service.identifiers import new_id
from wallet_service.ledger.outcomes import Outcome, Posted, Refused, read_outcomes


def read_one(line: bytes) -> Outcome:
    (outcome,) = read_outcomes(b"[[\n" + line + b"\n]]")
    return outcome


@pytest.mark.parametrize(
    ("status", "replayed", "dry_run"),
    [("posted", False, False), ("replayed", True, False), ("dry_run", False, True)],
)
def test_what_was_posted_keeps_its_bytes(status: str, replayed: bool, dry_run: bool) -> None:
    transaction_id = new_id()
    body = f'{{"transaction_id":"{transaction_id}","metadata":{{"n": 1.10}}}}'.encode()
    outcome = read_one(b'{"status":"' + status.encode() + b'","transaction":' + body + b"}")
    assert outcome == Posted(body, replayed=replayed, dry_run=dry_run)
    assert isinstance(outcome, Posted)
    assert outcome.transaction_id == transaction_id


def test_what_was_refused_has_its_code_and_facts() -> None:
    outcome = read_one(
        b'{"status" : "refused", "code" : "insufficient_funds", "facts" : {"shortfall": "2.50"}}'
    )
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, InsufficientFunds)
    assert outcome.error.facts == {"shortfall": "2.50"}


def test_busy_can_be_tried_again() -> None:
    outcome = read_one(b'{"status":"busy"}')
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, WalletBusy)


def test_an_unknown_code_is_a_fault_of_ours() -> None:
    outcome = read_one(b'{"status":"refused","code":"no_such_code","facts":{}}')
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, InternalError)


def test_the_outcomes_of_all_units_are_in_order() -> None:
    answer = b'[[\n{"status":"busy"}\n,\n{"status":"posted","transaction":{}}\n],\n[\n{"status":"busy"}\n]]'
    assert [type(outcome) for outcome in read_outcomes(answer)] == [Refused, Posted, Refused]


def test_no_units_have_no_outcomes() -> None:
    assert read_outcomes(b"[]") == []
