"""Group commit: the one way to move money.

A unit that finds its lane idle is sent at once. Otherwise it waits for the lane's batch to commit, and leaves in the
next one, together with the units that wait by then.
"""

import asyncio

from wallet_service.core.errors import Overloaded, Unavailable, WalletError
from wallet_service.ledger.batching import Batching, BatchSender, Lane
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.locked_wallets import LockedWallets
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Outcome, Posted, Refused
from wallet_service.ledger.pending import Answer, PendingUnit
from wallet_service.ledger.pending_queue import QueueSize
from wallet_service.ledger.tracing import BatchSpans
from wallet_service.platform.database.gateway import Database


class Ledger:
    """Posts units of operations, each once, however many callers post at the same time.

    Args:
        database: where the ledger is.
        limits: of batches and waits.
        metrics: count operations and batches.
        spans: creates the spans of batches; None: there are none.
    """

    def __init__(
        self,
        database: Database,
        limits: Limits | None = None,
        metrics: CommitMetrics | None = None,
        spans: BatchSpans | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._metrics = metrics or CommitMetrics()
        self._spans = spans
        sender = BatchSender(database, self._metrics, spans)
        self._shared = Batching(sender, self._limits, self._metrics)
        self._locked = LockedWallets(self._shared)
        self._queued = QueueSize()
        self._lanes = [Lane(self._shared, self._locked, self._queued) for _ in range(self._limits.lanes)]
        self._closing = False
        self._metrics.queue_limit.set(self._limits.queue_operations)
        self._metrics.queued.set_function(lambda: self._queued.operations + self._locked.size.operations)
        self._metrics.locked.set_function(lambda: len(self._locked))

    async def post(self, unit: Unit) -> list[Outcome]:
        """Post a unit; the outcomes of its operations, in order.

        An operation on a wallet that stays locked for too long is refused as WalletBusy. When the caller is cancelled,
        the unit is posted all the same.

        Raises:
            Overloaded: too many operations wait, or it waited too long for its batch; nothing was done.
            Unavailable: the database can't be reached, and the unit may have been posted. A request with an
                idempotency key can be sent again.
        """
        size = len(unit.operations)
        if self._closing:
            raise self._refused(unit, Unavailable("The service is stopping; nothing was done"))
        queued = self._queued.operations
        if queued and queued + size > self._limits.queue_operations:
            raise self._refused(unit, Overloaded())
        now = asyncio.get_running_loop().time()
        deadline = now + self._limits.queue_wait_ms / 1000
        pending = PendingUnit(unit, Answer(unit.operations, self._metrics), range(size), now, deadline)
        if self._spans is not None:
            pending.origin = self._spans.origin()
        self._lanes[hash(unit.operations[0].place()) % len(self._lanes)].add(pending)
        return await pending.answer.future

    async def post_one(
        self, operation: Operation, *, dry_run: bool = False, attempt: int = 1, sent_before: int = 0
    ) -> Posted:
        """Post one operation. The arguments are those of a unit.

        Raises:
            WalletError: the refusal; also as ``post``.
        """
        (outcome,) = await self.post(
            Unit((operation,), dry_run=dry_run, attempt=attempt, sent_before=sent_before)
        )
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome

    async def close(self) -> None:
        """Accept no more units, and wait until all that were accepted have their outcomes."""
        self._closing = True
        while self._shared.workers:
            await asyncio.wait(self._shared.workers)

    def _refused(self, unit: Unit, error: WalletError) -> WalletError:
        self._metrics.failed(unit.operations, error)
        return error
