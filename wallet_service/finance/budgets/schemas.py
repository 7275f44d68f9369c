"""Requests and responses of budgets."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import NO_CONTROL, CurrencyCode, Day, Line, UserId, each_once, whole
from wallet_service.core.money import AmountOrZero, AmountText
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

MOST_BUDGETS = 200
MOST_IDS = 200
MOST_TIERS = 10
MOST_PERCENT = 1000
FIRST_YEAR = 1900

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROL)]
Period = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
Carry = Literal["none", "surplus", "full"]
State = Literal["upcoming", "active", "ended"]


def _period(value: Any) -> Any:
    return "yearly" if value == "annual" else value


PeriodIn = Annotated[
    Period,
    BeforeValidator(_period),
    WithJsonSchema(
        {"type": "string", "enum": ["daily", "weekly", "monthly", "quarterly", "yearly", "annual"]}
    ),
]


def _not_early(day: str) -> str:
    if int(day[:4]) < FIRST_YEAR:
        raise PydanticCustomError("day_invalid", "must be a day of the year 1900 or later")
    return day


BudgetDay = Annotated[Day, AfterValidator(_not_early)]
"""A day from 1900 on."""


def _ascending(tiers: Sequence[int]) -> Sequence[int]:
    if any(second <= first for first, second in pairwise(tiers)):
        raise PydanticCustomError("tiers_invalid", "must ascend")
    return tiers


Ids = Annotated[
    list[UUID],
    Field(max_length=MOST_IDS),
    AfterValidator(each_once),
    Field(json_schema_extra={"uniqueItems": True}),
]
Tier = Annotated[int, Field(ge=1, le=MOST_PERCENT, strict=True), BeforeValidator(whole)]
Tiers = Annotated[list[Tier], Field(max_length=MOST_TIERS), AfterValidator(_ascending)]

_TIME = "2026-01-02T03:04:05.678901Z"
_CATEGORY_ID = "0199d0a8-0000-7000-8000-00000000c002"
BUDGET: dict[str, Any] = {
    "budget_id": "0199d0a8-0000-7000-8000-00000000d001",
    "book_id": "0199d0a8-0000-7000-8000-00000000b001",
    "name": "Food",
    "amount": "400.00",
    "currency": "EUR",
    "period": "monthly",
    "start_date": "2026-01-01",
    "end_date": None,
    "wallet_ids": [],
    "category_ids": [_CATEGORY_ID],
    "items": [{"category_id": "0199d0a8-0000-7000-8000-00000000c003", "amount": "150.00"}],
    "carry": "surplus",
    "carry_cap": "100.00",
    "prorate": False,
    "tiers": [75, 90, 100],
    "version": 1,
    "created_at": _TIME,
    "updated_at": _TIME,
}
_CHOSEN: dict[str, Any] = {
    name: BUDGET[name]
    for name in ("name", "amount", "period", "start_date", "category_ids", "items", "carry", "carry_cap")
}
ALERT: dict[str, Any] = {
    "alert_id": "0199d0a8-0000-7000-8000-00000000d002",
    **{name: BUDGET[name] for name in ("budget_id", "book_id", "name", "currency", "period")},
    "from": "2026-01-01",
    "to": "2026-02-01",
    "tier": 75,
    "amount": "400.00",
    "available": "400.00",
    "spent": "312.40",
    "complete": True,
    "reached_at": _TIME,
}
_AMOUNT = "How much may be spent in a period, in `currency`."
_PERIOD = (
    "How long a period is. Periods are those of the book's calendar: its first day of months and weeks, its first month "
    "of years. `annual` is taken as `yearly`."
)
_START = (
    "The first day that counts: what was spent before is not of the budget. At most 4,000 days before today if it is "
    "daily, and 4,000 weeks if it is weekly."
)
_END = "The first day that counts no more; null: it has no end."
_WALLETS = "What was spent from these wallets of the book; empty: from all."
_CATEGORIES = (
    "What was spent on these categories, each with all that is under it: Expense, or categories under it. Empty: all "
    "expenses."
)
_ITEMS = "Shares of the amount for single categories. Together they are at most the amount."
_CARRY = (
    "What a period takes over from the one before: `none`; `surplus`: what was left; `full`: also what was spent too "
    "much."
)
_CAP = "The most that a period takes over; null: no limit."
_PRORATE = "Whether a period that `start_date` or `end_date` cuts has its share of the amount by days, not all of it."
_TIERS = "Percentages of what is available, ascending. The first time that a period reaches one is an event."
FROM = "The first day of the period that counts."
TO = "The first day that is not in it."
COMPLETE = "Whether everything could be converted; false: something has no rate and is in no figure."


class BudgetItemIn(BaseModel):
    """A share of a budget."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": BUDGET["items"]})

    category_id: UUID = Field(description="A category under Expense, with all that is under it.")
    amount: AmountOrZero = Field(description="How much of the budget is for it.")


