"""Problems of limits. The SQL kernel uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class LimitExceeded(WalletError):
    """A debit, or a hold, would exceed a limit of the wallet.

    ``resets_at`` is the earliest moment at which the operation fits into this limit, if nothing else is spent: the end
    of the period, or when enough has fallen out of the rolling window; null where waiting does not help.
    """

    code, status, title = "limit_exceeded", 409, "Limit exceeded"
    details = (
        "A limit of the wallet {wallet_id} is {limit_amount} ({period}), set by its {set_by}: {remaining} is left",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
        "limit_id": "0199d0a8-0000-7000-8000-00000000f001",
        "set_by": "operator",
        "period": "day",
        "counter_account": "revenue:usage*",
        "limit_amount": "25.000000",
        "used": "24.000000",
        "reserved": "0.000000",
        "remaining": "1.000000",
        "resets_at": "2026-01-03T00:00:00.000000Z",
    }
