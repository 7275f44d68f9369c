"""The interface to PostgreSQL: a call of one function returns JSON bytes."""

import asyncio
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import simplejson

from wallet_service.core.errors import Overloaded, Unavailable, WalletBusy
from wallet_service.core.retries import RetryPolicy
from wallet_service.platform.database.concurrency_limit import ConcurrencyLimit


@dataclass(frozen=True, slots=True)
class Json:
    """A parameter of type jsonb, as JSON text."""

    text: str

    @classmethod
    def of(cls, value: Any) -> "Json":
        """Encode a value as JSON. A Decimal keeps its digits, unlike with the standard library."""
        return cls(simplejson.dumps(value, use_decimal=True, allow_nan=False, separators=(",", ":")))


Param: TypeAlias = "str | int | bool | Json | None"
"""The type of a parameter. Amounts and timestamps (RFC 3339) are strings, which both drivers keep exact."""

_Result = TypeVar("_Result")
_LONGEST_PAUSE_S = 1.0
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,60}")


@dataclass(slots=True)
class _Limit:
    """The time that a call and its repetitions have together, by the loop's clock; set by the first call.

    Attributes:
        until: its end; None before the first call.
        repeat_until: no repetition is planned after this, so that a pause does not go beyond the end.
    """

    until: float | None = None
    repeat_until: float = math.inf


_limit: ContextVar[_Limit | None] = ContextVar("limit", default=None)


def deadline(until: float) -> float:
    """The end of a call's time, for a driver.

    Args:
        until: the end of its time if it repeats no other call, by the loop's clock.
    """
    limit = _limit.get()
    if limit is None:
        return until
    if limit.until is None:
        limit.until = until
        left = until - asyncio.get_running_loop().time()
        limit.repeat_until = until - min(_LONGEST_PAUSE_S, left / 5)
    return limit.until


def _may_repeat(error: Exception) -> bool:
    if not (isinstance(error, Unavailable) and error.is_temporary):
        return False
    limit = _limit.get()
    return limit is None or asyncio.get_running_loop().time() < limit.repeat_until


_repeat = RetryPolicy(
    is_temporary=_may_repeat,
    first_at_once=True,
    pause_s=0.05,
    longest_pause_s=_LONGEST_PAUSE_S,
    duration_s=1.0,
).run


async def resend(attempt: Callable[[], Awaitable[_Result]]) -> _Result:
    """Make a call that is safe to repeat; repeat it for about a second while the connection is lost.

    All attempts together have the time of one call. A call without an answer ends by its own timeout, so it is not
    repeated. Raises the last attempt's ``Unavailable``.
    """
    token = _limit.set(_Limit())
    try:
        return await _repeat(attempt)
    finally:
        _limit.reset(token)


@lru_cache(maxsize=1024)
def check_names(*names: str) -> None:
    """Check names of functions and parameters, because a name can't be a parameter of an SQL statement.

    Raises:
        ValueError: one is not a name; the message has it.
    """
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"not a name: {name!r}")


class Database(ABC):
    """Calls functions of schema ``wallet_api``. The service sends no other statement.

    Attributes:
        limit: on its calls; None if there is no limit.
    """

    limit: ConcurrencyLimit | None = None

    @abstractmethod
    async def call(self, function: str, /, **params: Param) -> bytes:
        """Call ``wallet_api.<function>`` once, with ``p_`` before the names of the parameters; returns its text.

        Raises:
            WalletError: the function refused the call (SQLSTATE WL001); the class is that of the refusal's code.
            WalletBusy: a lock was not free in time.
            Overloaded: no connection was free in time. Nothing was done.
            Unavailable: the server can't be reached, the connection was lost, or a gateway accepts no more requests. The
                call may have taken effect.
        """

    @abstractmethod
    async def close(self) -> None:
        """Wait for calls under way, then close every connection."""

    async def repeat(self, function: str, /, **params: Param) -> bytes:
        """``call`` for a function that has one effect however often it is called; retried if the connection is lost.

        Overloaded and WalletBusy mean that nothing was done. After a lost attempt that is unknown, so the error is
        Unavailable.
        """
        lost = False

        async def attempt() -> bytes:
            nonlocal lost
            try:
                return await self.call(function, **params)
            except Unavailable:
                lost = True
                raise
            except (Overloaded, WalletBusy) as error:
                if lost:
                    raise Unavailable from error
                raise

        return await resend(attempt)

    async def read(self, function: str, /, **params: Param) -> bytes:
        """Call a function that changes nothing; retried if the connection is lost."""
        return await resend(lambda: self.call(function, **params))
