"""Opens the room when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.finance.books.repository import BookRepository
from wallet_service.finance.books.service import KnownBooks


@asynccontextmanager
async def open_books(context: RoomContext) -> AsyncGenerator[None]:
    """Keep whose books are known."""
    context.state.known_books = KnownBooks(BookRepository(context.state.database))
    yield
