"""Opens the recorder of reads when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.changes.metrics import ReadMetrics
from wallet_service.platform.changes.reads import ReadRecorder


@asynccontextmanager
async def open_reads(context: RoomContext) -> AsyncGenerator[None]:
    """The recorder of reads, as ``state.reads``."""
    context.state.reads = ReadRecorder(context.state.database, context.rooms, ReadMetrics(context.metrics))
    yield
