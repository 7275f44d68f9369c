"""Opens the room when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.finance.fx.metrics import RateMetrics


@asynccontextmanager
async def open_fx(context: RoomContext) -> AsyncGenerator[None]:
    """The metrics, as ``state.fx_metrics``."""
    context.state.fx_metrics = RateMetrics(context.metrics)
    yield
