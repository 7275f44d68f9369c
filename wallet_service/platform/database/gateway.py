"""The interface to PostgreSQL: a call of one function returns JSON bytes."""

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
        """Encode a value as JSON. A Decimal keeps its digits, unlike with the standard library."""
        return cls(simplejson.dumps(value, use_decimal=True, allow_nan=False, separators=(",", ":")))


Param: TypeAlias = "str | int | bool | Json | None"
"""The type of a parameter. Amounts and timestamps (RFC 3339) are strings, which both drivers keep exact."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,60}")

resend = RetryPolicy(
    is_temporary=lambda error: isinstance(error, Unavailable) and error.is_temporary,
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
