"""Requests and responses that several rooms share. SQL writes the bytes of responses; the models describe them."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from wallet_service.core.fields import CounterAccount, Key, Line, Metadata, Text, Timestamp
from wallet_service.core.money import Amount, AmountText
from wallet_service.ledger.operation_types import Direction, TransactionType

Keeping = Literal["operating", "mirrored"]
"""Whether a wallet holds money here, or mirrors an account that is kept elsewhere or by hand."""

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
    """An entry of the ledger: what a posting did to one wallet. Amounts are in units of ``currency``."""

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
    """A posting: its first leg, and in ``legs`` both legs when it has two wallets, otherwise null.

    A user token gets the leg of its own wallet first. In a leg of another user's wallet, the user, the balances and
    ``wallet_version`` are null.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY | {"legs": None, "dry_run": False}]})

    legs: list[Entry] | None
    dry_run: bool


class Details(BaseModel):
    """Members that every operation may have. They are stored with the posting."""

    model_config = ConfigDict(extra="forbid")

    description: Text | None = None
    reference: Line | None = Field(
        default=None, description="The caller's own name for the operation. Histories can be filtered by it."
    )
    metadata: Metadata | None = None
    effective_at: Timestamp | None = Field(
        default=None, description="When the movement happened outside the ledger. Default: the posting time."
    )

    def details(self) -> dict[str, Any]:
        """The members that are stored with the posting, without those that were left out."""
        members = {name: getattr(self, name) for name in Details.model_fields}
        return {name: value for name, value in members.items() if value is not None}


class Keyed(BaseModel):
    """Members of a request with one operation that do not belong to the operation itself."""

    dry_run: StrictBool = Field(
        default=False,
        description="Decide the operation and return its result with status 200, but post nothing and spend no key.",
    )
    idempotency_key: Key | None = Field(
        default=None,
        description="The same as the header `Idempotency-Key`. If both are sent, they must be equal.",
    )


class Movement(Details):
    """An amount that enters or leaves a wallet."""

    amount: Amount
    counter_account: CounterAccount | None = Field(
        default=None,
        description="The other side of the entry. The default depends on the type, such as `revenue:usage` for consume.",
    )


class MoneyRequest(Movement, Keyed):
    """The body of deposit, withdraw, consume, reward and fee."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"amount": "2.50", "reference": "invoice-42"}]},
    )
