"""Keeps whether the application has a test clock."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.database.settings import DatabaseSettings


@asynccontextmanager
async def open_test_clock(context: RoomContext) -> AsyncGenerator[None]:
    """Whether the paths exist, as ``state.test_clock``."""
    context.state.test_clock = context.settings[DatabaseSettings].test_clock
    yield
