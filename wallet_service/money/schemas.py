"""The requests and responses that several rooms share. SQL writes the bytes of responses; the models describe them."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from wallet_service.core.fields import CounterAccount, Key, Line, Metadata, Text, Timestamp
from wallet_service.core.money import Amount, AmountText
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


class Details(BaseModel):
    """What every operation can say of itself."""

    model_config = ConfigDict(extra="forbid")

    description: Text | None = None
    reference: Line | None = Field(
        default=None, description="The caller's own name of it; can be filtered by."
    )
    metadata: Metadata | None = None
    effective_at: Timestamp | None = Field(default=None, description="When it counts; default: when posted.")

    def details(self) -> dict[str, Any]:
        """The members that are stored with the posting, without those that were left out."""
        members = {name: getattr(self, name) for name in Details.model_fields}
        return {name: value for name, value in members.items() if value is not None}


class Keyed(BaseModel):
    """What a request about one operation says beside it."""

    dry_run: StrictBool = Field(
        default=False, description="Answer as if posted; keep nothing, spend no key. Status 200."
    )
    idempotency_key: Key | None = Field(default=None, description="Or the header `Idempotency-Key`.")


class Movement(Details):
    """An amount that enters or leaves a wallet."""

    amount: Amount
    counter_account: CounterAccount | None = Field(
        default=None, description="The other side; default by type, e.g. `revenue:usage` for consume."
    )


class MoneyRequest(Movement, Keyed):
    """Body of deposit, withdraw, consume, reward and fee."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"amount": "2.50", "reference": "invoice-42"}]},
    )
