"""Problems of rules. SQL uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_BOOK = "0199d0a8-0000-7000-8000-00000000b001"


class RuleNotFound(WalletError):
    """The rule does not exist, or is of a book that the caller may not see."""

    code, status, title = "rule_not_found", 404, "Rule not found"
    details = ("There is no rule {rule_id} in the book, or the caller may not see it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"rule_id": "0199d0a8-0000-7000-8000-00000000d001"}


class RuleLimit(WalletError):
    """The book has as many rules as it may have."""

    code, status, title = "rule_limit", 409, "Limit of rules reached"
    details = ("The book {book_id} has {limit} rules, the most that are allowed",)
    example_facts: ClassVar[Mapping[str, Any]] = {"book_id": _BOOK, "limit": 1000}


class RulesChanged(WalletError):
    """An order names other rules than the book has."""

    code, status, title = "rules_changed", 409, "Order is not of the book's rules"
    details = ("The book has {rules} rules, and an order names each of them once: read the list again",)
    example_facts: ClassVar[Mapping[str, Any]] = {"book_id": _BOOK, "rules": 3}
