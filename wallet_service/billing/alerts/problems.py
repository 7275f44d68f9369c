"""Problems of alerts. The SQL functions use the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_ALERT = "0199d0a8-0000-7000-8000-00000000b001"


class AlertNotFound(WalletError):
    """The wallet has no such alert."""

    code, status, title = "alert_not_found", 404, "Alert not found"
    details = ("The wallet has no alert {alert_id}",)
    example_facts: ClassVar[Mapping[str, Any]] = {"alert_id": _ALERT}


class AlertNotOwn(WalletError):
    """The alert was set by the other side: the operator (an API key) or the owner (a user's token)."""

    code, status, title = "alert_not_own", 403, "Alert of the other side"
    details = ("The alert {alert_id} was set by the {set_by}, and only that side can change it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"alert_id": _ALERT, "set_by": "operator"}


class AlertLimit(WalletError):
    """The wallet has as many alerts of this side as it may have."""

    code, status, title = "alert_limit", 409, "Limit of alerts reached"
    details = ("The wallet {wallet_id} has {limit} alerts of its {set_by}, the most that are allowed",)
    example_facts: ClassVar[Mapping[str, Any]] = {
        "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
        "set_by": "operator",
        "limit": 20,
    }
