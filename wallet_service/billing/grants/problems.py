"""Problems of grants. The SQL kernel uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_GRANT = "0199d0a8-0000-7000-8000-00000000a001"
_SCHEDULE = "0199d0a8-0000-7000-8000-00000000b001"
_WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


class GrantNotFound(WalletError):
    """There is no such grant, or the caller may not see its wallet."""

    code, status, title = "grant_not_found", 404, "Grant not found"
    details = ("There is no grant {grant_id}",)
    example_facts: ClassVar[Mapping[str, Any]] = {"grant_id": _GRANT}


class GrantEnded(WalletError):
    """The grant has ended, or nothing is left of it that is not reserved."""

    code, status, title = "grant_ended", 409, "Grant ended"
    details = ("The grant {grant_id} is {state}: nothing of it can be taken back",)
    example_facts: ClassVar[Mapping[str, Any]] = {"grant_id": _GRANT, "state": "expired"}


class GrantLimit(WalletError):
    """The wallet has as many live grants as it may have."""

    code, status, title = "grant_limit", 409, "Limit of grants reached"
    details = ("The wallet {wallet_id} has {limit} live grants already, the most that are allowed",)
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": _WALLET, "limit": 1000}


class GrantScheduleNotFound(WalletError):
    """The wallet has no such schedule."""

    code, status, title = "grant_schedule_not_found", 404, "Grant schedule not found"
    details = ("The wallet has no grant schedule {schedule_id}",)
    example_facts: ClassVar[Mapping[str, Any]] = {"schedule_id": _SCHEDULE}


class GrantScheduleLimit(WalletError):
    """The wallet has as many schedules as it may have."""

    code, status, title = "grant_schedule_limit", 409, "Limit of grant schedules reached"
    details = ("The wallet {wallet_id} has {limit} grant schedules already, the most that are allowed",)
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": _WALLET, "limit": 20}


class GrantsNotUsable(WalletError):
    """The balance is high enough, but too much of it is in grants that can't pay this.

    A grant can be for some counter accounts only, and transfers and withdrawals take only what is not granted, and
    grants that are transferable.
    """

    code, status, title = "grants_not_usable", 402, "Grants not usable for this"
    details = (
        "Of the wallet {wallet_id}, {not_usable} {currency} are in grants that can't pay this: {shortfall} is missing",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "wallet_id": _WALLET,
        "currency": "CREDIT",
        "shortfall": "2.500000",
        "not_usable": "20.000000",
    }
