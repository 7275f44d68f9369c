"""Requests and responses of parts."""

from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID, uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import CurrencyCode, Line, Metadata, Text, Timestamp, UserId, whole
from wallet_service.core.money import Amount, AmountInQuery, AmountText, SignedAmount
from wallet_service.finance.books.schemas import BOOK
from wallet_service.finance.labels.schemas import Root
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit
from wallet_service.platform.web.query import BoolInQuery

MOST_PARTS = 100
MOST_CHANGES = 500
MOST_TAGS = 20

_TIME = "2026-01-02T03:04:05.678901Z"
_WALLET = "0199d0a8-0000-7000-8000-0000000000aa"
_OTHER_WALLET = "0199d0a8-0000-7000-8000-0000000000bb"
_CATEGORY = "0199d0a8-0000-7000-8000-00000000c001"
_OTHER_CATEGORY = "0199d0a8-0000-7000-8000-00000000c002"
_RUN = "0199d0a8-0000-7000-8000-00000000e001"
_UNDO_RUN = "0199d0a8-0000-7000-8000-00000000e002"
_PAIR = "0199d0a8-0000-7000-8000-00000000f001"

_PART: dict[str, Any] = {
    "part": 0,
    "amount": "-60.00",
    "category_id": _CATEGORY,
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
    {"amount": "-60.00", "category_id": _CATEGORY},
    {"amount": "-24.37", "category_id": _OTHER_CATEGORY, "note": "soap"},
]
_ENTRY: dict[str, Any] = {
    "wallet_id": _WALLET,
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
    "effective_at": _TIME,
    "etag": "9f86d081884c7d65",
    "parts": [_PART, _SECOND],
}


def _day(value: str) -> str:
    """A day of the calendar, from year 1 on."""
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("day_invalid", "must be a day, such as 2026-01-31") from error
    return value


Day = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    AfterValidator(_day),
    WithJsonSchema({"type": "string", "format": "date"}),
]
"""A day without a time, as ``YYYY-MM-DD``."""

Version = Annotated[int, Field(ge=1, le=2**53), BeforeValidator(whole)]
Etag = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
PairState = Literal["paired", "suggested"]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\u0000]*$")]

_AMOUNT = "In the wallet's currency: positive adds to the wallet, negative takes from it."
_BOOKED_ON = "The day on which the entry counts, in the book's time zone."
_CATEGORY_ID = "What it was for. Null: uncategorised income or expense, by its sign."
_PAYEE_ID = "Who was paid, or paid. Null: not said."
_TAG_IDS = "Its tags, at most 20, each once."
_NOTE = "A text about the part, at most 1000 characters."


def _each_once(values: list[UUID]) -> list[UUID]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("tags_repeated", "a tag is given once")
    return values


Tags = Annotated[
    list[UUID],
    Field(max_length=MOST_TAGS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]


class PartGiven(BaseModel):
    """A part of an entry, as it is to be."""

    model_config = ConfigDict(extra="forbid")

    amount: SignedAmount | None = Field(
        default=None, description=f"{_AMOUNT} A single part may leave it out: it is the whole entry."
    )
    category_id: UUID | None = Field(default=None, description=_CATEGORY_ID)
    payee_id: UUID | None = Field(default=None, description=_PAYEE_ID)
    tag_ids: Tags = Field(default=[], description=_TAG_IDS)
    note: Text | None = Field(default=None, description=_NOTE)


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
    amount: AmountText = Field(description=_AMOUNT)
    category_id: UUID = Field(description="What it was for: the label that stands for it after merges.")
    root: Root = Field(description="What it counts as: `income`, `expense` or `transfer`, whatever its sign.")
    payee_id: UUID | None = Field(description=_PAYEE_ID)
    tag_ids: list[UUID] = Field(description="Its tags.")
    payment_method_id: UUID | None = Field(description="Reserved: always null.")
    note: str | None = Field(description=_NOTE)
    rule_id: UUID | None = Field(description="The rule that set it last; null: none did.")
    edited: bool = Field(description="Whether a caller set it. Rules leave such parts alone.")


class _OfEntry(BaseModel):
    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")
    transaction_id: UUID = Field(description="The posting that the entry belongs to.")
    transaction_type: TransactionType = Field(description="The type of the operation that posted the entry.")
    currency: str = Field(description="The currency of the wallet.")
    booked_on: date = Field(description=_BOOKED_ON)
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
    type: Root | None = Field(default=None, description="Those whose category is under this root.")
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

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY_PARTS | {"run_id": _RUN}]})

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
    payee_id: UUID | None = Field(default_factory=lambda: None, description=_PAYEE_ID)
    tag_ids: Tags = Field(default_factory=list[UUID], description=_TAG_IDS)
    note: Text | None = Field(default_factory=lambda: None, description=_NOTE)


