"""Group commit: while one batch is committing, new operations wait, and then leave together in the next.

Nobody waits on a timer: an operation that finds its lane idle leaves at once. A batch locks and writes each wallet
once, however many operations it has on it, so a hot wallet is no slower than a cold one.

A lane sends one batch at a time and is chosen by the wallet, so a wallet's operations keep their order. What somebody
else holds (a wallet, or a key) gets a lane of its own while that lasts: it holds up only those who want it.
"""

import asyncio
import contextvars
import itertools
import math
from collections import deque
from dataclasses import dataclass, field

import structlog

from wallet_service.database.gateway import Database, Json, resend
from wallet_service.errors import InternalError, Overloaded, Unavailable, WalletBusy, WalletError
from wallet_service.ledger.meter import CommitMeter
from wallet_service.ledger.operations import Unit
from wallet_service.ledger.outcomes import Busy, Outcome, read_outcomes
from wallet_service.ledger.tickets import Answer, Ticket

_LOOK_THROUGH_S = 0.02
"""Least time between two looks for operations that waited too long."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much waits and leaves at a time.

    Attributes:
        lanes: batches under way at a time.
        held_lanes: calls that wait for a held wallet at a time; each keeps a connection.
        batch_operations: most operations of a batch; a larger unit leaves alone, since units are never divided.
        queue_operations: most operations that wait; more are refused as Overloaded.
        queue_wait_ms: longest wait of an operation for its turn; then it is refused as Overloaded.
        lock_wait_ms: longest wait for a wallet that somebody else holds; then it is refused as WalletBusy.
    """

    lanes: int = 2
    held_lanes: int = 4
    batch_operations: int = 200
    queue_operations: int = 10_000
    queue_wait_ms: int = 5000
    lock_wait_ms: int = 2000


@dataclass(slots=True, eq=False)
class _Lane:
    """Units that leave in order, one batch at a time.

    Attributes:
        held: what somebody else holds, a wallet's id or a unit of its own; None: an ordinary lane.
        waits_for: the wallet among it that the database is to wait for.
    """

    held: object | None = None
    waits_for: str | None = None
    queue: deque[Ticket] = field(default_factory=deque[Ticket])
    under_way: list[Ticket] = field(default_factory=list[Ticket])
    worker: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class GroupCommit:
    """Gathers units into batches and posts them, each caller getting the outcomes of their own."""

    def __init__(self, database: Database, limits: Limits, meter: CommitMeter) -> None:
        self._database = database
        self._limits = limits
        self._meter = meter
        self._lanes = [_Lane() for _ in range(self._limits.lanes)]
        self._held: dict[object, _Lane] = {}
        self._slots = asyncio.Semaphore(self._limits.held_lanes)
        self._workers: set[asyncio.Task[None]] = set()
        self._queued = 0
        self._closing = False
        self._meter.queued.set_function(lambda: self._queued)
        self._meter.held.set_function(lambda: len(self._held))

    async def post(self, unit: Unit) -> list[Outcome]:
        """Post a unit; the outcomes of its operations in order.

        A caller who is cancelled takes nothing back: what was asked for is posted.

        Raises:
            Overloaded: too much is waiting, or it waited too long for its turn; nothing was done.
            Unavailable: the database can't be reached; it may have happened.
        """
        if self._closing:
            raise Unavailable("The service is stopping; nothing was done")
        size = len(unit.operations)
        if self._queued and self._queued + size > self._limits.queue_operations:
            raise Overloaded
        now = asyncio.get_running_loop().time()
        deadline = now + self._limits.queue_wait_ms / 1000
        ticket = Ticket(unit, Answer(size), range(size), now, deadline)
        self._join(self._lanes[hash(unit.operations[0].place()) % len(self._lanes)], ticket)
        return await ticket.answer.future

    async def close(self) -> None:
        """Take nothing more, and wait until everything that was taken is answered."""
        self._closing = True
        while self._workers:
            await asyncio.wait(self._workers)

    def _join(self, lane: _Lane, ticket: Ticket) -> None:
        lane.queue.append(ticket)
        self._queued += len(ticket.places)
        self._watch(lane, ticket.deadline)
        if lane.worker is None:
            # A context of its own: the lane is not part of the request that happens to wake it.
            lane.worker = asyncio.get_running_loop().create_task(
                self._work(lane), context=contextvars.Context()
            )
            self._workers.add(lane.worker)
            lane.worker.add_done_callback(self._workers.discard)

    def _hold(self, ticket: Ticket, wallet_id: str | None) -> None:
        """Let a ticket wait for what somebody else holds: a wallet, or with None its key."""
        now = asyncio.get_running_loop().time()
        if not ticket.held:
            ticket.held = True
            ticket.deadline = now + self._limits.lock_wait_ms / 1000
        elif ticket.deadline <= now:
            ticket.give_up()
            return
        held = wallet_id or ticket
        lane = self._held.get(held)
        if lane is None:
            wallets = ticket.unit.wallet_ids()
            lane = self._held[held] = _Lane(held, wallet_id or next(iter(wallets), None))
        self._join(lane, ticket)

    async def _work(self, lane: _Lane) -> None:
        try:
            while lane.queue:
                if lane.held is None:
                    await self._commit(lane, self._take(lane))
                else:
                    await self._commit_held(lane)
        except BaseException:
            # Nobody may wait for ever for a fault of this module, or for a loop that is being closed.
            for ticket in [*lane.under_way, *lane.queue]:
                ticket.fail(InternalError())
            self._queued -= sum(len(ticket.places) for ticket in lane.queue)
            lane.queue.clear()
            raise
        finally:
            lane.worker = None
            if lane.held is not None:
                del self._held[lane.held]
                if lane.timer is not None:
                    lane.timer.cancel()

    async def _commit_held(self, lane: _Lane) -> None:
        """Send the next batch of a held lane in a call that waits, when there is a slot for such a call."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(ticket.deadline for ticket in lane.queue)):
                await self._slots.acquire()
        except TimeoutError:
            self._expire(lane)
            return
        try:
            batch = self._take(lane)
            if batch:
                left_s = min(ticket.deadline for ticket in batch) - loop.time()
                # 0 would mean not to wait.
                await self._commit(lane, batch, wait_ms=max(1, math.ceil(left_s * 1000)))
        finally:
            self._slots.release()

    def _take(self, lane: _Lane) -> list[Ticket]:
        """The next batch of a lane. Units that want what somebody else holds go to the lane of that."""
        now = asyncio.get_running_loop().time()
        batch: list[Ticket] = []
        size = 0
        while lane.queue:
            ticket = lane.queue[0]
            if batch and size + len(ticket.places) > self._limits.batch_operations:
                break
            lane.queue.popleft()
            self._queued -= len(ticket.places)
            if lane.held is None and self._held and (held := self._held_of(ticket)) is not None:
                self._hold(ticket, held)
                continue
            batch.append(ticket)
            size += len(ticket.places)
            self._meter.wait.observe(now - ticket.queued_at)
        return batch

    def _held_of(self, ticket: Ticket) -> str | None:
        return next((each for each in ticket.unit.wallet_ids() if each in self._held), None)

    async def _commit(self, lane: _Lane, batch: list[Ticket], *, wait_ms: int = 0) -> None:
        """Post a batch and tell each of its callers."""
        if not batch:
            return
        lane.under_way = batch
        try:
            outcomes = await self._send(batch, wait_ms, lane.waits_for if wait_ms else None)
        except (Unavailable, Overloaded) as error:
            for ticket in batch:
                ticket.fail(error)
        except WalletBusy:
            await self._after_busy(lane, batch, waited=wait_ms > 0)
        except Exception as error:  # noqa: BLE001 - whatever it was must reach those who wait
            await self._after_fault(lane, batch, error)
        else:
            decided = iter(outcomes)
            for ticket in batch:
                for wallet_id, part in ticket.settle(list(itertools.islice(decided, len(ticket.places)))):
                    self._hold(part, wallet_id)

    async def _send(self, batch: list[Ticket], wait_ms: int, wait_for: str | None) -> list[Outcome | Busy]:
        """One call with the units of a batch; again with the same ids when the connection is lost."""
        self._meter.batch.observe(sum(len(ticket.places) for ticket in batch))
        return await resend(lambda: self._call(batch, wait_ms, wait_for))

    async def _call(self, batch: list[Ticket], wait_ms: int, wait_for: str | None) -> list[Outcome | Busy]:
        units = Json.of([ticket.unit.document(resent=ticket.resent) for ticket in batch])
        try:
            answer = await self._database.call(
                "post_transactions", units=units, wait_ms=wait_ms, wait_for=wait_for
            )
        except Unavailable:
            for ticket in batch:
                ticket.resent = True
            raise
        outcomes = read_outcomes(answer)
        if len(outcomes) != sum(len(ticket.places) for ticket in batch):
            raise InternalError
        return outcomes

    async def _after_busy(self, lane: _Lane, batch: list[Ticket], *, waited: bool) -> None:
        """The call as a whole was refused for a lock, and nothing was done."""
        if waited:  # until the time of the oldest was over
            self._queued += sum(len(ticket.places) for ticket in batch)
            lane.queue.extendleft(reversed(batch))
            self._expire(lane)
        elif len(batch) > 1:  # somebody else holds a key of one of them
            await self._one_by_one(lane, batch)
        else:
            self._hold(batch[0], None)

    async def _after_fault(self, lane: _Lane, batch: list[Ticket], error: Exception) -> None:
        """Something that should not be: a unit that can't be posted must not take its neighbours with it."""
        _log.error("batch_failed", units=len(batch), exc_info=error)
        for ticket in batch:
            ticket.resent = True  # the commit may have come before whatever went wrong
        if len(batch) > 1:
            await self._one_by_one(lane, batch)
        else:
            batch[0].fail(error if isinstance(error, WalletError) else InternalError())

    async def _one_by_one(self, lane: _Lane, batch: list[Ticket]) -> None:
        for ticket in batch:
            await self._commit(lane, [ticket])

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
        waiting: deque[Ticket] = deque()
        for ticket in lane.queue:
            if ticket.deadline > now:
                waiting.append(ticket)
            else:
                self._queued -= len(ticket.places)
                ticket.give_up()
        lane.queue = waiting
        if waiting:
            # Not for each of thousands by itself.
            soonest = min(ticket.deadline for ticket in waiting)
            self._watch(lane, max(soonest, now + _LOOK_THROUGH_S))
