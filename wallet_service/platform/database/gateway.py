"""The seam between the service and Postgres: one function call, JSON bytes back."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

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
        """The text of decoded JSON; a Decimal keeps its digits, unlike in the standard library."""
        return cls(simplejson.dumps(value, use_decimal=True, allow_nan=False, separators=(",", ":")))


Param: TypeAlias = "str | int | bool | Json | None"
"""What a function takes. Amounts and timestamps (RFC 3339) go as strings: both drivers keep them exact."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,60}")

resend = RetryPolicy(
    is_temporary=lambda error: isinstance(error, Unavailable) and error.passing,
    first_at_once=True,
    pause_s=0.05,
    longest_pause_s=1.0,
    duration_s=1.0,
).run
"""Make a call that is safe to repeat; repeat it for about a second while the connection is lost.

A call without an answer ends by its own timeout; after that there is one more attempt at most. Raises the last
attempt's ``Unavailable``. A bound method: this is on the way of every call to the database.
"""


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
