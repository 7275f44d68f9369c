"""The real database behind a wrapper that loses or delays calls and records them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from wallet_service.core.errors import Unavailable
from wallet_service.platform.database.gateway import Database, Json, Param

LONGEST_S = 10


class FaultyDatabase(Database):
    """Passes calls on to the real database.

    Attributes:
        sent: the units of each call, in the order of the calls.
        calls: the other parameters of each call.
    """

    def __init__(self, database: Database, *failures: str | None) -> None:
        """``failures``: when each of the first calls loses its connection: ``before`` or ``after`` it; None: not."""
        self._database = database
        self._failures = list(failures)
        self._gate: asyncio.Event | None = None
        self._pauses = any_units
        self._called = asyncio.Event()
        self.sent: list[Any] = []
        self.calls: list[dict[str, Param]] = []

    async def call(self, function: str, /, **params: Param) -> bytes:
        units = params["units"]
        assert isinstance(units, Json)
        read = json.loads(units.text)
        self.sent.append(read)
        self.calls.append({name: value for name, value in params.items() if name != "units"})
        self._called.set()
        gate = self._gate
        if gate is not None and self._pauses(read):
            await gate.wait()
        failure = self._failures.pop(0) if self._failures else None
        if failure == "before":
            raise Unavailable
        answer = await self._database.call(function, **params)
        if failure == "after":
            raise Unavailable
        return answer

    async def close(self) -> None:
        raise AssertionError("the ledger does not own the database")

    @asynccontextmanager
    async def paused(self, which: Callable[[Any], bool] | None = None) -> AsyncIterator[None]:
        """Until the end of the block calls wait; with ``which``, only calls with such units."""
        self._gate, self._pauses = asyncio.Event(), which or any_units
        try:
            yield
        finally:
            self._gate.set()
            self._gate = None

    def fail_next(self, *failures: str | None) -> None:
        """The failures of the next calls, as in the constructor. A call that is paused counts as one of them."""
        self._failures = list(failures)

    def batch_sizes(self) -> list[int]:
        """The number of operations of each call."""
        return [sum(len(unit["operations"]) for unit in units) for units in self.sent]

    async def wait_for_calls(self, calls: int) -> None:
        """Return when this many calls were sent."""
        async with asyncio.timeout(LONGEST_S):
            while len(self.sent) < calls:
                self._called.clear()
                await self._called.wait()


def any_units(units: Any) -> bool:
    """Any call."""
    return bool(units)


def has_wallet(wallet_id: str) -> Callable[[Any], bool]:
    """A condition for ``paused``: the units have an operation on this wallet."""
    return lambda units: any(
        wallet_id in (operation.get("wallet_id"), operation.get("to_wallet_id"))
        for unit in units
        for operation in unit["operations"]
    )
