"""Problems of budgets. SQL uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class BudgetNotFound(WalletError):
    """The budget does not exist, or is of a book that the caller may not see."""

    code, status, title = "budget_not_found", 404, "Budget not found"
    details = ("There is no budget {budget_id}, or the caller may not see it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"budget_id": "0199d0a8-0000-7000-8000-00000000d001"}


class BudgetLimit(WalletError):
    """The book has as many budgets as it may."""

    code, status, title = "budget_limit", 409, "Too many budgets"
    details = ("The book has {limit} budgets, and may not have more: delete one that is not needed",)
    example_facts: ClassVar[Mapping[str, Any]] = {"limit": 200}
