"""Batches: while one batch of a lane commits, new units wait, and then leave together in the next.

No unit waits for a timer: a lane that is idle sends at once. A batch locks and writes each wallet once, however many
operations it has on it, so a hot wallet is no slower than a cold one.
"""

import asyncio
import contextvars
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from wallet_service.core.errors import InternalError, Overloaded, Unavailable, WalletBusy, WalletError
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Lockable
from wallet_service.ledger.outcomes import Busy, Outcome, read_outcomes
from wallet_service.ledger.pending import PendingUnit
from wallet_service.ledger.pending_queue import PendingQueue, QueueSize
from wallet_service.ledger.tracing import BatchSpans
from wallet_service.platform.database.gateway import Database, Json, resend

_log = structlog.get_logger(__name__)


class BatchSender:
    """Sends batches, each in one call of the database."""

    def __init__(self, database: Database, metrics: CommitMetrics, spans: BatchSpans | None) -> None:
        self._database = database
        self._metrics = metrics
        self._spans = spans

    async def send(
        self, batch: Sequence[PendingUnit], wait_for: str | None = None, wait_ms: int = 0
    ) -> list[Outcome | Busy]:
        """Post a batch. After a lost connection it is sent again, with the same transaction ids.

        Args:
            batch: its units.
            wait_for: the locked wallet for which the call waits first; it skips all other locked wallets.
            wait_ms: how long it waits.

        Returns:
            The outcomes of all operations, in order.

        Raises:
            WalletBusy: another call is claiming one of the keys; nothing was done.
            Overloaded: the database has no free connection; nothing was done.
            Unavailable: the database can't be reached; the batch may have been posted.
        """
        operations = sum(len(pending.places) for pending in batch)
        self._metrics.batch.observe(operations)
        if self._spans is None:
            return await resend(lambda: self._call(batch, wait_for, wait_ms))
        origins = [pending.origin for pending in batch if pending.origin is not None]
        with self._spans.batch(origins, operations):
            return await resend(lambda: self._call(batch, wait_for, wait_ms))

    async def _call(
        self, batch: Sequence[PendingUnit], wait_for: str | None, wait_ms: int
    ) -> list[Outcome | Busy]:
        for pending in batch:
            pending.sendings += 1
        units = Json.of(
            [pending.unit.document(resent=pending.resent, sending=pending.sendings) for pending in batch]
        )
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


@dataclass(frozen=True, slots=True)
class Batching:
    """What the lanes of a ledger share.

    Attributes:
        sender: sends their batches.
        limits: of batches and waits.
        metrics: count units and batches.
        workers: the tasks of the lanes that are working.
    """

    sender: BatchSender
    limits: Limits
    metrics: CommitMetrics
    workers: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


class LockedLanes(Protocol):
    """Where units wait for wallets and keys that another session has locked (``locked_wallets.py``)."""

    def needed_by(self, pending: PendingUnit, /) -> Lockable | None:
        """One of these wallets and keys that the unit needs."""
        ...

    def wait(self, pending: PendingUnit, lockable: Lockable, /) -> None:
        """Let a unit wait for one of them."""
        ...


class Lane:
    """A queue of pending units that sends one batch at a time, so that the operations of a wallet keep their order.

    Args:
        shared: what it shares with other lanes.
        locked: where units wait for locked wallets and keys.
        size: counts the operations in the queue.
        waits_for: the locked wallet or key whose lane this is; None for an ordinary lane.
    """

    def __init__(
        self, shared: Batching, locked: LockedLanes, size: QueueSize, waits_for: Lockable | None = None
    ) -> None:
        self._shared = shared
        self._locked = locked
        self._queue = PendingQueue(size)
        self._waits_for = waits_for
        self._sending: list[PendingUnit] = []
        self._worker: asyncio.Task[None] | None = None

    def add(self, pending: PendingUnit) -> None:
        """Add a unit to the queue; an idle lane starts to work."""
        self._queue.append(pending)
        if self._worker is None:
            # A context of its own: the lane is not part of the request that happens to start it.
            self._worker = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
            self._shared.workers.add(self._worker)
            self._worker.add_done_callback(self._shared.workers.discard)

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._send_next()
                self._sending = []
        except BaseException:  # passed on to the callers as a fault, and raised again
            # No caller may wait for ever because of a fault of this module, or of a loop that is being closed.
            for pending in [*self._sending, *self._queue.clear()]:
                pending.fail(InternalError())
            raise
        finally:
            self._worker = None
            self._stopped()

    def _stopped(self) -> None:
        """The queue is empty, and the worker has ended."""

    async def _send_next(self) -> None:
        """Send the next batch, and settle it."""
        self._sending = self._take(self._shared.limits.batch_operations)
        await self._commit(self._sending)

    def _take(self, operations: int) -> list[PendingUnit]:
        """Remove the next batch from the queue.

        Args:
            operations: most operations of the batch, unless its first unit has more.
        """
        now = asyncio.get_running_loop().time()
        batch: list[PendingUnit] = []
        size = 0
        while self._queue:
            if batch and size + len(self._queue.first().places) > operations:
                break
            pending = self._queue.pop()
            # From the lane of one locked wallet no unit goes to that of another before a call found the first free.
            if self._waits_for is None and self._leaves(pending):
                continue
            batch.append(pending)
            size += len(pending.places)
            if not pending.sent:
                pending.sent = True
                self._shared.metrics.wait.observe(now - pending.queued_at)
        return batch

    def _leaves(self, pending: PendingUnit) -> bool:
        """Whether a unit left for the lane of another locked wallet or key that it needs."""
        lockable = self._locked.needed_by(pending)
        if lockable is None or lockable == self._waits_for:
            return False
        self._locked.wait(pending, lockable)
        return True

    async def _commit(self, batch: Sequence[PendingUnit]) -> None:
        """Post a batch, and give each of its callers the outcomes."""
        if not batch:
            return
        try:
            outcomes = await self._send(batch)
        except (Unavailable, Overloaded) as error:
            for pending in batch:
                pending.fail(error)
        except WalletBusy:
            if len(batch) > 1:
                await self._one_by_one(batch)
            else:
                self._wait([(None, batch[0])])
        except Exception as error:  # noqa: BLE001 - any error must reach the callers, who wait for outcomes
            await self._after_fault(batch, error)
        else:
            decided = iter(outcomes)
            self._wait(
                [
                    part
                    for pending in batch
                    for part in pending.settle(list(itertools.islice(decided, len(pending.places))))
                ]
            )

    async def _send(self, batch: Sequence[PendingUnit]) -> list[Outcome | Busy]:
        return await self._shared.sender.send(batch)

    def _wait(self, parts: Sequence[tuple[str | None, PendingUnit]]) -> None:
        """Let undecided units wait, each for a locked wallet or (None) for its key."""
        for wallet_id, pending in parts:
            self._locked.wait(pending, wallet_id or pending.key())

    async def _after_fault(self, batch: Sequence[PendingUnit], error: Exception) -> None:
        """An unexpected error: a unit that can't be posted must not fail the other units of its batch."""
        _log.error("batch_failed", units=len(batch), exc_info=error)
        for pending in batch:
            pending.resent = True  # the database may have committed before the error
        if len(batch) > 1:
            await self._one_by_one(batch)
        else:
            batch[0].fail(error if isinstance(error, WalletError) else InternalError())

    async def _one_by_one(self, batch: Sequence[PendingUnit]) -> None:
        """Post each unit of a batch in a call of its own."""
        for pending in batch:
            if pending.deadline <= asyncio.get_running_loop().time():
                pending.give_up()
            elif not self._leaves(pending):
                await self._commit([pending])
