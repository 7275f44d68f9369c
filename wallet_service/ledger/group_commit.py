"""Group commit: while one batch is committing, new operations wait, and then leave together in the next.

Nobody waits on a timer: an operation that finds its lane idle leaves at once. A batch locks and writes each wallet
once, however many operations it has on it, so a hot wallet is no slower than a cold one.

A lane sends one batch at a time and is chosen by the wallet, so a wallet's operations keep their order. What somebody
else holds (a wallet, or a key) gets a lane of its own while that lasts: it holds up only those who want it.
"""

import asyncio
import contextvars
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from wallet_service.core.errors import (
    InternalError,
    Overloaded,
    Unavailable,
    WalletBusy,
    WalletError,
)
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Unit
from wallet_service.ledger.outcomes import Busy, Outcome, read_outcomes
from wallet_service.ledger.pending import Answer, PendingUnit
from wallet_service.ledger.tracing import BatchSpans
from wallet_service.platform.database.gateway import Database, Json, resend

_LOOK_THROUGH_S = 0.02
"""Least time between two looks for operations that waited too long."""

_TURN_MS = 50
"""How long a call waits for a locked wallet before it lets calls for other locked wallets have a turn."""

Need: TypeAlias = str | tuple[str, str]
"""What somebody else can hold: a wallet by its id, or a client's idempotency key."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much waits and leaves at a time.

    Attributes:
        lanes: batches under way at a time.
        locked_lanes: calls that wait for a locked wallet at a time; each keeps a connection.
        batch_operations: most operations of a batch; a unit leaves whole, so a larger one leaves alone.
        queue_operations: most operations that wait for their turn; more are refused as Overloaded. As many can wait
            for what somebody else holds; more are refused as WalletBusy.
        queue_wait_ms: longest wait of an operation for its turn; then it is refused as Overloaded.
        lock_wait_ms: longest wait for a wallet that somebody else holds; then it is refused as WalletBusy.
    """

    lanes: int = 1
    locked_lanes: int = 4
    batch_operations: int = 200
    queue_operations: int = 10_000
    queue_wait_ms: int = 5000
    lock_wait_ms: int = 2000


@dataclass(slots=True, eq=False)
class _Lane:
    """Units that leave in order, one batch at a time.

    Attributes:
        locked: what somebody else holds; None: an ordinary lane.
        free: whether the last call found it free; until then one unit at a time asks for it.
        under_way: the batch that is being sent.
    """

    locked: Need | None = None
    free: bool = False
    queue: deque[PendingUnit] = field(default_factory=deque[PendingUnit])
    under_way: list[PendingUnit] = field(default_factory=list[PendingUnit])
    worker: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class GroupCommit:
    """Gathers units into batches and posts them, each caller getting the outcomes of their own."""

    def __init__(
        self, database: Database, limits: Limits, metrics: CommitMetrics, spans: BatchSpans | None = None
    ) -> None:
        self._database = database
        self._limits = limits
        self._metrics = metrics
        self._spans = spans
        self._lanes = [_Lane() for _ in range(self._limits.lanes)]
        self._locked: dict[Need, _Lane] = {}
        self._slots = asyncio.Semaphore(self._limits.locked_lanes)
        self._workers: set[asyncio.Task[None]] = set()
        self._queued = 0
        self._waiting = 0
        self._closing = False
        self._metrics.queue_limit.set(limits.queue_operations)
        self._metrics.queued.set_function(lambda: self._queued + self._waiting)
        self._metrics.locked.set_function(lambda: len(self._locked))

    async def post(self, unit: Unit) -> list[Outcome]:
        """Post a unit; the outcomes of its operations in order.

        A caller who is cancelled takes nothing back: what was asked for is posted.

        Raises:
            Overloaded: too much is waiting, or it waited too long for its turn; nothing was done.
            Unavailable: the database can't be reached; it may have happened.
        """
        size = len(unit.operations)
        if self._closing:
            raise self._refused(unit, Unavailable("The service is stopping; nothing was done"))
        if self._queued and self._queued + size > self._limits.queue_operations:
            raise self._refused(unit, Overloaded())
        now = asyncio.get_running_loop().time()
        deadline = now + self._limits.queue_wait_ms / 1000
        pending = PendingUnit(unit, Answer(unit.operations, self._metrics), range(size), now, deadline)
        if self._spans is not None:
            pending.origin = self._spans.origin()
        self._join(self._lanes[hash(unit.operations[0].place()) % len(self._lanes)], pending)
        return await pending.answer.future

    async def close(self) -> None:
        """Take nothing more, and wait until everything that was taken is answered."""
        self._closing = True
        while self._workers:
            await asyncio.wait(self._workers)

    def _refused(self, unit: Unit, error: WalletError) -> WalletError:
        self._metrics.failed(unit.operations, error)
        return error

    def _join(self, lane: _Lane, pending: PendingUnit) -> None:
        lane.queue.append(pending)
        self._count(lane, pending, 1)
        self._watch(lane, pending.deadline)
        if lane.worker is None:
            # A context of its own: the lane is not part of the request that happens to wake it.
            lane.worker = asyncio.get_running_loop().create_task(
                self._work(lane), context=contextvars.Context()
            )
            self._workers.add(lane.worker)
            lane.worker.add_done_callback(self._workers.discard)

    def _count(self, lane: _Lane, pending: PendingUnit, sign: int) -> None:
        """Those who wait for what somebody else holds don't take the places of the others."""
        if lane.locked is None:
            self._queued += sign * len(pending.places)
        else:
            self._waiting += sign * len(pending.places)

    def _wait_for_lock(self, pending: PendingUnit, locked: Need) -> None:
        """Let a pending wait for what somebody else holds."""
        now = asyncio.get_running_loop().time()
        if not pending.locked:
            pending.locked = True
            pending.deadline = now + self._limits.lock_wait_ms / 1000
        if pending.deadline <= now or self._waiting + len(pending.places) > self._limits.queue_operations:
            pending.give_up()
            return
        lane = self._locked.get(locked)
        if lane is None:
            lane = self._locked[locked] = _Lane(locked)
        self._join(lane, pending)

    async def _work(self, lane: _Lane) -> None:
        try:
            while lane.queue:
                if lane.locked is None:
                    lane.under_way = self._take(lane, self._limits.batch_operations)
                    await self._commit(lane, lane.under_way)
                else:
                    await self._commit_locked(lane)
                lane.under_way = []
        except BaseException:  # told to those who wait, and raised again
            # Nobody may wait for ever for a fault of this module, or for a loop that is being closed.
            for pending in lane.queue:
                self._count(lane, pending, -1)
            for pending in [*lane.under_way, *lane.queue]:
                pending.fail(InternalError())
            lane.queue.clear()
            raise
        finally:
            lane.worker = None
            if lane.locked is not None:
                del self._locked[lane.locked]
                if lane.timer is not None:
                    lane.timer.cancel()

    async def _commit_locked(self, lane: _Lane) -> None:
        """Send the next of a locked lane, when there is a place for a call that waits."""
        try:
            async with asyncio.timeout_at(min(pending.deadline for pending in lane.queue)):
                await self._slots.acquire()
        except TimeoutError:
            self._expire(lane)
            return
        try:
            lane.under_way = self._take(lane, self._limits.batch_operations if lane.free else 1)
            lane.free = True
            await self._commit(lane, lane.under_way)
        finally:
            self._slots.release()

    def _take(self, lane: _Lane, operations: int) -> list[PendingUnit]:
        """The next batch of a lane. Units that want what somebody else holds go to the lane of that."""
        now = asyncio.get_running_loop().time()
        batch: list[PendingUnit] = []
        size = 0
        while lane.queue:
            pending = lane.queue[0]
            if batch and size + len(pending.places) > operations:
                break
            lane.queue.popleft()
            self._count(lane, pending, -1)
            if lane.locked is None and self._locked and (locked := self._locked_of(pending)) is not None:
                self._wait_for_lock(pending, locked)
                continue
            batch.append(pending)
            size += len(pending.places)
            if not pending.sent:
                pending.sent = True
                self._metrics.wait.observe(now - pending.queued_at)
        return batch

    def _locked_of(self, pending: PendingUnit) -> Need | None:
        """What of it somebody else is known to hold. Wallets of a unit that can be divided are left to the call."""
        whole = len(pending.places) == 1 or pending.unit.atomic or pending.unit.dry_run
        needs = (each for each in pending.unit.needs() if whole or isinstance(each, tuple))
        return next((each for each in needs if each in self._locked), None)

    async def _commit(self, lane: _Lane, batch: Sequence[PendingUnit]) -> None:
        """Post a batch and tell each of its callers."""
        if not batch:
            return
        try:
            outcomes = await self._send(batch, lane.locked if isinstance(lane.locked, str) else None)
        except (Unavailable, Overloaded) as error:
            for pending in batch:
                pending.fail(error)
        except WalletBusy:  # for a key that another call is claiming; nothing was done
            if len(batch) > 1:
                await self._one_by_one(lane, batch)
            else:
                self._wait_on(lane, [(None, batch[0])])
        except Exception as error:  # noqa: BLE001 - whatever it was must reach those who wait
            await self._after_fault(lane, batch, error)
        else:
            decided = iter(outcomes)
            self._wait_on(
                lane,
                [
                    part
                    for pending in batch
                    for part in pending.settle(list(itertools.islice(decided, len(pending.places))))
                ],
            )

    def _wait_on(self, lane: _Lane, parts: Sequence[tuple[str | None, PendingUnit]]) -> None:
        """Let undecided parts wait, each for its wallet (None: its key); those of this very lane go first in it."""
        again: list[PendingUnit] = []
        for wallet_id, pending in parts:
            locked = wallet_id or pending.unit.operations[0].key()
            if locked == lane.locked:
                again.append(pending)
            else:
                self._wait_for_lock(pending, locked)
        if again:
            lane.free = False
            lane.queue.extendleft(reversed(again))
            for pending in again:
                self._count(lane, pending, 1)
            self._expire(lane)

    async def _send(self, batch: Sequence[PendingUnit], wait_for: str | None) -> list[Outcome | Busy]:
        """One call with the units of a batch; again with the same ids when the connection is lost."""
        operations = sum(len(pending.places) for pending in batch)
        self._metrics.batch.observe(operations)
        if self._spans is None:
            return await resend(lambda: self._call(batch, wait_for))
        origins = [pending.origin for pending in batch if pending.origin is not None]
        with self._spans.batch(origins, operations):
            return await resend(lambda: self._call(batch, wait_for))

    async def _call(self, batch: Sequence[PendingUnit], wait_for: str | None) -> list[Outcome | Busy]:
        units = Json.of([pending.unit.document(resent=pending.resent) for pending in batch])
        wait_ms = 0 if wait_for is None else min(_TURN_MS, self._limits.lock_wait_ms)
        try:
            answer = await self._database.call(
                "post_transactions", units=units, wait_ms=wait_ms, wait_for=wait_for
            )
        except Unavailable:
            for pending in batch:
                pending.resent = True
            raise
        outcomes = read_outcomes(answer)
        if len(outcomes) != sum(len(pending.places) for pending in batch):
            raise InternalError
        return outcomes

    async def _after_fault(self, lane: _Lane, batch: Sequence[PendingUnit], error: Exception) -> None:
        """Something that should not be: a unit that can't be posted must not fail the other units of its batch."""
        _log.error("batch_failed", units=len(batch), exc_info=error)
        for pending in batch:
            pending.resent = True  # the commit may have come before whatever went wrong
        if len(batch) > 1:
            await self._one_by_one(lane, batch)
        else:
            batch[0].fail(error if isinstance(error, WalletError) else InternalError())

    async def _one_by_one(self, lane: _Lane, batch: Sequence[PendingUnit]) -> None:
        for pending in batch:
            locked = self._locked_of(pending)
            if pending.deadline <= asyncio.get_running_loop().time():
                pending.give_up()
            elif locked is not None and locked != lane.locked:
                self._wait_for_lock(pending, locked)
            else:
                await self._commit(lane, [pending])

    def _watch(self, lane: _Lane, deadline: float) -> None:
        """See to it that a lane is looked through at this time, if not before."""
        if lane.timer is None or deadline < lane.timer.when():
            if lane.timer is not None:
                lane.timer.cancel()
            lane.timer = asyncio.get_running_loop().call_at(deadline, self._expire, lane)

    def _expire(self, lane: _Lane) -> None:
        """Tell those who have waited for as long as they may."""
        now = asyncio.get_running_loop().time()
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        waiting: deque[PendingUnit] = deque()
        for pending in lane.queue:
            if pending.deadline > now:
                waiting.append(pending)
            else:
                self._count(lane, pending, -1)
                pending.give_up()
        lane.queue = waiting
        if waiting:
            # Not for each of thousands by itself.
            soonest = min(pending.deadline for pending in waiting)
            self._watch(lane, max(soonest, now + _LOOK_THROUGH_S))
