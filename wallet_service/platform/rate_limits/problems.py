"""The room's problem."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class RateLimited(WalletError):
    """The client, user or address has used up its limit, or Redis can't count the request. Nothing was done."""

    code, status, title = "rate_limited", 429, "Too many requests"
    retryable = True
    retry_after_s = 1
    example_facts: ClassVar[Mapping[str, Any]] = {"scope": "client", "limit": 1000, "window_s": 60}
