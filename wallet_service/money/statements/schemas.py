"""Requests and responses of transactions, histories and balances."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from wallet_service.core.fields import By, Line, Timestamp
from wallet_service.core.money import AmountInQuery, AmountText
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.money.schemas import ENTRY, Entry
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

MOST_METADATA_FILTERS = 10

_PAIR = r"^[^=\u0000-\u001f\u007f-\u009f]+=[^\u0000-\u001f\u007f-\u009f]*$"

MetadataFilter = Annotated[
    str, StringConstraints(max_length=512, pattern=_PAIR), Field(examples=["model=small"])
]


class HistoryQuery(BaseModel):
    """The filters and the page of a history."""

    model_config = ConfigDict(extra="forbid")

    type: TransactionType | None = None
    by: By = "posted"
    from_: Timestamp | None = Field(
        default=None, alias="from", description="Entries of this moment or later."
    )
    to: Timestamp | None = Field(default=None, description="Entries before this moment.")
    min_amount: AmountInQuery | None = None
    max_amount: AmountInQuery | None = None
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

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ENTRY], "next_cursor": None}]})

    items: list[Entry]
    next_cursor: str | None


_BALANCE: dict[str, Any] = {
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
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

    wallet_id: UUID
    currency: str
    balance: AmountText
    locked_balance: AmountText | None
    available_balance: AmountText | None
    credit_limit: AmountText | None
    wallet_version: int
    at: AwareDatetime | None
