"""The one way to move money: units of operations go through group commit."""

from wallet_service.ledger.group_commit import GroupCommit, Limits
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Outcome, Posted, Refused
from wallet_service.ledger.tracing import BatchSpans
from wallet_service.platform.database.gateway import Database


class Ledger:
    """Posts what it is given, once, whoever else posts at the same time."""

    def __init__(
        self,
        database: Database,
        limits: Limits | None = None,
        metrics: CommitMetrics | None = None,
        spans: BatchSpans | None = None,
    ) -> None:
        self._group_commit = GroupCommit(database, limits or Limits(), metrics or CommitMetrics(), spans)

    async def post(self, unit: Unit) -> list[Outcome]:
        """Post a unit; the outcomes of its operations, in order.

        A wallet that somebody else holds for too long refuses its operations as WalletBusy.

        Raises:
            Overloaded: too much is waiting; nothing was done.
            Unavailable: the database can't be reached; what has an idempotency key can be sent again.
        """
        return await self._group_commit.post(unit)

    async def post_one(self, operation: Operation, *, dry_run: bool = False) -> Posted:
        """Post one operation.

        Raises:
            WalletError: the refusal.
        """
        (outcome,) = await self.post(Unit((operation,), dry_run=dry_run))
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome

    async def close(self) -> None:
        """Take nothing more, and wait until everything that was taken is answered."""
        await self._group_commit.close()
