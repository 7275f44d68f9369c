"""Turns at the database: so many calls at a time, the others wait."""

import asyncio
from typing import Literal


class Turns(asyncio.Semaphore):
    """A semaphore that can be looked at.

    Attributes:
        size: most turns at a time.
        taken: turns under way.
        waiting: who waits for one.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size
        self.taken = 0
        self.waiting = 0

    async def acquire(self) -> Literal[True]:
        """Begin a turn when there is one."""
        self.waiting += 1
        try:
            await super().acquire()
        finally:
            self.waiting -= 1
        self.taken += 1
        return True

    async def acquire_by(self, until: float) -> None:
        """Begin a turn whose holder has at least half of its time left.

        Whoever got one later would often be given up half-way: with too many callers all turns would go to such, and
        none would end well.

        Args:
            until: when the holder's time is over, by the loop's clock.

        Raises:
            TimeoutError: there was none in the first half.
        """
        if not self.locked():
            await self.acquire()
            return
        async with asyncio.timeout_at((asyncio.get_running_loop().time() + until) / 2):
            await self.acquire()

    def release(self) -> None:
        """End a turn."""
        self.taken -= 1
        super().release()
