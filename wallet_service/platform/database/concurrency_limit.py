"""Limits how many calls of the database are under way; the others wait."""

import asyncio
from typing import Literal


class ConcurrencyLimit(asyncio.Semaphore):
    """A semaphore whose use can be measured.

    Attributes:
        size: the maximum number of calls at a time.
        taken: calls under way.
        waiting: calls that wait for a place.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size
        self.taken = 0
        self.waiting = 0

    async def acquire(self) -> Literal[True]:
        """Take a place as soon as one is free."""
        self.waiting += 1
        try:
            await super().acquire()
        finally:
            self.waiting -= 1
        self.taken += 1
        return True

    async def acquire_by(self, until: float) -> None:
        """Take a place while at least half of the call's time is left.

        A call that starts later would often time out half-way. With too many callers all places would go to such
        calls, and none would succeed.

        Args:
            until: the end of the call's time, by the loop's clock.

        Raises:
            TimeoutError: no place became free in the first half of the time.
        """
        if not self.locked():
            await self.acquire()
            return
        async with asyncio.timeout_at((asyncio.get_running_loop().time() + until) / 2):
            await self.acquire()

    def release(self) -> None:
        """Give the place back."""
        self.taken -= 1
        super().release()
