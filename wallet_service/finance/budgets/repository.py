"""The SQL functions of budgets."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wallet_service.finance.budgets.schemas import MOST_BUDGETS
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created


class BudgetRepository:
    """Reads and changes budgets. Who may see their book is decided before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, budget_id: str, client_id: str, key: str | None, request_hash: str, budget: Mapping[str, Any]
    ) -> Created:
        """Create a budget, once for each key.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            BudgetLimit: the book has too many.
            WalletNotFound, LabelNotFound: the book has no such wallet or category.
            CurrencyUnknown, AmountPrecision, ValidationFailed: a value is not one.
        """
        answer = await self._database.repeat(
            "create_budget",
            budget_id=budget_id,
            client_id=client_id,
            key=key,
            request_hash=request_hash,
            budget=Json.of(budget),
            limit=MOST_BUDGETS,
            caller=caller_param(),
        )
        return Created.of(answer, "budget")

    async def get(self, budget_id: str) -> bytes:
        """A budget as JSON.

        Raises:
            BudgetNotFound: there is none.
        """
        return await self._database.read("get_budget", budget_id=budget_id)

    async def page(self, book_id: str, after: str | None, limit: int) -> tuple[bytes, str | None]:
        """A page of the budgets of a book: JSON, and the id to continue after; None at the end."""
        answer = await self._database.read("list_budgets", book_id=book_id, after=after, limit=limit)
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode() or None

    async def replace(
        self, budget_id: str, book_id: str, version: int | None, budget: Mapping[str, Any]
    ) -> bytes:
        """Set all of a budget, if it has this version (None: any), and return it.

        Raises:
            VersionMismatch: it has another one.
            BudgetNotFound: the book has no such budget.
            WalletNotFound, LabelNotFound, CurrencyUnknown, AmountPrecision, ValidationFailed: as ``create``.
        """
        return await self._database.call(
            "replace_budget",
            budget_id=budget_id,
            book_id=book_id,
            version=version,
            budget=Json.of(budget),
            caller=caller_param(),
        )

    async def delete(self, budget_id: str, book_id: str, version: int | None) -> None:
        """Delete a budget, if it has this version (None: any).

        Raises:
            VersionMismatch, BudgetNotFound: as ``replace``.
        """
        await self._database.call(
            "delete_budget", budget_id=budget_id, book_id=book_id, version=version, caller=caller_param()
        )

    async def progress(self, book_id: str, on: str | None, pending: int) -> bytes:
        """The progress of all budgets of a book on a day (None: today) as JSON.

        Raises:
            ValidationFailed: the day is after today.
        """
        return await self._database.read("read_budget_progress", book_id=book_id, on=on, pending=pending)

    async def details(self, budget_id: str, on: str | None, pending: int) -> bytes:
        """The figures of a budget as JSON; as ``progress``.

        Raises:
            BudgetNotFound: there is none.
        """
        return await self._database.read("read_budget_details", budget_id=budget_id, on=on, pending=pending)

    async def check(self, book_id: str) -> int:
        """Record the tiers that budgets of a book have reached, each once. How many were new."""
        found = await self._database.repeat("check_budgets", book_id=book_id)
        return json.loads(found)["reached"]

    async def books(self, after: str | None, limit: int) -> Sequence[str]:
        """Ids of books that have budgets, after an id."""
        return json.loads(await self._database.read("list_budget_books", after=after, limit=limit))
