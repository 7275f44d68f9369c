"""Movements of money as the service reads them, alone or in a batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wallet_client._call import Id, moment
from wallet_client.keys import checked, name_text
from wallet_client.money import Amount, amount_text


def movement_members(
    amount: Amount | None,
    description: str | None,
    reference: str | None,
    metadata: Mapping[str, Any] | None,
    effective_at: datetime | None,
    counter_account: str | None = None,
) -> dict[str, Any]:
    """What every movement can say of itself, as JSON has it; None is what was left out."""
    return {
        "amount": None if amount is None else amount_text(amount),
        "description": description,
        "reference": reference,
        "metadata": metadata,
        "effective_at": moment(effective_at),
        "counter_account": counter_account,
    }


def _operation(kind: str, key: str | None, members: Mapping[str, Any]) -> "Operation":
    named = {"type": kind, "idempotency_key": None if key is None else checked(key), **members}
    return Operation({member: value for member, value in named.items() if value is not None})


def _movement(kind: str, summary: str):  # noqa: ANN202 - the type is the function's within
    def movement(
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: datetime | None = None,
        counter_account: str | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        members = movement_members(amount, description, reference, metadata, effective_at, counter_account)
        return _operation(kind, idempotency_key, {"wallet_id": name_text(wallet_id), **members})

    movement.__name__ = kind
    movement.__doc__ = summary
    return movement


def _transfer(
    wallet_id: Id,
    to_wallet_id: Id,
    amount: Amount,
    *,
    description: str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> "Operation":
    """Money goes from one wallet to another of the same currency."""
    members = movement_members(amount, description, reference, metadata, effective_at)
    wallets = {"wallet_id": name_text(wallet_id), "to_wallet_id": name_text(to_wallet_id)}
    return _operation("transfer", idempotency_key, wallets | members)


def _refund(
    transaction_id: Id,
    amount: Amount | None = None,
    *,
    description: str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> "Operation":
    """Give back all that is left of an earlier posting, or a part."""
    members = movement_members(amount, description, reference, metadata, effective_at)
    return _operation(
        "refund", idempotency_key, {"original_transaction_id": name_text(transaction_id)} | members
    )


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a batch: ``Operation.consume(wallet_id, "2.50", reference="invoice-42")``.

    Each takes what the call of the same name takes. Without ``idempotency_key`` its name is the batch's and its place.

    Attributes:
        members: as JSON has them.
    """

    members: Mapping[str, Any]

    deposit = staticmethod(_movement("deposit", "Money comes in."))
    withdraw = staticmethod(_movement("withdraw", "Money goes out."))
    consume = staticmethod(_movement("consume", "Usage is paid."))
    reward = staticmethod(_movement("reward", "Credits are given."))
    fee = staticmethod(_movement("fee", "A fee is paid."))
    transfer = staticmethod(_transfer)
    refund = staticmethod(_refund)
