"""What rooms declared to happen before and after postings."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from wallet_service.core.room import AfterPosting, Moved, PostingCheck, RoomContext
from wallet_service.ledger.operations import Operation
from wallet_service.ledger.outcomes import Outcome, Posted
from wallet_service.platform.auth.authentication import Principal

DEBITS = frozenset({"withdraw", "consume", "transfer", "fee"})
"""Types of operations that take money out of the wallet that they name."""


@dataclass(frozen=True, slots=True)
class PostingHooks:
    """The checks and reports of an application's rooms."""

    state: Any
    checks: Sequence[PostingCheck]
    after: Sequence[AfterPosting]

    async def check(self, caller: Principal, operations: Sequence[Operation]) -> None:
        """Ask every room whether the operations may be posted.

        Raises:
            WalletError: the refusal of the first room that refuses.
        """
        for check in self.checks:
            await check(self.state, caller, operations)

    def report(self, operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> None:
        """Report to every room the wallets that were moved; of refunds none."""
        moved = [
            Moved(operation.wallet_id or outcome.wallet_id(), operation.type in DEBITS)
            for operation, outcome in zip(operations, outcomes, strict=True)
            if isinstance(outcome, Posted) and not outcome.dry_run and operation.type != "refund"
        ]
        if moved:
            for report in self.after:
                report(self.state, moved)


@asynccontextmanager
async def open_posting_hooks(context: RoomContext) -> AsyncGenerator[None]:
    """The hooks of all rooms, as ``state.posting_hooks``."""
    context.state.posting_hooks = PostingHooks(
        context.state,
        [room.load(reference) for room in context.rooms for reference in room.posting_checks],
        [room.load(reference) for room in context.rooms for reference in room.after_posting],
    )
    yield
