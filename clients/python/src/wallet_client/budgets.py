"""What is sent and returned about budgets: frozen dataclasses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from wallet_client._call import Id

BudgetPeriodKind = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "annual"]
Carry = Literal["none", "surplus", "full"]
Day = date | str
"""A day: a date, or text such as ``2026-01-31``."""


@dataclass(frozen=True, slots=True)
class NewBudgetItem:
    """A share of a budget, to be sent.

    Attributes:
        category_id: a category under Expense, with all that is under it.
        amount: how much of the budget is for it.
    """

    category_id: Id
    amount: Decimal | int | str

    @property
    def members(self) -> dict[str, Any]:
        """As a body has it."""
        return {"category_id": str(self.category_id), "amount": self.amount}


@dataclass(frozen=True, slots=True)
class BudgetItem:
    """A share of a budget."""

    category_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in each period.

    Attributes:
        amount: how much, in ``currency``.
        end_date: the first day that counts no more; None: it has no end.
        wallet_ids: empty: all wallets of the book.
        category_ids: each with all that is under it; empty: all expenses.
        items: shares of the amount for single categories.
        carry: what a period takes over: ``none``, ``surplus`` or ``full``.
        carry_cap: the most that it takes over; None: no limit.
        prorate: whether a period that is cut has its share of the amount.
        tiers: percentages of which the first reaching is an event.
        version: counts its changes; for ``if_version``.
    """

    budget_id: str
    book_id: str
    name: str
    amount: Decimal
    currency: str
    period: str
    start_date: date
    end_date: date | None
    wallet_ids: Sequence[str]
    category_ids: Sequence[str]
    items: tuple[BudgetItem, ...]
    carry: str
    carry_cap: Decimal | None
    prorate: bool
    tiers: Sequence[int]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CurrencyAmount:
    """An amount in its own currency."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class StaleRate:
    """A rate that is older than it should be; ``rated_on``: the oldest day of such a rate."""

    currency: str
    rated_on: date


@dataclass(frozen=True, slots=True)
class BudgetProgress:
    """How far a budget is in a period.

    Attributes:
        state: ``upcoming``, ``active`` or ``ended``.
        from_: the first day of the period that counts.
        to: the first day that is not in it.
        amount: what the budget has for the period.
        carry: what it takes over from the period before.
        available: both together.
        spent: less what came back.
        left: ``available`` less ``spent``.
        percent: ``spent`` in percent of ``available``; None: nothing is available.
        reached: the tiers that are reached.
        complete: False: something has no rate and is in no figure, but in ``unconverted``.
        unconverted: what has no rate, by currency.
        stale: rates used that are older than they should be.
    """

    budget_id: str
    name: str
    currency: str
    period: str
    state: str
    from_: date
    to: date
    amount: Decimal
    carry: Decimal
    available: Decimal
    spent: Decimal
    left: Decimal
    percent: Decimal | None
    reached: Sequence[int]
    complete: bool
    unconverted: tuple[CurrencyAmount, ...]
    stale: tuple[StaleRate, ...]


@dataclass(frozen=True, slots=True)
class BudgetProgressList:
    """How far the budgets of a book are.

    Attributes:
        on: the day of the figures, in the time zone of the book.
        as_of: when they were read.
        pending_entries: entries that are not catalogued yet, and in no figure.
        items: all budgets of the book.
    """

    book_id: str
    on: date
    as_of: datetime
    pending_entries: int
    items: tuple[BudgetProgress, ...]


@dataclass(frozen=True, slots=True)
class BudgetItemFigures:
    """How far an item of a budget is; without a category, what belongs to no item."""

    category_id: str | None
    amount: Decimal
    spent: Decimal
    left: Decimal


@dataclass(frozen=True, slots=True)
class BudgetPeriod:
    """An earlier period of a budget; its members are those of ``BudgetProgress``."""

    from_: date
    to: date
    amount: Decimal
    carry: Decimal
    available: Decimal
    spent: Decimal
    left: Decimal
    complete: bool


@dataclass(frozen=True, slots=True)
class ReachedTier:
    """A tier that was reached in the period."""

    tier: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class BudgetDetails:
    """A budget in a period; members of ``BudgetProgress`` mean the same here.

    Attributes:
        days: how many days of the period count.
        day: how many of them have begun.
        daily_average: ``spent`` by ``day``; None: the period has not begun.
        recurring_posted: how much of ``spent`` were recurring payments: 0 until the service knows them.
        recurring_expected: those still to come: 0 until then.
        projected: what will be spent at the end of the period.
        on_track: whether that is at most ``available``.
        items: the items; the last one, without a category, is what belongs to none.
        history: up to 12 earlier periods, newest first.
        alerts: the tiers whose events the period has had.
    """

    book_id: str
    on: date
    as_of: datetime
    pending_entries: int
    budget_id: str
    name: str
    currency: str
    period: str
    state: str
    from_: date
    to: date
    amount: Decimal
    carry: Decimal
    available: Decimal
    spent: Decimal
    left: Decimal
    percent: Decimal | None
    reached: Sequence[int]
    complete: bool
    unconverted: tuple[CurrencyAmount, ...]
    stale: tuple[StaleRate, ...]
    days: int
    day: int
    daily_average: Decimal | None
    recurring_posted: Decimal
    recurring_expected: Decimal
    projected: Decimal
    on_track: bool
    items: tuple[BudgetItemFigures, ...]
    history: tuple[BudgetPeriod, ...]
    alerts: tuple[ReachedTier, ...]
