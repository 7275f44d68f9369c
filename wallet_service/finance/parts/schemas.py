"""Requests and responses of parts."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import Day, Line, Text, each_once, whole
from wallet_service.core.money import AmountInQuery, AmountText, SignedAmount
from wallet_service.finance.labels.roots import Root
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit
from wallet_service.platform.web.query import BoolInQuery

MOST_PARTS = 100
MOST_CHANGES = 500
MOST_TAGS = 20

EXAMPLE_TIME = "2026-01-02T03:04:05.678901Z"
EXAMPLE_WALLET = "0199d0a8-0000-7000-8000-0000000000aa"
EXAMPLE_OTHER_WALLET = "0199d0a8-0000-7000-8000-0000000000bb"
EXAMPLE_CATEGORY = "0199d0a8-0000-7000-8000-00000000c001"
_OTHER_CATEGORY = "0199d0a8-0000-7000-8000-00000000c002"
EXAMPLE_BOOK = "0199d0a8-0000-7000-8000-00000000b001"
EXAMPLE_RUN = "0199d0a8-0000-7000-8000-00000000e001"
EXAMPLE_UNDO_RUN = "0199d0a8-0000-7000-8000-00000000e002"
EXAMPLE_PAIR = "0199d0a8-0000-7000-8000-00000000f001"

_PART: dict[str, Any] = {
    "part": 0,
    "amount": "-60.00",
    "category_id": EXAMPLE_CATEGORY,
    "root": "expense",
    "payee_id": None,
    "tag_ids": [],
    "payment_method_id": None,
    "note": None,
    "rule_id": None,
    "edited": True,
}
_SECOND = _PART | {"part": 1, "amount": "-24.37", "category_id": _OTHER_CATEGORY, "note": "soap"}
_GIVEN: list[Any] = [
    {"amount": "-60.00", "category_id": EXAMPLE_CATEGORY},
    {"amount": "-24.37", "category_id": _OTHER_CATEGORY, "note": "soap"},
]
_ENTRY: dict[str, Any] = {
    "wallet_id": EXAMPLE_WALLET,
    "wallet_version": 2,
    "transaction_id": "0199d0a8-0000-7000-8000-000000000001",
    "transaction_type": "withdraw",
    "currency": "EUR",
    "booked_on": "2026-01-02",
    "counter_account": "mirrored:out",
    "reference": None,
    "description": None,
    "pair_id": None,
}
PART: dict[str, Any] = _ENTRY | _PART
ENTRY_PARTS: dict[str, Any] = _ENTRY | {
    "amount": "-84.37",
    "effective_at": EXAMPLE_TIME,
    "etag": "9f86d081884c7d65",
    "parts": [_PART, _SECOND],
}


Version = Annotated[int, Field(ge=1, le=2**53), BeforeValidator(whole)]
Etag = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
PairState = Literal["paired", "suggested"]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\u0000]*$")]

AMOUNT_TEXT = "In the wallet's currency: positive adds to the wallet, negative takes from it."
BOOKED_ON_TEXT = "The day on which the entry counts, in the book's time zone."
CATEGORY_ID_TEXT = "What it was for. Null: uncategorised income or expense, by its sign."
PAYEE_ID_TEXT = "Who was paid, or paid. Null: not said."
TAG_IDS_TEXT = "Its tags, at most 20, each once."
NOTE_TEXT = "A text about the part, at most 1000 characters."


Tags = Annotated[
    list[UUID],
    Field(max_length=MOST_TAGS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(each_once),
]


class PartGiven(BaseModel):
    """A part of an entry, as it is to be."""

    model_config = ConfigDict(extra="forbid")

    amount: SignedAmount | None = Field(
        default=None, description=f"{AMOUNT_TEXT} A single part may leave it out: it is the whole entry."
    )
    category_id: UUID | None = Field(default=None, description=CATEGORY_ID_TEXT)
    payee_id: UUID | None = Field(default=None, description=PAYEE_ID_TEXT)
    tag_ids: Tags = Field(default=[], description=TAG_IDS_TEXT)
    note: Text | None = Field(default=None, description=NOTE_TEXT)


def _all_or_one(parts: list[PartGiven]) -> list[PartGiven]:
    if len(parts) > 1 and any(part.amount is None for part in parts):
        raise PydanticCustomError("part_amount_missing", "of several parts each has an amount")
    return parts


GivenParts = Annotated[
    list[PartGiven], Field(min_length=1, max_length=MOST_PARTS), AfterValidator(_all_or_one)
]


class MovementParts(BaseModel):
    """The member that movements and transfers have with this room."""

    parts: GivenParts | None = Field(
        default=None,
        description="What the amount is for, split by category, payee and tags: the parts sum to the entry of the "
        "wallet that the operation names first. Its owner needs a book. Default: what the book's rules say.",
    )


class EntryPart(BaseModel):
    """A part of an entry. The parts of an entry sum to it."""

    part: int = Field(description="The number of the part within its entry, from 0.")
    amount: AmountText = Field(description=AMOUNT_TEXT)
    category_id: UUID = Field(description="What it was for: the label that stands for it after merges.")
    root: Root = Field(description="What it counts as: `income`, `expense` or `transfer`, whatever its sign.")
    payee_id: UUID | None = Field(description=PAYEE_ID_TEXT)
    tag_ids: list[UUID] = Field(description="Its tags.")
    payment_method_id: UUID | None = Field(description="Reserved: always null.")
    note: str | None = Field(description=NOTE_TEXT)
    rule_id: UUID | None = Field(description="The rule that set it last; null: none did.")
    edited: bool = Field(
        description="Whether a caller said what it was for: labels, a note, a split. Rules leave such parts alone."
    )


class _OfEntry(BaseModel):
    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")
    transaction_id: UUID = Field(description="The posting that the entry belongs to.")
    transaction_type: TransactionType = Field(description="The type of the operation that posted the entry.")
    currency: str = Field(description="The currency of the wallet.")
    booked_on: date = Field(description=BOOKED_ON_TEXT)
    description: str | None = Field(description="The caller's text about the operation.")
    counter_account: str = Field(description="The other side of the entry.")
    reference: str | None = Field(description="The caller's own name for the operation.")
    pair_id: UUID | None = Field(description="The pair that the entry belongs to; null: none.")


class Part(EntryPart, _OfEntry):
    """A part, with what its entry is."""

    model_config = ConfigDict(json_schema_extra={"examples": [PART]})


class PartPage(BaseModel):
    """Parts, newest day first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [PART], "next_cursor": None, "pending_entries": 0}]}
    )

    items: list[Part] = Field(description="The parts.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
    pending_entries: int = Field(
        description="Entries that the book has not read yet: they are missing here. 0 nearly always."
    )


class PartQuery(BaseModel):
    """Which parts a list has."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    category_id: UUID | None = Field(
        default=None,
        description="Those of this category, of what is under it and of what was merged into it.",
    )
    payee_id: UUID | None = Field(default=None, description="Those of this payee, and of what is under it.")
    tag_id: UUID | None = Field(default=None, description="Those with this tag, or one that is under it.")
    wallet_id: UUID | None = Field(default=None, description="Those of this wallet.")
    type: Root | Literal["refund", "adjustment"] | None = Field(
        default=None,
        description="Those whose category is under this root; `refund` and `adjustment`: those that were posted as one.",
    )
    amount_from: AmountInQuery | None = Field(
        default=None, description="Those of this amount or more, whatever their sign."
    )
    amount_to: AmountInQuery | None = Field(
        default=None, description="Those of this amount or less, whatever their sign."
    )
    from_: Day | None = Field(default=None, alias="from", description="Those of this day or later.")
    to: Day | None = Field(default=None, description="Those before this day.")
    text: Words | None = Field(
        default=None,
        description="Those in whose note, or in whose entry's description or reference, all these words are.",
    )
    uncategorized: BoolInQuery | None = Field(
        default=None,
        description="With `true`, only those that are uncategorised income or expense.",
    )
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, Any]:
        """The filters as the database function takes them, without the owner and the page."""
        left_out = {"user_id", "organization_id", "cursor", "limit"}
        return self.model_dump(mode="json", by_alias=True, exclude=left_out, exclude_none=True)


class EntryParts(_OfEntry):
    """An entry with all its parts."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY_PARTS]})

    amount: AmountText = Field(
        description="What the parts sum to: positive of a credit, negative of a debit."
    )
    effective_at: AwareDatetime = Field(description="When the movement happened.")
    etag: str = Field(description="Changes with the parts. `If-Match` compares it.")
    parts: list[EntryPart] = Field(description="The parts, in order.")


class ChangedParts(EntryParts):
    """An entry with its parts after a change."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY_PARTS | {"run_id": EXAMPLE_RUN}]})

    run_id: UUID | None = Field(
        description="The run by which the change is taken back; null: the parts were so already."
    )


class EntryPartsPut(BaseModel):
    """All parts of an entry, as they are to be."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"parts": _GIVEN}]})

    booked_on: Day | None = Field(
        default=None, description="The day on which the entry counts. Default: it stays."
    )
    parts: GivenParts = Field(description="The parts, at most 100. They sum to the entry.")


class PartChanges(BaseModel):
    """What changes of a part. Members that are left out stay."""

    model_config = ConfigDict(extra="forbid")

    category_id: UUID = Field(default_factory=uuid4, description="What it was for.")
    payee_id: UUID | None = Field(default_factory=lambda: None, description=PAYEE_ID_TEXT)
    tag_ids: Tags = Field(default_factory=list[UUID], description=TAG_IDS_TEXT)
    note: Text | None = Field(default_factory=lambda: None, description=NOTE_TEXT)


class PartsOfEntry(BaseModel):
    """The parts of an entry, as an event has them."""

    book_id: UUID = Field(description="The book.")
    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")
    parts: list[dict[str, Any]] = Field(
        description="The parts, in order, each with `booked_on`; labels as they were stored."
    )
