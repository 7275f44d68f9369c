"""Opens the room when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.finance.budgets.repository import BudgetRepository
from wallet_service.finance.parts.service import Cataloguing


@asynccontextmanager
async def open_budgets(context: RoomContext) -> AsyncGenerator[None]:
    """Look for reached tiers after entries were catalogued."""
    cataloguing: Cataloguing = context.state.cataloguing
    repository = BudgetRepository(context.state.database)

    async def follow(book_id: str) -> None:
        await repository.check(book_id)

    cataloguing.followers.append(follow)
    yield
