"""Declares the room."""

from wallet_service.core.room import EventType, JobType, Permission, RecordedRead, Room, VerifyWalk
from wallet_service.finance.budgets.problems import BudgetLimit, BudgetNotFound

PATH = "/api/v1/budgets"

BUDGETS_READ = Permission("budgets:read", "Read the budgets of books and how far they are", is_users=True)
BUDGETS_WRITE = Permission(
    "budgets:write", "Create, change and delete budgets", includes=("budgets:read",), is_users=True
)

ROOM = Room(
    name="budgets",
    module=__name__,
    summary="budgets: what may be spent in each period, what is left of it, and alerts at chosen percentages",
    routers=("router:router",),
    tags={
        "budgets": "What may be spent in each period on categories of a book, what is left, and what is carried over."
    },
    permissions=(BUDGETS_READ, BUDGETS_WRITE),
    problems=(BudgetNotFound, BudgetLimit),
    lifespan="lifespan:open_budgets",
    schema="finance",
    hooks={"finance.count_label_uses": "count_budgets_of_label"},
    jobs=(
        JobType(
            name="check_budgets",
            summary="looks in all books for budgets that have reached a tier",
            handler="jobs:check_budgets",
            schedule="17 * * * *",
            timeout_s=3600,
        ),
    ),
    event_types=(
        *(
            EventType(name=f"budget.{name}", summary=summary, data="schemas:Budget", masked=("name",))
            for name, summary in (
                ("created", "A budget was created."),
                ("updated", "A budget was changed."),
                ("deleted", "A budget was deleted."),
            )
        ),
        EventType(
            name="budget.reached",
            summary="What was spent of a budget in a period has reached a tier; once for each.",
            data="schemas:BudgetAlert",
            masked=("name",),
        ),
    ),
    recorded_reads={
        name: RecordedRead(action="budget.read")
        for name in ("list_budgets", "get_budget", "get_budget_progress", "get_budget_details")
    },
    verify_walks=(
        VerifyWalk(
            "verify_budgets",
            "budgets",
            {
                "budget items": "the items of a budget are together at most its amount",
                "budget categories": "the categories of a budget and of its items are of its book",
                "budget wallets": "the wallets of a budget are of its book",
                "budget alerts": "a tier was reached after the budget was created, and re-armed after that",
            },
        ),
    ),
)