class BulkChange(BaseModel):
    """A change of the parts of one entry: to all that they are to be, or of some members of each."""

    model_config = ConfigDict(extra="forbid")

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: Version = Field(description="The number of the entry within its wallet.")
    etag: Etag | None = Field(
        default=None, description="Change them only if this is still their `etag`. Default: whatever it is."
    )
    booked_on: Day | None = Field(
        default=None, description="The day on which the entry counts. Default: it stays."
    )
    parts: GivenParts | None = Field(
        default=None, description="The parts as they are to be, at most 100. They sum to the entry."
    )
    changes: PartChanges | None = Field(default=None, description="Instead, what changes of its parts.")
    part: Annotated[int, Field(ge=0, lt=MOST_PARTS), BeforeValidator(whole)] | None = Field(
        default=None, description="With `changes`, the number of the only part that changes. Default: each."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.parts is not None and (self.changes is not None or self.part is not None):
            raise PydanticCustomError("change_ambiguous", "give either parts, or changes")
        return self

    def change(self) -> dict[str, Any]:
        """The change as the database function takes it."""
        named = {"wallet_id", "wallet_version", "etag", "booked_on", "parts", "part"}
        found = self.model_dump(mode="json", include=named, exclude_none=True)
        if self.changes is not None:
            found["changes"] = self.changes.model_dump(mode="json", include=self.changes.model_fields_set)
        return found


class BulkRequest(BaseModel):
    """Changes of the parts of several entries of a book. They are one run."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user-42",
                    "changes": [
                        {
                            "wallet_id": _WALLET,
                            "wallet_version": 2,
                            "changes": {"category_id": _CATEGORY},
                        }
                    ],
                }
            ]
        },
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    changes: Annotated[list[BulkChange], Field(min_length=1, max_length=MOST_CHANGES)] = Field(
        description="At most 500, each of another entry. They have at most 2,000 parts together."
    )

    @model_validator(mode="after")
    def _entries_once(self) -> Self:
        if len({(each.wallet_id, each.wallet_version) for each in self.changes}) < len(self.changes):
            raise PydanticCustomError("entries_repeated", "an entry is changed once in a request")
        return self


class BulkChanged(BaseModel):
    """A change that stands."""

    status: Literal["changed", "unchanged"] = Field(description="`unchanged`: the parts were so already.")
    entry: EntryParts = Field(description="The entry with its parts.")


class BulkRefused(BaseModel):
    """A change that was refused. The others stand."""

    status: Literal["refused"] = Field(description="The parts are as before.")
    problem: dict[str, Any] = Field(description="The problem document that a single request would get.")


class BulkAnswer(BaseModel):
    """The outcomes in the order of the changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"run_id": _RUN, "results": [{"status": "changed", "entry": ENTRY_PARTS}]}]
        }
    )

    run_id: UUID | None = Field(description="The run, by which it is taken back; null: nothing changed.")
    results: list[BulkChanged | BulkRefused] = Field(description="The outcome of each change.")


class EntryName(BaseModel):
    """An entry of a wallet."""

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")


