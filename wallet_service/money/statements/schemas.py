"""Requests and responses of transactions, histories and balances."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from wallet_service.core.fields import By, Line, Timestamp
from wallet_service.core.money import AmountInQuery, AmountText
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.money.examples import ENTRY, OPENING_ENTRY, WALLET_ID
from wallet_service.money.schemas import Entry
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

MOST_METADATA_FILTERS = 10

_PAIR = r"^[^=\u0000-\u001f\u007f-\u009f]+=[^\u0000-\u001f\u007f-\u009f]*$"

MetadataFilter = Annotated[
    str, StringConstraints(max_length=512, pattern=_PAIR), Field(examples=["model=small"])
]


class HistoryQuery(BaseModel):
    """The filters and the page of a history."""

    model_config = ConfigDict(extra="forbid")

    type: TransactionType | None = Field(default=None, description="Entries of this operation type.")
    by: By = "posted"
    from_: Timestamp | None = Field(
        default=None, alias="from", description="Entries of this moment or later."
    )
    to: Timestamp | None = Field(default=None, description="Entries before this moment.")
    min_amount: AmountInQuery | None = Field(default=None, description="Entries of this amount or more.")
    max_amount: AmountInQuery | None = Field(default=None, description="Entries of this amount or less.")
    reference: Line | None = Field(default=None, description="Entries with exactly this reference.")
    counter_account: Line | None = Field(
        default=None,
        description="Entries with exactly this counter account, such as `wallet:<id>` or `revenue:usage`.",
    )
    metadata: list[MetadataFilter] = Field(
        default=[],
        max_length=MOST_METADATA_FILTERS,
        description="`key=value`: entries whose metadata has this top-level member; its value is compared as text."
        " Repeat the parameter for several.",
    )
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, Any]:
        """The filters as the database function takes them, without the place and size of the page."""
        named = self.model_dump(
            by_alias=True, exclude={"by", "cursor", "limit", "metadata"}, exclude_none=True
        )
        pairs = [list(text.partition("=")[::2]) for text in self.metadata]
        return {**named, "metadata": pairs} if pairs else named


class BalanceQuery(BaseModel):
    """The moment of a balance."""

    model_config = ConfigDict(extra="forbid")

    at: Timestamp | None = Field(
        default=None, description="A past moment: the balance after every entry up to then."
    )
    by: By = "posted"


class TransactionPage(BaseModel):
    """Entries, newest first. With filters a page can be short, even empty, and not be the last."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{**ENTRY}, {**OPENING_ENTRY}], "next_cursor": None}]}
    )

    items: list[Entry] = Field(description="The entries.")
    next_cursor: str | None = Field(description="The `cursor` of the next page. Null on the last page.")


_BALANCE: dict[str, Any] = {
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "balance": "97.500000",
    "locked_balance": "0.000000",
    "available_balance": "97.500000",
    "credit_limit": "0.000000",
    "wallet_version": 2,
    "at": None,
}


class Balance(BaseModel):
    """A wallet's balance after its entry ``wallet_version``.

    Locked balance and credit limit have no history: at a past moment they and the available balance are null.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_BALANCE]})

    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="The currency of the amounts.")
    balance: AmountText = Field(description="The sum of the wallet's entries up to `wallet_version`.")
    locked_balance: AmountText | None = Field(
        description="The part of the balance that is reserved. Null at a past moment."
    )
    available_balance: AmountText | None = Field(
        description="Balance minus locked balance. Null at a past moment."
    )
    credit_limit: AmountText | None = Field(
        description="How far below zero the available balance may go. Null at a past moment."
    )
    wallet_version: int = Field(
        description="The number of the newest entry that is included. 0 without entries."
    )
    at: AwareDatetime | None = Field(description="The moment of the request. Null for the balance now.")
