"""What is returned about books and their labels: frozen dataclasses, datetimes with a time zone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


@dataclass(frozen=True, slots=True)
class Book:
    """The money of a user or an organization, with its calendar.

    Attributes:
        user_id: whose it is; None: it is an organization's.
        organization_id: whose it is; None: it is a user's.
        base_currency: in which figures of the book are.
        time_zone: a name of the IANA time zone database, in which moments have their days.
        month_start_day: on which months begin; in a month without that day, on its last day.
        week_start: the day on which weeks begin.
        year_start_month: in which years begin; quarters begin every three months from it.
        version: counts its changes; for ``if_version``.
    """

    book_id: str
    user_id: str | None
    organization_id: str | None
    base_currency: str
    time_zone: str
    month_start_day: int
    week_start: str
    year_start_month: int
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChangedBook:
    """A book after a change.

    Attributes:
        user_id: whose it is; None: it is an organization's.
        organization_id: whose it is; None: it is a user's.
        base_currency: in which figures of the book are.
        time_zone: a name of the IANA time zone database, in which moments have their days.
        month_start_day: on which months begin; in a month without that day, on its last day.
        week_start: the day on which weeks begin.
        year_start_month: in which years begin; quarters begin every three months from it.
        version: counts its changes; for ``if_version``.
        redate_job_id: the job that gives all entries their days again; None: none was asked for.
    """

    book_id: str
    user_id: str | None
    organization_id: str | None
    base_currency: str
    time_zone: str
    month_start_day: int
    week_start: str
    year_start_month: int
    version: int
    created_at: datetime
    updated_at: datetime
    redate_job_id: str | None


@dataclass(frozen=True, slots=True)
class BookWallet:
    """A wallet as a member of a book.

    Attributes:
        user_id: who owns the wallet.
        purpose: what it is for; None: that was not set.
    """

    book_id: str
    wallet_id: str
    user_id: str
    name: str
    currency: str
    keeping: str
    status: str
    purpose: str | None


@dataclass(frozen=True, slots=True)
class Label:
    """A category, payee or tag of a book.

    Attributes:
        kind: ``category``, ``payee`` or ``tag``.
        parent_id: the level above; None: none. If that was merged, the one that it was merged into.
        merged_into: readers take this label instead; None: it was not merged.
        root: of a category, what its parts are: ``income``, ``expense`` or ``transfer``.
        system_key: of a category that each new book has; None: it was created later.
        tax_code: of a category, what the tax office or an accountant calls it.
        archived_at: since when it is no longer offered for new entries; None: it is.
        version: counts its changes; for ``if_version``.
    """

    label_id: str
    book_id: str
    kind: str
    name: str
    parent_id: str | None
    merged_into: str | None
    root: str | None
    color: str | None
    icon: str | None
    system_key: str | None
    tax_code: str | None
    archived_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime
