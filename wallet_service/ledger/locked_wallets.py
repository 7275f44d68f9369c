"""Waiting for wallets, and idempotency keys, that another session has locked.

Each has a lane of its own for as long as units wait for it, so they delay no other wallet. A call that waits for a
locked wallet occupies a connection. So only some wait at a time, and each only for a short time before the next one.
"""

import asyncio
from collections.abc import Sequence

from wallet_service.ledger.batching import Batching, Lane
from wallet_service.ledger.operations import Lockable
from wallet_service.ledger.outcomes import Busy, Outcome
from wallet_service.ledger.pending import PendingUnit
from wallet_service.ledger.pending_queue import QueueSize

_CALL_WAIT_MS = 50
"""How long a call waits for its locked wallet before calls for other locked wallets have their turn."""


class LockedWallets:
    """The lanes of locked wallets and keys.

    Args:
        shared: what all lanes share.

    Attributes:
        size: counts the operations that wait in these lanes; they take no place in the queues of other lanes.
        slots: the calls that may wait for a locked wallet at a time.
    """

    def __init__(self, shared: Batching) -> None:
        self.size = QueueSize()
        self.slots = asyncio.Semaphore(shared.limits.locked_lanes)
        self._shared = shared
        self._lanes: dict[Lockable, LockedLane] = {}

    def __len__(self) -> int:
        """The number of wallets and keys for which units wait."""
        return len(self._lanes)

    def needed_by(self, pending: PendingUnit) -> Lockable | None:
        """One of these wallets and keys that the unit needs."""
        if not self._lanes:
            return None
        return next((lockable for lockable in pending.lockables() if lockable in self._lanes), None)

    def wait(self, pending: PendingUnit, lockable: Lockable) -> None:
        """Let a unit wait for a locked wallet or key; refuse it when it has waited too long or too many wait."""
        limits = self._shared.limits
        now = asyncio.get_running_loop().time()
        if not pending.locked:
            pending.locked = True
            pending.deadline = now + limits.lock_wait_ms / 1000
        if pending.deadline <= now or self.size.operations + len(pending.places) > limits.queue_operations:
            pending.give_up()
            return
        lane = self._lanes.get(lockable)
        if lane is None:
            lane = self._lanes[lockable] = LockedLane(self._shared, self, lockable)
        lane.add(pending)

    def remove(self, lockable: Lockable) -> None:
        """No unit waits for this wallet or key any more."""
        del self._lanes[lockable]


class LockedLane(Lane):
    """The lane of one locked wallet or key. Until a call has found it free, one unit at a time is sent.

    Args:
        shared: what all lanes share.
        locked: the lanes of locked wallets and keys.
        waits_for: the wallet or key.
    """

    def __init__(self, shared: Batching, locked: LockedWallets, waits_for: Lockable) -> None:
        super().__init__(shared, locked, locked.size, waits_for)
        self._wallets = locked
        self._lockable = waits_for
        self._is_free = False

    def _stopped(self) -> None:
        self._wallets.remove(self._lockable)
        self._queue.stop_timer()

    async def _send_next(self) -> None:
        """Wait for a slot; then send the next batch, and settle it."""
        slots = self._wallets.slots
        try:
            async with asyncio.timeout_at(self._queue.first_deadline()):
                await slots.acquire()
        except TimeoutError:
            self._queue.expire()
            return
        try:
            self._sending = self._take(self._shared.limits.batch_operations if self._is_free else 1)
            self._is_free = True
            await self._commit(self._sending)
        finally:
            slots.release()

    async def _send(self, batch: Sequence[PendingUnit]) -> list[Outcome | Busy]:
        if isinstance(self._lockable, tuple):
            return await self._shared.sender.send(batch)
        wait_ms = min(_CALL_WAIT_MS, self._shared.limits.lock_wait_ms)
        return await self._shared.sender.send(batch, self._lockable, wait_ms)

    def _wait(self, parts: Sequence[tuple[str | None, PendingUnit]]) -> None:
        """Units that still wait for this lane's wallet or key go to the front of its queue again."""
        again: list[PendingUnit] = []
        for wallet_id, pending in parts:
            lockable = wallet_id or pending.key()
            if lockable == self._lockable:
                again.append(pending)
            else:
                self._locked.wait(pending, lockable)
        if again:
            self._is_free = False
            self._queue.put_back(again)
