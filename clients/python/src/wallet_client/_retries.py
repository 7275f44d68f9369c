"""When a call is sent again, how long after, and what is known of it when it is not."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from wallet_client.errors import NeighbourUnavailable, Overloaded, RateLimited, ServiceError, WalletBusy

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_NEVER_SENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_AGAIN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)

_NOTHING_DONE = (RateLimited, Overloaded, WalletBusy, NeighbourUnavailable)
_NOT_OF_THE_LEDGER = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long.

    Attributes:
        max_retries: tries after the first.
        budget_s: how long a call may take with all its tries and waits.
        base_s: the longest wait before the second try; each later one may be twice as long.
        longest_s: what no wait is longer than, unless the service asks for it.
    """

    max_retries: int
    budget_s: float
    base_s: float = 0.1
    longest_s: float = 5.0

    def wait_s(self, retries: int, retry_after_s: float | None) -> float:
        """How long to wait after so many retries: by chance, and after what the service asked for."""
        spread = min(self.longest_s, self.base_s * 2**retries)
        return (retry_after_s or 0.0) + random.random() * spread  # noqa: S311 - spreads load, hides nothing


def is_unsent(error: httpx.RequestError) -> bool:
    """Whether the service can't have heard of the request."""
    return isinstance(error, _UNSENT + _NEVER_SENT)


def may_pass(error: httpx.RequestError) -> bool:
    """Whether the same request may get through a moment later."""
    return isinstance(error, _AGAIN)


def is_temporary(error: ServiceError) -> bool:
    """Whether the same request may succeed a moment later: 429 and 5xx, where the problem does not say otherwise."""
    known = error.status == HTTPStatus.TOO_MANY_REQUESTS or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return known and error.retryable


def leaves_open(error: ServiceError) -> bool:
    """Whether the request may have been done although it was answered so."""
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, _NOTHING_DONE)


def settles(error: ServiceError) -> bool:
    """Whether an answer under the same key tells that no earlier try was done: only the ledger looks at keys."""
    return (
        error.code != ""
        and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        and error.status not in _NOT_OF_THE_LEDGER
    )


def retry_after_s(value: str | None) -> float | None:
    """``Retry-After`` in seconds from now: a number of them, or a date. None: nothing that can be read."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
