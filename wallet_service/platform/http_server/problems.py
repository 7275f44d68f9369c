"""The room's problems: refusals of what can't become a request."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class RequestTimeout(WalletError):
    """The head or the body of the request did not arrive in time. Nothing was done."""

    code, status, title = "request_timeout", 408, "Request timeout"
    retryable = True
    retry_after_s = 1


class UriTooLong(WalletError):
    """The path with its query is longer than the service accepts."""

    code, status, title = "uri_too_long", 414, "URI too long"
    example_facts: ClassVar[Mapping[str, Any]] = {"limit_bytes": 8192}


class HeadersTooLarge(WalletError):
    """There are too many headers, or they are too large together, or one of them is."""

    code, status, title = "headers_too_large", 431, "Request headers too large"
    example_facts: ClassVar[Mapping[str, Any]] = {"limit_bytes": 65536}
