"""The job of budgets."""

from typing import TYPE_CHECKING

from wallet_service.finance.budgets.repository import BudgetRepository

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.platform.jobs.context import JobContext

_PAGE = 100


async def check_budgets(context: "JobContext") -> None:
    """Look in each book that has budgets for tiers that were reached and not found when its entries were catalogued.

    Such are those of a rate that came later, of a category that was moved, or of a process that ended in between.
    """
    repository = BudgetRepository(context.state.database)
    after: str | None = None
    checked = reached = 0
    while page := await repository.books(after, _PAGE):
        for book_id in page:
            reached += await repository.check(book_id)
            checked += 1
        context.progress(checked, note=f"books; {reached} tiers were reached")
        await context.heartbeat()
        after = page[-1]
