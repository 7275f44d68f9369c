"""Posts units of operations; sends them again under the same ids when the connection is lost."""

from collections.abc import Sequence

from wallet_service.database.gateway import RESEND, Database, Json
from wallet_service.errors import Overloaded, Unavailable, WalletBusy
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Outcome, Posted, Refused, read_outcomes

LOCK_WAIT_MS = 2000
"""How long a call waits for a wallet that somebody else holds."""


class Ledger:
    """The one way to move money."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def post(self, units: Sequence[Unit]) -> list[Outcome]:
        """Post units; the outcomes of all their operations, in order.

        Raises:
            WalletBusy: a wallet was held by somebody else for longer than ``LOCK_WAIT_MS``; nothing was done.
            Unavailable: the database can't be reached; what has an idempotency key can be sent again.
        """
        async for attempt in RESEND.copy():
            with attempt:
                resent = attempt.retry_state.attempt_number > 1
                document = [unit.document(resent=resent) for unit in units]
                try:
                    answer = await self._database.call(
                        "post_transactions", units=Json.of(document), wait_ms=LOCK_WAIT_MS
                    )
                except (WalletBusy, Overloaded) as error:
                    if resent:  # the first attempt may still post: nobody may say that nothing was done
                        raise Unavailable from error
                    raise
                return read_outcomes(answer)
        raise AssertionError("tenacity re-raises the last error")  # pragma: no cover

    async def post_one(self, operation: Operation, *, dry_run: bool = False) -> Posted:
        """Post one operation.

        Raises:
            WalletError: the refusal.
        """
        (outcome,) = await self.post([Unit((operation,), dry_run=dry_run)])
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome
