"""Opens the sample room when the application starts."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import Moved, RoomContext

from .settings import NotesSettings


@asynccontextmanager
async def open_counter(context: RoomContext) -> AsyncGenerator[None]:
    """Keep what the room's requests need."""
    context.state.notes_longest = context.settings[NotesSettings].longest
    context.state.notes_postings = Counter[Moved]()
    yield
