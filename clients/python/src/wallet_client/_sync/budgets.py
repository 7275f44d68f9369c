# Generated from wallet_client/_async/budgets.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Budgets of books."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wallet_client._call import PAGE_SIZE, Call, Id, change_call, encode, get_call, post_call
from wallet_client._responses import (
    budget_details_of,
    budget_of,
    budget_progress_of,
    budgets_of,
    nothing_of,
)
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner

if TYPE_CHECKING:
    from wallet_client.budgets import (
        Budget,
        BudgetDetails,
        BudgetPeriodKind,
        BudgetProgressList,
        Carry,
        Day,
        NewBudgetItem,
    )
    from wallet_client.models import Page

_ROUTE = "/budgets/{budget_id}"


class BudgetsResource:
    """``client.budgets``: what may be spent in each period, what is left, and what is carried over."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def create(
        self,
        name: str,
        amount: Decimal | int | str,
        period: "BudgetPeriodKind",
        start_date: "Day",
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        currency: str | None = None,
        end_date: "Day | None" = None,
        wallet_ids: Sequence[Id] = (),
        category_ids: Sequence[Id] = (),
        items: "Sequence[NewBudgetItem]" = (),
        carry: "Carry" = "none",
        carry_cap: Decimal | int | str | None = None,
        prorate: bool = False,
        tiers: Sequence[int] = (75, 90, 100),
        idempotency_key: str | None = None,
    ) -> "Budget":
        """Create a budget in a book.

        Args:
            name: for people.
            amount: how much may be spent in a period.
            period: how long a period of the book's calendar is.
            start_date: the first day that counts.
            user_id: whose book gets it; default: the user of the token.
            organization_id: instead of a user, the organization whose book gets it.
            currency: of all amounts; default: the book's.
            end_date: the first day that counts no more; default: it has no end.
            wallet_ids: what was spent from these; default: from all.
            category_ids: what was spent on these, each with all that is under it; default: all expenses.
            items: shares of the amount for single categories.
            carry: what a period takes over: ``none``, ``surplus`` or ``full``.
            carry_cap: the most that it takes over; default: no limit.
            prorate: whether a period that is cut has its share of the amount, by days.
            tiers: percentages, ascending; reaching one is an event.
            idempotency_key: one is created per key; default: a new key.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
            BudgetLimit: the book has as many as it may.
            WalletNotFound: the book has no such wallet.
            LabelNotFound: the book has no such category.
            CurrencyUnknown: there is no such currency.
            AmountPrecision: an amount has more decimals than the currency.
            ValidationFailed: a value is not one, or a category is not under Expense.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        owner = {
            "user_id": None if user_id is None else str(user_id),
            "organization_id": None if organization_id is None else str(organization_id),
        }
        body = _body(
            name, amount, period, start_date, currency, end_date, wallet_ids, category_ids, items
        ) | {"carry": carry, "carry_cap": carry_cap, "prorate": prorate, "tiers": list(tiers)}
        call = post_call("create_budget", "/budgets", budget_of, owner | body, idempotency_key)
        return self._runner.run(call)

    def list(
        self,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Budget]":
        """The budgets of a book, oldest first.

        Args:
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            page_size: items per request, 1 to 100.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
        """
        query = {"user_id": user_id, "organization_id": organization_id, "limit": page_size}

        def page_after(cursor: str | None) -> "Call[Page[Budget]]":
            return get_call("list_budgets", "/budgets", budgets_of, query | {"cursor": cursor})

        return Pages(self._runner, page_after)

    def get(self, budget_id: Id) -> "Budget":
        """Read a budget.

        Args:
            budget_id: its id.

        Raises:
            BudgetNotFound: there is none, or the caller may not see its book.
        """
        return self._runner.run(get_call("get_budget", _ROUTE, budget_of, budget_id=budget_id))

    def replace(
        self,
        budget_id: Id,
        name: str,
        amount: Decimal | int | str,
        period: "BudgetPeriodKind",
        start_date: "Day",
        *,
        currency: str | None = None,
        end_date: "Day | None" = None,
        wallet_ids: Sequence[Id] = (),
        category_ids: Sequence[Id] = (),
        items: "Sequence[NewBudgetItem]" = (),
        carry: "Carry" = "none",
        carry_cap: Decimal | int | str | None = None,
        prorate: bool = False,
        tiers: Sequence[int] = (75, 90, 100),
        if_version: int | None = None,
    ) -> "Budget":
        """Set all of a budget. What is left out gets its default. A higher amount re-arms tiers that are reached no more.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            budget_id: its id.
            name: as ``create``.
            amount: as ``create``.
            period: as ``create``.
            start_date: as ``create``.
            currency: as ``create``.
            end_date: as ``create``.
            wallet_ids: as ``create``.
            category_ids: as ``create``.
            items: as ``create``.
            carry: as ``create``.
            carry_cap: as ``create``.
            prorate: as ``create``.
            tiers: as ``create``.
            if_version: set it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            BudgetNotFound: there is none, or the caller may not see its book.
            WalletNotFound: the book has no such wallet.
            LabelNotFound: the book has no such category.
            CurrencyUnknown: there is no such currency.
            AmountPrecision: an amount has more decimals than the currency.
            ValidationFailed: a value is not one, or a category is not under Expense.
            OutcomeUnknown: it may have been set; read it.
        """
        body = _body(
            name, amount, period, start_date, currency, end_date, wallet_ids, category_ids, items
        ) | {"carry": carry, "carry_cap": carry_cap, "prorate": prorate, "tiers": list(tiers)}
        call = change_call(
            "set_budget", "PUT", _ROUTE, budget_of, encode(body), if_version, budget_id=budget_id
        )
        return self._runner.run(call)

    def delete(self, budget_id: Id, *, if_version: int | None = None) -> None:
        """Delete a budget with its alerts. The call has no idempotency key; see ``replace``.

        Args:
            budget_id: its id.
            if_version: delete it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            BudgetNotFound: there is none, or the caller may not see its book.
            OutcomeUnknown: it may have been deleted; read it.
        """
        call = change_call(
            "delete_budget", "DELETE", _ROUTE, nothing_of, None, if_version, budget_id=budget_id
        )
        return self._runner.run(call)

    def progress(
        self, *, user_id: Id | None = None, organization_id: Id | None = None, on: "Day | None" = None
    ) -> "BudgetProgressList":
        """How far all budgets of a book are.

        Args:
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            on: the day of the figures, not after today, which is the default.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
            ValidationFailed: the day is none, or after today.
        """
        query = {"user_id": user_id, "organization_id": organization_id, "on": on}
        return self._runner.run(
            get_call("get_budget_progress", "/budgets/progress", budget_progress_of, query)
        )

    def details(self, budget_id: Id, *, on: "Day | None" = None) -> "BudgetDetails":
        """A budget in a period: its pace, its items, and earlier periods.

        Args:
            budget_id: its id.
            on: the day of the figures, not after today, which is the default.

        Raises:
            BudgetNotFound: there is none, or the caller may not see its book.
            ValidationFailed: the day is none, or after today.
        """
        route = f"{_ROUTE}/details"
        return self._runner.run(
            get_call("get_budget_details", route, budget_details_of, {"on": on}, budget_id=budget_id)
        )


def _body(
    name: str,
    amount: Decimal | int | str,
    period: str,
    start_date: "Day",
    currency: str | None,
    end_date: "Day | None",
    wallet_ids: Sequence[Id],
    category_ids: Sequence[Id],
    items: "Sequence[NewBudgetItem]",
) -> dict[str, Any]:
    return {
        "name": name,
        "amount": amount,
        "period": period,
        "start_date": str(start_date),
        "currency": currency,
        "end_date": None if end_date is None else str(end_date),
        "wallet_ids": [str(each) for each in wallet_ids],
        "category_ids": [str(each) for each in category_ids],
        "items": [each.members for each in items],
    }
