"""Requests and responses that several rooms share. SQL writes the bytes of responses; the models describe them."""

from typing import Any, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from wallet_service.core.fields import CounterAccount, Key, Line, Metadata, Text, Timestamp
from wallet_service.core.money import Amount, AmountText
from wallet_service.ledger.operation_types import Direction, TransactionType
from wallet_service.money.examples import ENTRY, transaction

Keeping = Literal["operating", "mirrored"]
"""Whether a wallet holds money here, or mirrors an account that is kept elsewhere or by hand."""


class Entry(BaseModel):
    """An entry of the ledger: what a posting did to one wallet. Amounts are in units of ``currency``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**ENTRY}]})

    transaction_id: UUID = Field(description="The posting that the entry belongs to.")
    leg: int = Field(
        description="The number of the entry within its posting: 0, and 1 for the second of two wallets."
    )
    transaction_type: TransactionType = Field(description="The type of the operation.")
    wallet_id: UUID = Field(description="The wallet whose balance the entry changed.")
    user_id: str | None = Field(
        description="The user who owns the wallet. Null for a user token, if it is another user."
    )
    currency: str = Field(description="The currency of the wallet and of the amounts.")
    direction: Direction = Field(description="`credit` raises the balance, `debit` lowers it.")
    amount: AmountText = Field(description="By how much the balance changed: more than 0.")
    balance_before: AmountText | None = Field(
        description="The wallet's balance before the entry. Null where `user_id` is."
    )
    balance_after: AmountText | None = Field(
        description="The wallet's balance after the entry. Null where `user_id` is."
    )
    wallet_version: int | None = Field(
        description="The number of the entry within its wallet, from 1 without gaps. Null where `user_id` is."
    )
    counter_account: str = Field(
        description="The other side of the entry, such as `external:deposits`, `revenue:usage` or `wallet:<id>`."
    )
    original_transaction_id: UUID | None = Field(
        description="Of a refund: the transaction that it reverses. Otherwise null."
    )
    client_id: str | None = Field(
        description="The client that posted it. Null for a user token, if it was another user."
    )
    reference: str | None = Field(description="The caller's own name for the operation.")
    description: str | None = Field(description="The caller's text about the operation.")
    metadata: dict[str, Any] = Field(description="The caller's JSON object.")
    effective_at: AwareDatetime = Field(
        description="When the movement happened outside the ledger: the posting time, unless the caller gave another."
    )
    created_at: AwareDatetime = Field(description="The posting time, which never decreases within a wallet.")


class Transaction(Entry):
    """A posting: its first leg, and in ``legs`` both legs when it has two wallets, otherwise null.

    A user token gets the leg of its own wallet first. In a leg of another user's wallet, the user, the balances and
    ``wallet_version`` are null.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [transaction(ENTRY)]})

    legs: list[Entry] | None = Field(
        description="Both entries of a posting with two wallets. Otherwise null."
    )
    dry_run: bool = Field(
        description="Whether nothing was posted: true in the response to a request with `dry_run`."
    )


class Details(BaseModel):
    """Members that every operation may have. They are stored with the posting."""

    model_config = ConfigDict(extra="forbid")

    description: Text | None = Field(
        default=None, description="A text about the operation, at most 1000 characters."
    )
    reference: Line | None = Field(
        default=None, description="The caller's own name for the operation. Histories can be filtered by it."
    )
    metadata: Metadata | None = Field(
        default=None, description="A JSON object of the caller, at most 16 KiB."
    )
    effective_at: Timestamp | None = Field(
        default=None, description="When the movement happened outside the ledger. Default: the posting time."
    )

    def details(self) -> dict[str, Any]:
        """The members that are stored with the posting, without those that were left out."""
        return {name: value for name in _DETAILS if (value := getattr(self, name)) is not None}


_DETAILS = tuple(Details.model_fields)


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

    amount: Amount = Field(
        description="More than 0: a decimal string, or an exact JSON number, of at most 20 digits before the point."
    )
    counter_account: CounterAccount | None = Field(
        default=None,
        description="The other side of the entry. The default depends on the type, such as `revenue:usage` for consume.",
    )


MEMBERS_OF_ROOMS: Final = {"x-members-of-rooms": True}
"""In the schema of a model that accepts unknown members: rooms add members to it (``PostingMembers``), and the service,
which knows the rooms, refuses all others. The document has the members in its place."""


class MoneyRequest(Movement, Keyed):
    """The body of deposit, withdraw, consume, reward and fee."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"amount": "2.50", "reference": "invoice-42"}], **MEMBERS_OF_ROOMS},
    )
