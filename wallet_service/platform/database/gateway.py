"""The seam between the service and Postgres: one function call, JSON bytes back."""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import simplejson
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from wallet_service.core.errors import Overloaded, Unavailable, WalletBusy
from wallet_service.platform.database.concurrency_limit import ConcurrencyLimit


@dataclass(frozen=True, slots=True)
class Json:
    """A parameter of type jsonb, as JSON text."""

    text: str

    @classmethod
    def of(cls, value: Any) -> "Json":
        """The text of decoded JSON; a Decimal keeps its digits, unlike in the standard library."""
        return cls(simplejson.dumps(value, use_decimal=True, allow_nan=False, separators=(",", ":")))


Param: TypeAlias = "str | int | bool | Json | None"
"""What a function takes. Amounts and timestamps (RFC 3339) go as strings: both drivers keep them exact."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,60}")

_RESEND = AsyncRetrying(
    retry=retry_if_exception(lambda error: isinstance(error, Unavailable) and error.passing),
    stop=stop_after_delay(1.0),
    wait=wait_random_exponential(multiplier=0.05, max=1.0),
    reraise=True,
)

_Result = TypeVar("_Result")


async def resend(call: Callable[[], Awaitable[_Result]]) -> _Result:
    """Call what is safe to repeat, and again when the line is lost, for about a second.

    A call that hangs is given up by its own timeout; after that there is one more attempt at most.

    Raises:
        Unavailable: the last attempt's.
    """
    try:
        return await call()  # by itself: the way through tenacity costs 55 µs
    except Unavailable as error:
        if not error.passing:
            raise
        async for attempt in _RESEND.copy():
            with attempt:
                return await call()
    raise AssertionError("tenacity re-raises the last error")  # pragma: no cover


@lru_cache(maxsize=1024)
def check_names(*names: str) -> None:
    """Refuse what is not the name of a function or a parameter: names can't be parameters of SQL.

    Raises:
        ValueError: names the one that is something else.
    """
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"not a name: {name!r}")


class Database(ABC):
    """Calls the functions of schema ``wallet_api``, and nothing else.

    Attributes:
        limit: on its connections; None where there are none.
    """

    limit: ConcurrencyLimit | None = None

    @abstractmethod
    async def call(self, function: str, /, **params: Param) -> bytes:
        """Call ``wallet_api.<function>`` once, parameters prefixed ``p_``; returns the text it answers.

        Raises:
            WalletError: the function refused (SQLSTATE WL001), translated by its code.
            WalletBusy: a lock was not to be had in time.
            Overloaded: nothing was done, since no connection was free in time or the REST API takes no more.
            Unavailable: the server can't be reached, or the connection was lost; the call may have happened.
        """

    @abstractmethod
    async def close(self) -> None:
        """Wait for calls under way, then close every connection."""

    async def repeat(self, function: str, /, **params: Param) -> bytes:
        """``call`` for a function that has one effect however often it is called: sent again when the line is lost.

        Overloaded and WalletBusy say that nothing was done. After a lost attempt nobody knows that: it is Unavailable.
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
        """Call a function that changes nothing; again when the line is lost."""
        return await resend(lambda: self.call(function, **params))
