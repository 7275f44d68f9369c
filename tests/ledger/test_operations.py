from typing import Any

import pytest

from wallet_service.ledger.operations import Operation, Owner, Unit


def test_an_operation_is_named_when_it_is_made() -> None:
    one, two = [Operation(type="deposit", client_id="billing") for _ in range(2)]
    assert one.transaction_id != two.transaction_id
    assert one.document() == one.document()


def test_what_is_not_given_is_not_sent() -> None:
    operation = Operation(type="consume", client_id="billing", amount="1", details={"reference": "r"})
    assert operation.document() == {
        "transaction_id": operation.transaction_id,
        "type": "consume",
        "client_id": "billing",
        "amount": "1",
        "reference": "r",
    }


def test_the_user_and_the_key_are_sent() -> None:
    operation = Operation(type="consume", client_id="user:|u", acting_user_id="u", idempotency_key="k")
    document = operation.document()
    assert (document["acting_user_id"], document["idempotency_key"]) == ("u", "k")


def test_an_owner_is_sent_in_place_of_a_wallet() -> None:
    operation = Operation(type="consume", client_id="billing", owner=Owner("ada", "CREDIT"), amount="1")
    assert operation.document() == {
        "transaction_id": operation.transaction_id,
        "type": "consume",
        "client_id": "billing",
        "amount": "1",
        "user_id": "ada",
        "currency": "CREDIT",
    }
    assert list(operation.lockables()) == [operation.key()]


def test_a_lane_is_chosen_by_the_first_wallet_the_refunded_transaction_or_the_owner() -> None:
    named = {"wallet_id": "w", "to_wallet_id": "t"}
    assert Operation(type="transfer", client_id="billing", **named).place() == "w"
    assert Operation(type="refund", client_id="billing", original_transaction_id="o").place() == "o"
    owner = Owner("ada", "CREDIT")
    assert Operation(type="consume", client_id="billing", owner=owner).place() == "ada"


@pytest.mark.parametrize(
    ("attempt", "sent_before", "sending", "order"),
    [
        (1, 0, 1, {"resent": False}),
        (1, 0, 2, {"resent": True, "attempt": 1, "sending": 2}),
        (2, 0, 1, {"resent": True, "attempt": 2, "sending": 1}),
        (1, 9, 1, {"resent": True, "attempt": 1, "sending": 10}),
    ],
)
def test_a_unit_says_how_it_is_decided(
    attempt: int, sent_before: int, sending: int, order: dict[str, Any]
) -> None:
    operations = tuple(Operation(type="deposit", client_id="billing") for _ in range(2))
    unit = Unit(operations, atomic=True, attempt=attempt, sent_before=sent_before)
    assert unit.document(resent=sending > 1, sending=sending) == {
        "operations": [operation.document() for operation in operations],
        "atomic": True,
        "dry_run": False,
        **order,
    }
