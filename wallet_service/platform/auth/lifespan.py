"""Opens the authenticator when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.auth.authentication import Authenticator
from wallet_service.platform.auth.settings import AuthSettings


@asynccontextmanager
async def open_authenticator(context: RoomContext) -> AsyncGenerator[None]:
    """The authenticator of the settings, as ``state.auth``, and the ``caller_checks`` of the rooms."""
    context.state.auth = Authenticator.from_settings(
        context.settings[AuthSettings], context.state.database, context.rooms
    )
    context.state.caller_checks = tuple(
        room.load(reference) for room in context.rooms for reference in room.caller_checks
    )
    try:
        yield
    finally:
        await context.state.auth.close()
