"""Types of operations that a room of its own declares: no code names them."""

import json
from collections.abc import Sequence

import pytest

from wallet_service.core.identifiers import new_id
from wallet_service.core.room import Moved, OperationType
from wallet_service.ledger.operation_types import LEDGER_TYPES
from wallet_service.ledger.operations import Operation
from wallet_service.ledger.outcomes import Posted
from wallet_service.money.transactions.hooks import PostingHooks, RequestMembers

CAPTURE = OperationType(
    name="capture",
    summary="a hold is paid",
    permission="usage:write",
    form="movement",
    direction="debit",
    counter_account="revenue:usage",
)
WALLET, OTHER = new_id(), new_id()


@pytest.mark.parametrize(
    ("operation", "moved"),
    [
        (
            Operation(type="capture", client_id="c", wallet_id=WALLET, amount="1"),
            [Moved(WALLET, is_debit=True)],
        ),
        (
            Operation(type="deposit", client_id="c", wallet_id=WALLET, amount="1"),
            [Moved(WALLET, is_debit=False)],
        ),
        (
            Operation(type="transfer", client_id="c", wallet_id=WALLET, to_wallet_id=OTHER, amount="1"),
            [Moved(WALLET, is_debit=True), Moved(OTHER, is_debit=False)],
        ),
    ],
)
def test_rooms_learn_the_direction_from_the_declaration(operation: Operation, moved: Sequence[Moved]) -> None:
    found: list[Moved] = []
    types = {each.name: each for each in (*LEDGER_TYPES, CAPTURE)}
    hooks = PostingHooks(
        None, types, {}, {}, {}, [], [lambda _, entries: found.extend(entries)], RequestMembers([])
    )
    transaction = json.dumps({"transaction_id": operation.transaction_id, "wallet_id": WALLET}).encode()
    hooks.report([operation], [Posted(transaction, replayed=False, dry_run=False)])
    assert found == moved
