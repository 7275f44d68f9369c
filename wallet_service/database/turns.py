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

    def release(self) -> None:
        """End a turn."""
        self.taken -= 1
        super().release()