class Undone(BaseModel):
    """What taking a run back came to."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"run_id": _RUN, "undo_run_id": _UNDO_RUN, "restored": 1, "kept": []}]
        }
    )

    run_id: UUID = Field(description="The run that was taken back.")
    undo_run_id: UUID = Field(description="The run that took it back, by which that is taken back itself.")
    restored: int = Field(description="How many entries have the parts again that they had before.")
    kept: list[EntryName] = Field(
        description="Entries whose parts were changed after the run, and were left as they are; the first 1,000."
    )


class Run(BaseModel):
    """A change of parts that can be taken back as a whole."""

    run_id: UUID = Field(description="The run.")
    book_id: UUID = Field(description="The book.")
    kind: str = Field(description="What changed: `edit`, `bulk`, `rules`, `redate`, `pair`, `undo`.")
    actor: str = Field(description="Who made it.")
    created_at: AwareDatetime = Field(description="When it was made.")
    undo_run_id: UUID | None = Field(description="The run that took it back; null: none did.")
    undone_at: AwareDatetime | None = Field(description="When it was taken back; null: it was not.")


class PartsOfEntry(BaseModel):
    """The parts of an entry, as an event has them."""

    book_id: UUID = Field(description="The book.")
    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")
    parts: list[dict[str, Any]] = Field(
        description="The parts, in order, each with `booked_on`; labels as they were stored."
    )


class PairSide(BaseModel):
    """One entry of a pair."""

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")
    transaction_id: UUID = Field(description="The posting that the entry belongs to.")
    currency: str = Field(description="The currency of the wallet.")
    amount: AmountText = Field(description=_AMOUNT)
    booked_on: date = Field(description=_BOOKED_ON)


PAIR: dict[str, Any] = {
    "pair_id": _PAIR,
    "book_id": BOOK["book_id"],
    "state": "paired",
    "is_automatic": True,
    "debit": {
        "wallet_id": _WALLET,
        "wallet_version": 3,
        "transaction_id": "0199d0a8-0000-7000-8000-000000000003",
        "booked_on": "2026-01-02",
        "currency": "EUR",
        "amount": "-500.00",
    },
    "credit": {
        "wallet_id": _OTHER_WALLET,
        "wallet_version": 1,
        "transaction_id": "0199d0a8-0000-7000-8000-000000000004",
        "booked_on": "2026-01-05",
        "currency": "EUR",
        "amount": "500.00",
    },
    "created_at": _TIME,
}


class Pair(BaseModel):
    """A debit in one wallet of a book and a credit in another that are one transfer of its owner."""

    model_config = ConfigDict(json_schema_extra={"examples": [PAIR]})

    pair_id: UUID = Field(description="The pair.")
    book_id: UUID = Field(description="The book.")
    state: PairState = Field(
        description="`paired`: they are one transfer. `suggested`: they could be; a POST of the two pairs them."
    )
    is_automatic: bool = Field(description="Whether the service found it.")
    debit: PairSide = Field(description="The entry that takes the amount from its wallet.")
    credit: PairSide = Field(description="The entry that adds it.")
    created_at: AwareDatetime = Field(description="When it was found or made.")


class PairPage(BaseModel):
    """Pairs, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [PAIR], "next_cursor": None, "pending_entries": 0}]}
    )

    items: list[Pair] = Field(description="The pairs.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
    pending_entries: int = Field(
        description="Entries that the book has not read yet: their pairs are missing here."
    )


class PairQuery(BaseModel):
    """Which pairs a list has."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    state: PairState = Field(default="paired", description="Pairs in this state.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class EntryNamed(BaseModel):
    """An entry that a request names."""

    model_config = ConfigDict(extra="forbid")

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: Version = Field(description="The number of the entry within its wallet.")


class PairCreate(BaseModel):
    """A pair that the caller makes. The currencies may differ, and the amounts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user-42",
                    "debit": {"wallet_id": _WALLET, "wallet_version": 3},
                    "credit": {"wallet_id": _OTHER_WALLET, "wallet_version": 1},
                }
            ]
        },
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    debit: EntryNamed = Field(description="A debit of a wallet of the book.")
    credit: EntryNamed = Field(description="A credit of another wallet of the book.")


class QuickTransaction(BaseModel):
    """An income or expense in one step."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"user_id": "user-42", "type": "expense", "amount": "4.50", "category_id": _CATEGORY}
            ]
        },
    )

    type: Literal["income", "expense"] = Field(
        description="`income` is posted as a deposit, `expense` as a withdrawal."
    )
    amount: Amount = Field(description="More than 0, in the wallet's currency.")
    user_id: UserId | None = Field(
        default=None,
        description="The user whose book it is. Default: the user of the token, or the owner of the wallet.",
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    wallet_id: UUID | None = Field(
        default=None,
        description="The wallet. Default: the primary wallet of the currency, a mirrored one; with a key an operating "
        "one if there is no mirrored one.",
    )
    currency: CurrencyCode | None = Field(
        default=None, description="Without a wallet: its currency. Default: that of the book."
    )
    category_id: UUID | None = Field(default=None, description=_CATEGORY_ID)
    payee_id: UUID | None = Field(default=None, description=_PAYEE_ID)
    tag_ids: Tags = Field(default=[], description=_TAG_IDS)
    note: Text | None = Field(default=None, description=_NOTE)
    description: Text | None = Field(default=None, description="Stored with the entry.")
    reference: Line | None = Field(default=None, description="Stored with the entry.")
    metadata: Metadata | None = Field(default=None, description="Stored with the entry.")
    effective_at: Timestamp | None = Field(default=None, description="When it happened. Default: now.")

    @model_validator(mode="after")
    def _one_wallet(self) -> Self:
        owners = (self.user_id, self.organization_id)
        if self.wallet_id is not None and (self.currency, *owners) != (None, None, None):
            raise PydanticCustomError(
                "wallet_named_twice",
                "wallet_id names the wallet: leave out currency, user_id and organization_id",
            )
        return self

    def part(self) -> dict[str, Any]:
        """Its part, as a movement's body has it."""
        named = {"category_id", "payee_id", "tag_ids", "note"}
        return self.model_dump(mode="json", include=named, exclude_none=True)
