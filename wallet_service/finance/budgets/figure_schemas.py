"""Responses with the figures of budgets."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from wallet_service.core.money import AmountText
from wallet_service.finance.budgets.schemas import (
    ALERT,
    BUDGET,
    COMPLETE,
    FROM,
    TO,
    BookQuery,
    Day,
    Period,
    State,
)

_PROGRESS: dict[str, Any] = {
    **{name: BUDGET[name] for name in ("budget_id", "name", "currency", "period")},
    "state": "active",
    "from": "2026-02-01",
    "to": "2026-03-01",
    "amount": "400.00",
    "carry": "87.60",
    "available": "487.60",
    "spent": "390.08",
    "left": "97.52",
    "percent": "80.0",
    "reached": [75],
    "complete": True,
    "unconverted": [],
    "stale": [],
}
_HEAD: dict[str, Any] = {
    "book_id": BUDGET["book_id"],
    "on": "2026-02-14",
    "as_of": "2026-02-14T12:00:00.000000Z",
    "pending_entries": 0,
}
_PAST: dict[str, Any] = {
    "from": "2026-01-01",
    "to": "2026-02-01",
    "amount": "400.00",
    "carry": "0.00",
    "available": "400.00",
    "spent": "312.40",
    "left": "87.60",
    "complete": True,
}
_ITEM: dict[str, Any] = {**BUDGET["items"][0], "spent": "160.00", "left": "-10.00"}
_DETAILS: dict[str, Any] = {
    **_HEAD,
    **_PROGRESS,
    "days": 28,
    "day": 14,
    "daily_average": "27.86",
    "recurring_posted": "0.00",
    "recurring_expected": "0.00",
    "projected": "780.16",
    "on_track": False,
    "items": [_ITEM, {"category_id": None, "amount": "250.00", "spent": "230.08", "left": "19.92"}],
    "history": [_PAST],
    "alerts": [{"tier": 75, "reached_at": ALERT["reached_at"]}],
}


class CurrencyAmount(BaseModel):
    """An amount in its own currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"currency": "RUB", "amount": "100.00"}]})

    currency: str = Field(description="The currency.")
    amount: AmountText = Field(description="The amount in it.")


class StaleRate(BaseModel):
    """A rate that is older than it should be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"currency": "USD", "rated_on": "2026-01-30"}]})

    currency: str = Field(description="From which was converted.")
    rated_on: date = Field(description="The oldest day of such a rate.")


class _Progress(BaseModel):
    budget_id: UUID = Field(description="The budget.")
    name: str = Field(description="Its name.")
    currency: str = Field(description="Of the amounts.")
    period: Period = Field(description="How long a period is.")
    state: State = Field(
        description="Whether the day is before its first one, in it, or after its last one. Figures are then those of "
        "the first period, the period of the day, or the last one."
    )
    from_: date = Field(alias="from", description=FROM)
    to: date = Field(description=TO)
    amount: AmountText = Field(description="What the budget has for the period.")
    carry: AmountText = Field(description="What it takes over from the period before.")
    available: AmountText = Field(description="Both together.")
    spent: AmountText = Field(
        description="What was spent, less what came back, up to the day. Amounts in other currencies are converted, each "
        "day at its rate."
    )
    left: AmountText = Field(
        description="`available` less `spent`. Each figure is rounded by itself, so it may differ by the last digit."
    )
    percent: str | None = Field(
        description="`spent` in percent of `available`, with one decimal; null: nothing is available."
    )
    reached: list[int] = Field(description="The tiers that these figures reach.")
    complete: bool = Field(description=COMPLETE)
    unconverted: list[CurrencyAmount] = Field(
        description="What was spent and has no rate, by currency: in this period, and where there is a carry, in earlier "
        "ones."
    )
    stale: list[StaleRate] = Field(description="Rates used that are older than they should be, by currency.")


class BudgetProgress(_Progress):
    """How far a budget is in a period."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROGRESS]})


class _Head(BaseModel):
    book_id: UUID = Field(description="The book.")
    on: date = Field(description="The day of the figures, in the time zone of the book.")
    as_of: AwareDatetime = Field(description="When they were read.")
    pending_entries: int = Field(
        description="Entries of the book that are not catalogued yet, and in no figure. 0 is normal."
    )


class BudgetProgressList(_Head):
    """How far the budgets of a book are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_HEAD, "items": [_PROGRESS]}]})

    items: list[BudgetProgress] = Field(description="All budgets of the book, oldest first.")


class BudgetItemFigures(BaseModel):
    """How far an item of a budget is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM]})

    category_id: UUID | None = Field(
        description="Of the item. Null: the rest of the budget, and what was spent on categories of no item."
    )
    amount: AmountText = Field(description="How much of the budget is for it.")
    spent: AmountText = Field(
        description="What was spent. A part counts for the nearest item above its category, so once."
    )
    left: AmountText = Field(description="`amount` less `spent`.")


class BudgetPeriod(BaseModel):
    """An earlier period of a budget."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PAST]})

    from_: date = Field(alias="from", description=FROM)
    to: date = Field(description=TO)
    amount: AmountText = Field(description="What the budget had for it.")
    carry: AmountText = Field(description="What it took over.")
    available: AmountText = Field(description="Both together.")
    spent: AmountText = Field(description="What was spent.")
    left: AmountText = Field(description="What was left; below 0: spent too much.")
    complete: bool = Field(description=COMPLETE)


class ReachedTier(BaseModel):
    """A tier that was reached in the period, once it was found."""

    model_config = ConfigDict(json_schema_extra={"examples": _DETAILS["alerts"]})

    tier: int = Field(description="The percentage.")
    reached_at: AwareDatetime = Field(description="When that was found.")


class BudgetDetails(_Head, _Progress):
    """A budget in a period: its progress, pace, items, earlier periods and alerts."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DETAILS]})

    days: int = Field(description="How many days the period has that count.")
    day: int = Field(description="How many of them have begun, that of the figures included.")
    daily_average: AmountText | None = Field(description="`spent` by `day`; null: the period has not begun.")
    recurring_posted: AmountText = Field(
        description="How much of `spent` were recurring payments: 0 until the service knows them."
    )
    recurring_expected: AmountText = Field(
        description="Recurring payments still to come in the period: 0 until the service knows them."
    )
    projected: AmountText = Field(
        description="What will be spent at the end: `spent`, what recurs, and for each day left what the rest was a day."
    )
    on_track: bool = Field(description="Whether `projected` is at most `available`.")
    items: list[BudgetItemFigures] = Field(
        description="Its items; then, without a category, what belongs to none."
    )
    history: list[BudgetPeriod] = Field(description="Up to 12 earlier periods, newest first.")
    alerts: list[ReachedTier] = Field(description="The tiers whose events the period has had.")


OnDay = Annotated[
    Day | None,
    Field(
        description="The day of the figures, up to which it counts. Not after today, which is the default."
    ),
]


class ProgressQuery(BookQuery):
    """Whose budgets, and on which day."""

    on: OnDay = None
