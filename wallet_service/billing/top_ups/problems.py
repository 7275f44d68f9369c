"""Problems of top-ups."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_TOP_UP = "0199d0a8-0000-7000-8000-00000000c001"
_WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


class TopUpRuleNotFound(WalletError):
    """The wallet has no rule for top-ups."""

    code, status, title = "top_up_rule_not_found", 404, "No rule for top-ups"
    details = ("The wallet {wallet_id} has no rule for top-ups",)
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": _WALLET}


class TopUpNotFound(WalletError):
    """There is no such top-up, or the caller may not see its wallet."""

    code, status, title = "top_up_not_found", 404, "Top-up not found"
    details = ("There is no top-up {top_up_id}",)
    example_facts: ClassVar[Mapping[str, Any]] = {"top_up_id": _TOP_UP}


class TopUpUnderWay(WalletError):
    """The wallet has a top-up that has not ended. It has one at a time, so that it is never charged twice."""

    code, status, title = "top_up_under_way", 409, "Top-up under way"
    details = ("The top-up {top_up_id} of the wallet {wallet_id} has not ended yet",)
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": _WALLET, "top_up_id": _TOP_UP}
