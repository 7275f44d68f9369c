"""Requests and responses of books."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
)

from wallet_service.core.fields import NO_CONTROL, CurrencyCode, Line, TimeZone, UserId, whole
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Keeping = Literal["operating", "mirrored"]
WalletStatus = Literal["active", "frozen", "closed"]
MonthDay = Annotated[int, Field(ge=1, le=31, strict=True), BeforeValidator(whole)]
Month = Annotated[int, Field(ge=1, le=12, strict=True), BeforeValidator(whole)]
Purpose = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_CONTROL)]

_USER_ID = "user-42"
_TIME = "2026-01-02T03:04:05.678901Z"
BOOK: dict[str, Any] = {
    "book_id": "0199d0a8-0000-7000-8000-00000000b001",
    "user_id": _USER_ID,
    "organization_id": None,
    "base_currency": "EUR",
    "time_zone": "Europe/Berlin",
    "month_start_day": 1,
    "week_start": "monday",
    "year_start_month": 1,
    "version": 1,
    "created_at": _TIME,
    "updated_at": _TIME,
}
_BOOK_WALLET: dict[str, Any] = {
    "book_id": BOOK["book_id"],
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "user_id": _USER_ID,
    "name": "main",
    "currency": "EUR",
    "keeping": "mirrored",
    "status": "active",
    "purpose": "savings",
}

_BASE_CURRENCY = "The currency in which figures of the book are. Nothing that is stored is converted to it."
_TIME_ZONE = "A name of the IANA time zone database: in it, moments have their days."
_MONTH_START_DAY = (
    "The day on which months begin: 1 to 31. In a month without that day, the last day of the month."
)
_WEEK_START = "The day on which weeks begin."
_YEAR_START_MONTH = "The month in which years begin, 1 to 12. Quarters begin every three months from it."


class BookCreate(BaseModel):
    """A new book. A user or organization has one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user_id": _USER_ID, "base_currency": "EUR", "time_zone": "Europe/Berlin"}]
        },
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is. Only with a key."
    )
    base_currency: CurrencyCode = Field(description=_BASE_CURRENCY)
    time_zone: TimeZone = Field(default="UTC", description=_TIME_ZONE)
    month_start_day: MonthDay = Field(default=1, description=_MONTH_START_DAY)
    week_start: Weekday = Field(default="monday", description=_WEEK_START)
    year_start_month: Month = Field(default=1, description=_YEAR_START_MONTH)


class BookPatch(BaseModel):
    """A merge patch (RFC 7396). Absent members stay. The owner never changes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"month_start_day": 25, "week_start": "sunday"}]}
    )

    # model_fields_set shows which members are absent. A factory keeps a default that is never used out of OpenAPI.
    base_currency: CurrencyCode = Field(default_factory=str, description=_BASE_CURRENCY)
    time_zone: TimeZone = Field(default_factory=str, description=_TIME_ZONE)
    month_start_day: MonthDay = Field(default_factory=int, description=_MONTH_START_DAY)
    week_start: Weekday = Field(default_factory=lambda: "monday", description=_WEEK_START)
    year_start_month: Month = Field(default_factory=int, description=_YEAR_START_MONTH)
    redate: StrictBool = Field(
        default=False,
        description="Whether all entries get their day in the time zone again, also those whose day was moved.",
    )


class Book(BaseModel):
    """A book: the money of a person or an organization, with its calendar."""

    model_config = ConfigDict(json_schema_extra={"examples": [BOOK]})

    book_id: UUID = Field(description="The book's id, a UUIDv7.")
    user_id: str | None = Field(description="The user whose book it is; null: it is an organization's.")
    organization_id: str | None = Field(
        description="The organization whose book it is; null: it is a user's."
    )
    base_currency: str = Field(description=_BASE_CURRENCY)
    time_zone: str = Field(description=_TIME_ZONE)
    month_start_day: int = Field(description=_MONTH_START_DAY)
    week_start: Weekday = Field(description=_WEEK_START)
    year_start_month: int = Field(description=_YEAR_START_MONTH)
    version: int = Field(description="Counts its changes, from 1. `If-Match` compares it.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When it was last changed.")


class ChangedBook(Book):
    """A book after a change."""

    model_config = ConfigDict(json_schema_extra={"examples": [BOOK | {"redate_job_id": None}]})

    redate_job_id: UUID | None = Field(
        description="The job that gives all entries their days again; null: none was asked for."
    )


class BookPage(BaseModel):
    """Books, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [BOOK], "next_cursor": None}]})

    items: list[Book] = Field(description="The books.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class BookQuery(BaseModel):
    """Which books a list has."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line | None = Field(default=None, description="Only that of this user.")
    organization_id: Line | None = Field(default=None, description="Only that of this organization.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class BookWalletPut(BaseModel):
    """What a wallet of a book is for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"purpose": "savings"}]})

    purpose: Purpose | None = Field(
        description="`personal`, `business`, `savings`, `asset`, `debt`, or a word of your own; null: nothing. `asset` "
        "and `debt` are for mirrored wallets: a house, a car, a private loan."
    )


class BookWallet(BaseModel):
    """A wallet as a member of a book. Its balance is that of the wallet."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BOOK_WALLET]})

    book_id: UUID = Field(description="The book.")
    wallet_id: UUID = Field(description="The wallet.")
    user_id: str = Field(description="The user who owns the wallet.")
    name: str = Field(description="The wallet's name.")
    currency: str = Field(description="The wallet's currency.")
    keeping: Keeping = Field(description="`operating`: money is held here. `mirrored`: a record.")
    status: WalletStatus = Field(description="The wallet's status. Closed ones stay in their book.")
    purpose: str | None = Field(description="What it is for; null: that was not set.")


class BookWalletPage(BaseModel):
    """The wallets of a book, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_BOOK_WALLET], "next_cursor": None}]}
    )

    items: list[BookWallet] = Field(description="The wallets.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
