"""Problems of holds. The SQL kernel uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_HOLD = "0199d0a8-0000-7000-8000-00000000b001"
_WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


class HoldNotFound(WalletError):
    """There is no such hold, or the caller may not see its wallet."""

    code, status, title = "hold_not_found", 404, "Hold not found"
    details = ("There is no hold {hold_id}",)
    example_facts: ClassVar[Mapping[str, Any]] = {"hold_id": _HOLD}


class HoldEnded(WalletError):
    """The hold was captured, voided, or has expired: it keeps nothing, and does not change any more."""

    code, status, title = "hold_ended", 409, "Hold ended"
    details = ("The hold {hold_id} is {state}: it can't be captured or changed any more",)
    example_facts: ClassVar[Mapping[str, Any]] = {"hold_id": _HOLD, "state": "expired"}


class HoldExceeded(WalletError):
    """A capture is higher than what the hold still keeps, and its `overage` is `refuse`.

    ``available`` is what the wallet has beside its holds: with ``take_available`` the capture takes of it.
    """

    code, status, title = "hold_exceeded", 409, "Hold exceeded"
    details = (
        "The hold {hold_id} keeps {remaining} {currency}: the capture is {excess} more. Increase it, or allow an overage",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "hold_id": _HOLD,
        "wallet_id": _WALLET,
        "currency": "CREDIT",
        "remaining": "2.500000",
        "available": "7.500000",
        "excess": "1.000000",
    }


class HoldLimit(WalletError):
    """The wallet has as many open holds as it may have."""

    code, status, title = "hold_limit", 409, "Limit of holds reached"
    details = (
        "The wallet {wallet_id} has {limit} open holds already, the most that are allowed: capture or void some",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": _WALLET, "limit": 1000}
