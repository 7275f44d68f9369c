"""The questions and answers about what was posted."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from wallet_service.core.fields import Line, Timestamp
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
    """What a page of a history is asked for with."""

    model_config = ConfigDict(extra="forbid")

    type: TransactionType | None = None
    from_: Timestamp | None = Field(
        default=None, alias="from", description="Posted (`created_at`) at this moment or later."
    )
    to: Timestamp | None = Field(default=None, description="Posted before this moment.")
    min_amount: AmountInQuery | None = None
    max_amount: AmountInQuery | None = None
    reference: Line | None = Field(default=None, description="Exactly this reference.")
    counter_account: Line | None = Field(
        default=None, description="Exactly this counter account, such as `wallet:<id>` or `revenue:usage`."
    )
    metadata: list[MetadataFilter] = Field(
        default=[],
        max_length=MOST_METADATA_FILTERS,
        description="`key=value`: a top-level member of the metadata, as text. Repeat it for several.",
    )
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, Any]:
        """What was asked for beside the place and size of the page, as SQL reads it."""
        named = self.model_dump(by_alias=True, exclude={"cursor", "limit", "metadata"}, exclude_none=True)
        pairs = [list(text.partition("=")[::2]) for text in self.metadata]
        return {**named, "metadata": pairs} if pairs else named


class BalanceQuery(BaseModel):
    """Which balance is asked for."""

    model_config = ConfigDict(extra="forbid")

    at: Timestamp | None = Field(
        default=None, description="A past moment: the balance after everything posted until then."
    )


class TransactionPage(BaseModel):
    """Ledger rows, newest first. With filters a page can be short, even empty, and have a next one."""

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
    """A wallet's balance after its ledger row ``wallet_version``.

    Locked amounts and credit limits have no history: of a past moment they are null, and what was available.
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
