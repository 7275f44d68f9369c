import json

import pytest

from wallet_service.core.errors import InternalError
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.outcomes import Busy, Outcome, Posted, Refused, read_outcomes
from wallet_service.ledger.problems import InsufficientFunds

WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


def read_one(line: bytes) -> Outcome | Busy:
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


@pytest.mark.parametrize("held", [f'"{WALLET}"', "null"])
def test_busy_says_what_is_held(held: str) -> None:
    outcome = read_one(f'{{"status":"busy","wallet_id":{held}}}'.encode())
    assert outcome == Busy(json.loads(held))


def test_an_unknown_code_is_a_fault_of_ours() -> None:
    outcome = read_one(b'{"status":"refused","code":"no_such_code","facts":{}}')
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, InternalError)


def test_the_outcomes_of_all_units_are_in_order() -> None:
    busy = b'\n{"status":"busy","wallet_id":null}\n'
    answer = b"[[" + busy + b',\n{"status":"posted","transaction":{}}\n],\n[' + busy + b"]]"
    assert [type(outcome) for outcome in read_outcomes(answer)] == [Busy, Posted, Busy]


def test_no_units_have_no_outcomes() -> None:
    assert read_outcomes(b"[]") == []
