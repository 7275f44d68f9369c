"""When a call is sent again, after which wait, and what its last error means for the outcome."""

import math
import os
import random
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from wallet_client._forks import renew_after_fork
from wallet_client.errors import (
    Overloaded,
    RateLimited,
    ServiceError,
    UpstreamUnavailable,
    VaultUnavailable,
    WalletBusy,
)

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_NEVER_SENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_AGAIN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)

_PASSING_4XX = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

NOTHING_DONE = (RateLimited, Overloaded, WalletBusy, UpstreamUnavailable, VaultUnavailable)

OF_THE_LEDGER = frozenset(
    {
        "alert_limit",
        "alert_not_found",
        "alert_not_own",
        "amount_precision",
        "balance_limit",
        "balance_unchanged",
        "book_exists",
        "conversion_off",
        "budget_limit",
        "currency_mismatch",
        "currency_unknown",
        "entries_unbalanced",
        "grant_ended",
        "grant_limit",
        "grant_not_found",
        "grants_not_usable",
        "hold_ended",
        "hold_exceeded",
        "hold_limit",
        "hold_not_found",
        "idempotency_key_reused",
        "insufficient_funds",
        "label_depth",
        "label_exists",
        "label_not_found",
        "limit_exceeded",
        "not_refundable",
        "parts_unbalanced",
        "quote_expired",
        "quote_not_found",
        "rate_missing",
        "rate_stale",
        "refund_exceeds",
        "same_wallet",
        "timestamp_refused",
        "top_up_under_way",
        "transaction_not_found",
        "transaction_superseded",
        "wallet_closed",
        "wallet_exists",
        "wallet_frozen",
        "wallet_mirrored",
        "wallet_not_found",
    }
)
"""Codes with which only the ledger itself refuses a call with a key, after it has checked the key.

Any other code may come from a check that runs before the ledger does.
"""

SHORTEST_ATTEMPT_S = 0.25
"""An attempt with less time left (or less than ``timeout_s``) is not started: its outcome would only be unknown."""

_MOST_DOUBLINGS = 30
"""More would only overflow: a wait of ``longest_s`` is reached long before."""

_MOST_CAUSES = 10

_MOST_TOKENS = 500.0
_TOKENS_OF_A_RETRY = 5.0
_TOKENS_OF_A_RETRY_AFTER_TIMEOUT = 10.0
_TOKENS_OF_A_SUCCESS = 1.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and for how long a call is sent again.

    Attributes:
        max_retries: attempts after the first.
        budget_s: how long a call may take with all its attempts and waits.
        connect_budget_s: how long a call may take while no attempt has reached the service.
        base_s: the upper limit of the wait before the second attempt; it doubles with each later attempt.
        longest_s: the upper limit of every wait, unless the service asks for a longer one.
    """

    max_retries: int
    budget_s: float
    connect_budget_s: float = 3.0
    base_s: float = 0.1
    longest_s: float = 5.0

    def wait_s(self, retries: int, retry_after_s: float | None) -> float:
        """How long to wait after this many retries: what the service asked for, and a random part."""
        spread = min(self.longest_s, math.ldexp(self.base_s, min(retries, _MOST_DOUBLINGS)))
        return (retry_after_s or 0.0) + random.random() * spread  # noqa: S311 - it spreads load; it is no secret


class RetryTokens:
    """Limits the retries of all calls of a client together, so that they do not overload a service in trouble.

    A retry costs 5 of 500 tokens; a retry after a timeout costs 10. A success gives back the cost of its last retry,
    or 1. While there are too few tokens, no call is sent again: it ends with the error of its last attempt.
    """

    def __init__(self) -> None:
        self._left = _MOST_TOKENS
        self._renew_lock()
        renew_after_fork(self, RetryTokens._renew_lock)

    def _renew_lock(self) -> None:
        """In a child process too: a thread of the parent may hold the lock."""
        self._lock = threading.Lock()

    def take(self, *, timed_out: bool) -> float:
        """Pay for a retry. Returns the cost; 0: there are too few tokens."""
        cost = _TOKENS_OF_A_RETRY_AFTER_TIMEOUT if timed_out else _TOKENS_OF_A_RETRY
        with self._lock:
            if self._left < cost:
                return 0.0
            self._left -= cost
        return cost

    def give_back(self, cost: float) -> None:
        """Return the cost of the last retry of a call that succeeded; 0: it had no retry."""
        if self._left < _MOST_TOKENS:
            with self._lock:
                self._left = min(_MOST_TOKENS, self._left + (cost or _TOKENS_OF_A_SUCCESS))


def is_unsent(error: httpx.RequestError) -> bool:
    """Whether the service can't have received the request."""
    return isinstance(error, _UNSENT + _NEVER_SENT)


def is_unreached(error: httpx.RequestError) -> bool:
    """Whether no connection to the service came about."""
    return isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))


def system_text(error: BaseException) -> str:
    """What the operating system reported as the cause, such as "Connection refused"; "": it reported nothing.

    Other texts of the error are left out: they may quote what was sent.
    """
    found = ""
    causes = [error]  # and then the cause of each
    for cause in causes:
        if isinstance(cause, (socket.gaierror, ssl.SSLError)):
            found = cause.strerror or found
        elif isinstance(cause, OSError) and cause.errno is not None:
            found = os.strerror(cause.errno)
        # A group has one error for each address of the host.
        below: BaseException | None = getattr(cause, "exceptions", [cause.__cause__ or cause.__context__])[0]
        if below is not None and len(causes) < _MOST_CAUSES:
            causes.append(below)
    return found


def may_pass(error: httpx.RequestError) -> bool:
    """Whether the same request may get through a moment later."""
    return isinstance(error, _AGAIN)


def is_temporary(error: ServiceError) -> bool:
    """Whether the same request may succeed a moment later: 408, 429 and 5xx, unless the problem says otherwise."""
    known = error.status in _PASSING_4XX or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return known and error.retryable


def leaves_open(error: ServiceError) -> bool:
    """Whether the request may have been done in spite of this error."""
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, NOTHING_DONE)


def is_of_the_ledger(error: ServiceError) -> bool:
    """Whether the ledger itself refused, so that no earlier attempt with the same key had been done by then.

    An earlier attempt that is still on its way may be done afterwards, since a refusal does not use up the key.
    """
    return error.code in OF_THE_LEDGER


def retry_after_s(value: str | None) -> float | None:
    """``Retry-After``, a number or a date, as seconds from now; None: it can't be read."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, LookupError, OverflowError):  # also a year that datetime does not have
        return None
