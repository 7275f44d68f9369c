"""What is returned about the parts of entries: frozen dataclasses, Decimal amounts, dates and datetimes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Root = Literal["income", "expense", "transfer"]
PairState = Literal["paired", "suggested"]


@dataclass(frozen=True, slots=True)
class EntryPart:
    """A part of an entry. The parts of an entry sum to it.

    Attributes:
        part: its number within the entry, from 0.
        amount: positive of a credit, negative of a debit.
        category_id: what it was for: the label that stands for it after merges.
        root: what it counts as: ``income``, ``expense`` or ``transfer``.
        payment_method_id: reserved.
        rule_id: the rule that set it last; None: none did.
        edited: whether a caller set it. Rules leave such parts alone.
    """

    part: int
    amount: Decimal
    category_id: str
    root: str
    payee_id: str | None
    tag_ids: Sequence[str]
    payment_method_id: str | None
    note: str | None
    rule_id: str | None
    edited: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part, with what its entry is. Attributes: as of ``EntryPart`` and ``EntryParts``."""

    part: int
    amount: Decimal
    category_id: str
    root: str
    payee_id: str | None
    tag_ids: Sequence[str]
    payment_method_id: str | None
    note: str | None
    rule_id: str | None
    edited: bool
    wallet_id: str
    wallet_version: int
    transaction_id: str
    transaction_type: str
    currency: str
    booked_on: date
    description: str | None
    counter_account: str
    reference: str | None
    pair_id: str | None


@dataclass(frozen=True, slots=True)
class EntryParts:
    """An entry of a wallet with all its parts.

    Attributes:
        wallet_version: the number of the entry within its wallet.
        booked_on: the day on which it counts, in the book's time zone.
        pair_id: the pair that the entry belongs to; None: none.
        amount: what the parts sum to.
        etag: changes with the parts; for ``if_etag``.
    """

    wallet_id: str
    wallet_version: int
    transaction_id: str
    transaction_type: str
    currency: str
    booked_on: date
    description: str | None
    counter_account: str
    reference: str | None
    pair_id: str | None
    amount: Decimal
    effective_at: datetime
    etag: str
    parts: tuple[EntryPart, ...]


@dataclass(frozen=True, slots=True)
class ChangedParts:
    """An entry with its parts after a change. Attributes: as of ``EntryParts``.

    Attributes:
        run_id: by which the change is taken back; None: the parts were so already.
    """

    wallet_id: str
    wallet_version: int
    transaction_id: str
    transaction_type: str
    currency: str
    booked_on: date
    description: str | None
    counter_account: str
    reference: str | None
    pair_id: str | None
    amount: Decimal
    effective_at: datetime
    etag: str
    parts: tuple[EntryPart, ...]
    run_id: str | None


@dataclass(frozen=True, slots=True)
class EntryName:
    """An entry of a wallet."""

    wallet_id: str
    wallet_version: int


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking a run back came to.

    Attributes:
        undo_run_id: the run that took it back, by which that is taken back itself.
        restored: how many entries have the parts again that they had before.
        kept: entries whose parts were changed after the run, and were left; the first 1,000.
    """

    run_id: str
    undo_run_id: str
    restored: int
    kept: tuple[EntryName, ...]


@dataclass(frozen=True, slots=True)
class PairSide:
    """One entry of a pair."""

    wallet_id: str
    wallet_version: int
    transaction_id: str
    currency: str
    amount: Decimal
    booked_on: date


@dataclass(frozen=True, slots=True)
class Pair:
    """A debit in one wallet of a book and a credit in another that are one transfer of its owner.

    Attributes:
        state: ``paired``, or ``suggested``: they could be.
        is_automatic: whether the service found it.
    """

    pair_id: str
    book_id: str
    state: str
    is_automatic: bool
    debit: PairSide
    credit: PairSide
    created_at: datetime
