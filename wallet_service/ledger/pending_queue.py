"""A queue of pending units, in which each waits until its deadline at most."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from wallet_service.ledger.pending import PendingUnit

EXPIRY_PAUSE_S = 0.02
"""Least time between two searches for expired units: thousands that expire one after the other share a search."""


@dataclass(slots=True)
class QueueSize:
    """The number of operations that wait in one or more queues."""

    operations: int = 0


class PendingQueue:
    """Pending units in order. A unit whose deadline has passed is refused and removed.

    Args:
        size: counts the operations of this queue, together with those of other queues.
    """

    def __init__(self, size: QueueSize) -> None:
        self._size = size
        self._units: deque[PendingUnit] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """The number of units."""
        return len(self._units)

    def append(self, pending: PendingUnit) -> None:
        """Add a unit at the end."""
        self._units.append(pending)
        self._size.operations += len(pending.places)
        self._expire_at(pending.deadline)

    def put_back(self, units: Sequence[PendingUnit]) -> None:
        """Add units at the front, in their order, unless they have expired."""
        self._units.extendleft(reversed(units))
        self._size.operations += sum(len(pending.places) for pending in units)
        self.expire()

    def first(self) -> PendingUnit:
        """The next unit; it stays in the queue."""
        return self._units[0]

    def pop(self) -> PendingUnit:
        """Remove the next unit."""
        pending = self._units.popleft()
        self._size.operations -= len(pending.places)
        return pending

    def clear(self) -> list[PendingUnit]:
        """Remove all units."""
        return [self.pop() for _ in range(len(self._units))]

    def first_deadline(self) -> float:
        """When the first unit expires, in seconds of the loop's clock."""
        return min(pending.deadline for pending in self._units)

    def expire(self) -> None:
        """Refuse and remove the units whose deadline has passed."""
        self.stop_timer()
        now = asyncio.get_running_loop().time()
        waiting: deque[PendingUnit] = deque()
        for pending in self._units:
            if pending.deadline > now:
                waiting.append(pending)
            else:
                self._size.operations -= len(pending.places)
                pending.give_up()
        self._units = waiting
        if waiting:
            self._expire_at(max(self.first_deadline(), now + EXPIRY_PAUSE_S))

    def stop_timer(self) -> None:
        """Let no unit expire by itself until the next one is added."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire_at(self, deadline: float) -> None:
        if self._timer is None or deadline < self._timer.when():
            self.stop_timer()
            self._timer = asyncio.get_running_loop().call_at(deadline, self.expire)
