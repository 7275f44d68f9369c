"""When a call is sent again, how long after, and what is known of it when it is not."""

import random
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from wallet_client.errors import NeighbourUnavailable, Overloaded, RateLimited, ServiceError, WalletBusy

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_NEVER_SENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_AGAIN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)

NOTHING_DONE = (RateLimited, Overloaded, WalletBusy, NeighbourUnavailable)

OF_THE_LEDGER = frozenset(
    {
        "amount_precision",
        "balance_limit",
        "currency_mismatch",
        "currency_unknown",
        "idempotency_key_reused",
        "insufficient_funds",
        "not_refundable",
        "refund_exceeds",
        "same_wallet",
        "transaction_not_found",
        "transaction_superseded",
        "wallet_closed",
        "wallet_exists",
        "wallet_frozen",
        "wallet_not_found",
    }
)
"""What only the ledger says of a call with a key, which it looks at first. All else may be said before it is asked."""

SHORTEST_TRY_S = 0.25
"""A try that has less time left (or less than ``timeout_s``) is not begun: it would only make the end unknown."""

_MOST_TOKENS = 500.0
_TOKENS_OF_A_RETRY = 5.0
_TOKENS_OF_A_RETRY_AFTER_SILENCE = 10.0
_TOKENS_OF_A_SUCCESS = 1.0


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


class RetryTokens:
    """What keeps all calls of a client together from storming a service that is in need: a retry costs.

    A retry costs 5 of 500 tokens, one after a time-out 10. A success gives back what its last retry cost, or 1. While
    there are too few, no call is sent again: it ends with what its try ended with.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = _MOST_TOKENS

    def take(self, *, silence: bool) -> float:
        """Pay for a retry. What it cost; 0: there are too few."""
        cost = _TOKENS_OF_A_RETRY_AFTER_SILENCE if silence else _TOKENS_OF_A_RETRY
        with self._lock:
            if self._left < cost:
                return 0.0
            self._left -= cost
        return cost

    def give_back(self, cost: float) -> None:
        """A call succeeded, whose last retry cost this; 0: it had none."""
        if self._left < _MOST_TOKENS:
            with self._lock:
                self._left = min(_MOST_TOKENS, self._left + (cost or _TOKENS_OF_A_SUCCESS))


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
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, NOTHING_DONE)


def is_of_the_ledger(error: ServiceError) -> bool:
    """Whether the ledger itself refused, so that no earlier try under the same key was done until then.

    One that is still on its way may be done afterwards, for a refusal spends no key.
    """
    return error.code in OF_THE_LEDGER


def retry_after_s(value: str | None) -> float | None:
    """``Retry-After`` in seconds from now: a number of them, or a date. None: nothing that can be read."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, LookupError, OverflowError):  # beyond the years that there are, too
        return None
