"""Problems of parts. SQL uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


class PartsUnbalanced(WalletError):
    """The amounts of the parts don't sum to the entry. Its amount is negative if it is a debit."""

    code, status, title = "parts_unbalanced", 422, "Parts do not sum to the entry"
    details = (
        "The parts sum to {sum}, and the entry is {amount}: credits are positive, debits negative",
        "The parts don't sum to the entry",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "wallet_id": _WALLET,
        "wallet_version": 2,
        "amount": "-84.37",
        "sum": "-84.36",
    }


class EntryNotFound(WalletError):
    """The book has no such entry, or the caller may not see it."""

    code, status, title = "entry_not_found", 404, "Entry not found"
    details = ("The wallet {wallet_id} has no entry {wallet_version}, or is not of the book",)
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": _WALLET, "wallet_version": 7}


class RunNotFound(WalletError):
    """The run does not exist, or is of a book that the caller may not see."""

    code, status, title = "run_not_found", 404, "Run not found"
    details = ("There is no run {run_id}, or the caller may not see it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"run_id": "0199d0a8-0000-7000-8000-00000000e001"}


class PairNotFound(WalletError):
    """The pair does not exist, or is of a book that the caller may not see."""

    code, status, title = "pair_not_found", 404, "Pair not found"
    details = ("There is no pair {pair_id}, or the caller may not see it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"pair_id": "0199d0a8-0000-7000-8000-00000000f001"}


class EntryPending(WalletError):
    """The entry has no parts yet: the book reads entries in order, and many are before it. Soon it has."""

    code, status, title = "entry_pending", 503, "Entry is not read yet"
    details = ("The book has not read the entry {wallet_version} of the wallet {wallet_id} yet",)
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": _WALLET, "wallet_version": 7}
    retryable = True
    retry_after_s = 1


class PairExists(WalletError):
    """One of the entries is in another pair."""

    code, status, title = "pair_exists", 409, "Entry is in another pair"
    details = ("One of the entries is in the pair {pair_id}: delete that first",)
    example_facts: ClassVar[Mapping[str, Any]] = {"pair_id": "0199d0a8-0000-7000-8000-00000000f001"}
