"""The ledger of the application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.core.settings import Settings
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.settings import CommitSettings
from wallet_service.ledger.tracing import BatchSpans
from wallet_service.platform.database.settings import DatabaseSettings


@asynccontextmanager
async def open_ledger(context: RoomContext) -> AsyncGenerator[None]:
    """The ledger in the application's database, as ``state.ledger``. At the end all accepted units get their outcomes."""
    spans = None if context.tracer is None else BatchSpans(context.tracer)
    context.state.ledger = Ledger(
        context.state.database, limits_of(context.settings), CommitMetrics(context.metrics), spans
    )
    try:
        yield
    finally:
        await context.state.ledger.close()


def limits_of(settings: Settings) -> Limits:
    """The limits of group commit. Calls that wait for a locked wallet leave half of the connections to others."""
    own, database = settings[CommitSettings], settings[DatabaseSettings]
    return Limits(
        lanes=own.lanes,
        locked_lanes=max(1, (database.pool_size - own.lanes) // 2),
        batch_operations=own.batch_operations,
        queue_operations=own.queue_operations,
        queue_wait_ms=own.queue_wait_ms,
        lock_wait_ms=max(1, min(own.lock_wait_ms, database.timeout_ms // 2)),
    )