class BudgetPut(BaseModel):
    """All that a caller sets of a budget."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_CHOSEN]})

    name: Name = Field(description="For people.")
    amount: AmountOrZero = Field(description=_AMOUNT)
    currency: CurrencyCode | None = Field(
        default=None,
        description="Of all its amounts. What was spent in others is converted. Default: the book's.",
    )
    period: PeriodIn = Field(description=_PERIOD)
    start_date: BudgetDay = Field(description=_START)
    end_date: BudgetDay | None = Field(default=None, description=_END)
    wallet_ids: Ids = Field(default_factory=list[UUID], description=_WALLETS)
    category_ids: Ids = Field(default_factory=list[UUID], description=_CATEGORIES)
    items: list[BudgetItemIn] = Field(
        default_factory=list[BudgetItemIn], max_length=MOST_IDS, description=_ITEMS
    )
    carry: Carry = Field(default="none", description=_CARRY)
    carry_cap: AmountOrZero | None = Field(default=None, description=_CAP)
    prorate: StrictBool = Field(default=False, description=_PRORATE)
    tiers: Tiers = Field(default=[75, 90, 100], description=_TIERS)

    @field_validator("end_date")
    @classmethod
    def _ends_later(cls, end: str | None, info: ValidationInfo) -> str | None:
        start: str | None = info.data.get("start_date")
        if end is not None and start is not None and end <= start:
            raise PydanticCustomError(
                "end_invalid", "must be after start_date: it is the first day that does not count"
            )
        return end

    @field_validator("items")
    @classmethod
    def _within_amount(cls, items: list[BudgetItemIn], info: ValidationInfo) -> list[BudgetItemIn]:
        each_once([item.category_id for item in items])
        amount: str | None = info.data.get("amount")
        if amount is not None and sum(Decimal(item.amount) for item in items) > Decimal(amount):
            raise PydanticCustomError("items_exceed", "items are together at most the amount of the budget")
        return items

    @field_validator("carry_cap")
    @classmethod
    def _caps_something(cls, cap: str | None, info: ValidationInfo) -> str | None:
        if cap is not None and info.data.get("carry") == "none":
            raise PydanticCustomError("cap_invalid", "needs a carry: surplus or full")
        return cap


class BudgetCreate(BudgetPut):
    """A new budget of a book."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user_id": "user-42", **_CHOSEN}]}
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book gets it. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book gets it."
    )


class BudgetItem(BaseModel):
    """A share of a budget."""

    model_config = ConfigDict(json_schema_extra={"examples": BUDGET["items"]})

    category_id: UUID = Field(description="The category, with all that is under it.")
    amount: AmountText = Field(description="How much of the budget is for it.")


class Budget(BaseModel):
    """A budget of a book: what may be spent in each period."""

    model_config = ConfigDict(json_schema_extra={"examples": [BUDGET]})

    budget_id: UUID = Field(description="Its id, a UUIDv7.")
    book_id: UUID = Field(description="The book.")
    name: str = Field(description="For people.")
    amount: AmountText = Field(description=_AMOUNT)
    currency: str = Field(description="Of all its amounts. What was spent in others is converted.")
    period: Period = Field(description=_PERIOD)
    start_date: date = Field(description=_START)
    end_date: date | None = Field(description=_END)
    wallet_ids: list[UUID] = Field(description=_WALLETS)
    category_ids: list[UUID] = Field(description=_CATEGORIES)
    items: list[BudgetItem] = Field(description=_ITEMS)
    carry: Carry = Field(description=_CARRY)
    carry_cap: AmountText | None = Field(description=_CAP)
    prorate: bool = Field(description=_PRORATE)
    tiers: list[int] = Field(description=_TIERS)
    version: int = Field(description="Counts its changes, from 1. `If-Match` compares it.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When it was last changed.")


class BudgetPage(BaseModel):
    """Budgets of a book, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [BUDGET], "next_cursor": None}]})

    items: list[Budget] = Field(description="The budgets.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class BudgetAlert(BaseModel):
    """A tier that a budget has reached in a period, with the figures at that moment."""

    model_config = ConfigDict(json_schema_extra={"examples": [ALERT]})

    alert_id: UUID = Field(description="Its id, a UUIDv7.")
    budget_id: UUID = Field(description="The budget.")
    book_id: UUID = Field(description="The book.")
    name: str = Field(description="The name of the budget.")
    currency: str = Field(description="Of the amounts.")
    period: Period = Field(description="How long a period of the budget is.")
    from_: date = Field(alias="from", description=FROM)
    to: date = Field(description=TO)
    tier: int = Field(description="The percentage that was reached.")
    amount: AmountText = Field(description="What the budget has for the period.")
    available: AmountText = Field(description="With what the period took over.")
    spent: AmountText = Field(description="What was spent then.")
    complete: bool = Field(description=COMPLETE)
    reached_at: AwareDatetime = Field(description="When that was found.")


class BookQuery(BaseModel):
    """Whose book it is."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )


class BudgetQuery(BookQuery):
    """Which budgets a list has."""

    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT
