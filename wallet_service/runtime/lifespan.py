"""Watches the readiness of the application while it runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.runtime.health import Readiness, measured_readiness


@asynccontextmanager
async def open_readiness(context: RoomContext) -> AsyncGenerator[None]:
    """The check of the application, as ``state.readiness``; its result is also a metric."""
    role = context.settings[DatabaseSettings].role
    context.state.readiness = Readiness(context.state.database, context.rooms, role)
    async with measured_readiness(context.state.readiness, context.metrics):
        yield
