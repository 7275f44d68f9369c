"""The shapes in which the ledger answers: the bytes are made in SQL, these models describe them."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from wallet_service.core.money import AmountText
from wallet_service.ledger.operation_types import Direction, TransactionType

_UUID = "0199d0a8-0000-7000-8000-000000000001"
ENTRY: dict[str, Any] = {
    "transaction_id": _UUID,
    "leg": 0,
    "transaction_type": "consume",
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "user_id": "user-1",
    "currency": "CREDIT",
    "direction": "debit",
    "amount": "2.500000",
    "balance_before": "100.000000",
    "balance_after": "97.500000",
    "wallet_version": 2,
    "counter_account": "revenue:usage",
    "original_transaction_id": None,
    "client_id": "billing",
    "reference": "invoice-42",
    "description": None,
    "metadata": {"model": "small"},
    "effective_at": "2026-01-02T03:04:05.678901Z",
    "created_at": "2026-01-02T03:04:05.678901Z",
}


class Entry(BaseModel):
    """One ledger row: what a posting did to one wallet."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY]})

    transaction_id: UUID
    leg: int
    transaction_type: TransactionType
    wallet_id: UUID
    user_id: str | None
    currency: str
    direction: Direction
    amount: AmountText
    balance_before: AmountText | None
    balance_after: AmountText | None
    wallet_version: int | None
    counter_account: str
    original_transaction_id: UUID | None
    client_id: str | None
    reference: str | None
    description: str | None
    metadata: dict[str, Any]
    effective_at: AwareDatetime
    created_at: AwareDatetime


class Transaction(Entry):
    """A posting: its first leg, and under ``legs`` both where it touched two wallets.

    A user's token sees its own wallet's leg first; another user's wallet hides owner, balances and version.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY | {"legs": None, "dry_run": False}]})

    legs: list[Entry] | None
    dry_run: bool
