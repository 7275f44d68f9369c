"""The seam between the service and Postgres: one function call, JSON bytes back."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import simplejson
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from wallet_service.errors import Unavailable


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

RESEND = AsyncRetrying(
    retry=retry_if_exception_type(Unavailable),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(multiplier=0.05, max=1.0),
    reraise=True,
)
"""How a call that is safe to repeat is repeated: 4 attempts, about a second in all."""


class Database(ABC):
    """Calls the functions of schema ``wallet_api``, and nothing else."""

    @abstractmethod
    async def call(self, function: str, /, **params: Param) -> bytes:
        """Call ``wallet_api.<function>`` once, parameters prefixed ``p_``; returns the text it answers.

        Raises:
            WalletError: the function refused (SQLSTATE WL001), translated by its code.
            WalletBusy: a lock was not to be had in time.
            Unavailable: the server can't be reached, or the connection was lost; the call may have happened.
        """

    @abstractmethod
    async def close(self) -> None:
        """Wait for calls under way, then close every connection."""

    async def read(self, function: str, /, **params: Param) -> bytes:
        """``call`` for a function that changes nothing: sent again when the connection is lost."""
        async for attempt in RESEND.copy():
            with attempt:
                return await self.call(function, **params)
        raise AssertionError("tenacity re-raises the last error")  # pragma: no cover
