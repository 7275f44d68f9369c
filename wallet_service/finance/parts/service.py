"""When the entries of books are catalogued, and which parts a caller may see.

Entries are catalogued soon after they were posted, in the background; by a job where that was missed; and before a read
of a book, up to a number of entries. Rooms that work on catalogued entries add a follower (``Cataloguing.followers``).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import structlog
from cachetools import TTLCache
from fastapi import Depends
from starlette.requests import Request

from wallet_service.core.errors import WalletError, WalletNotFound
from wallet_service.core.room import Moved
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccess, KnownBook, Owner
from wallet_service.finance.parts.metrics import PartsMetrics
from wallet_service.finance.parts.repository import CatalogueRepository, PartRepository, WalletOwner

BEFORE_READ: Final = 2000
"""Entries that are catalogued before a read of their book, at most."""

_FOLLOWED_S: Final = 1.0
"""How long a read waits for the followers, in seconds; they go on after it."""
_AT_ONCE: Final = 500
"""Entries that are catalogued in one transaction in the background: a caller who edits waits for it."""
_MOST_WALLETS: Final = 1000
_MOST_NOTED: Final = 100_000
"""Wallets that wait for the background. If there are more, the job catalogues what is not noted."""
_PAUSE_S: Final = 0.5
_WITHOUT_BOOK_S: Final = 300.0
"""How long it is cached that a wallet has no book, in seconds."""

Follower = Callable[[str], Awaitable[None]]
"""``async (book_id)``: called after entries of a book were catalogued. It is not called if the process dies in between,
so it has progress of its own. An exception is logged."""

_log = structlog.get_logger(__name__)


class Cataloguing:
    """Catalogues the entries of books.

    Args:
        repository: of the database.
        metrics: where it counts.

    Attributes:
        followers: called after entries were catalogued, in this order. Rooms add theirs when they are opened.
    """

    def __init__(self, repository: CatalogueRepository, metrics: PartsMetrics) -> None:
        self.followers: list[Follower] = []
        self._repository = repository
        self._metrics = metrics
        self._noted: dict[str, float] = {}
        self._taken_at: float | None = None
        self._has_noted = asyncio.Event()
        self._following: set[asyncio.Task[None]] = set()
        self._without_book = TTLCache[str, bool](_MOST_NOTED, _WITHOUT_BOOK_S)
        metrics.watch(self.oldest_s)

    def note(self, moved: Sequence[Moved]) -> None:
        """Have the entries of these wallets catalogued soon. It never waits."""
        for wallet_id in {each.wallet_id for each in moved}:
            if wallet_id not in self._without_book and len(self._noted) < _MOST_NOTED:
                self._noted.setdefault(wallet_id, time.monotonic())
        if self._noted:
            self._has_noted.set()

    def oldest_s(self) -> float:
        """How long the oldest noted posting has waited, in seconds; 0 if none waits."""
        waiting = [*self._noted.values()]
        if self._taken_at is not None:
            waiting.append(self._taken_at)
        return time.monotonic() - min(waiting) if waiting else 0.0

    async def run(self) -> None:
        """Catalogue what is noted, until it is cancelled."""
        while True:
            await self._has_noted.wait()
            await asyncio.sleep(_PAUSE_S)  # what comes in a burst is catalogued together
            self._has_noted.clear()
            noted, self._noted = self._noted, {}
            self._taken_at = min(noted.values(), default=None)
            try:
                for book_id in await self._books_of(list(noted)):
                    await self.catalogue(book_id)
            except Exception as error:  # noqa: BLE001 - the job catalogues it later
                is_expected = isinstance(error, WalletError) and error.retryable
                (_log.warning if is_expected else _log.exception)("cataloguing_failed", error=repr(error))
            finally:
                self._taken_at = None

    async def catalogue(self, book_id: str) -> int:
        """Catalogue all entries of a book; how many. Where the book stays locked, the rest is pending."""
        done = 0
        while True:
            found = await self._repository.catalogue(book_id, _AT_ONCE)
            done += found.written
            if found.pending == 0 or found.written == 0:
                break
        await self._follow(book_id, done)
        return done

    async def catch_up(self, book_id: str) -> int:
        """Catalogue what a book misses before it is read, in bounds; how many entries are still missing.

        The followers get a second. A book with slow rules is read before they are through.
        """
        found = await self._repository.catalogue(book_id, BEFORE_READ)
        if found.written:
            task = asyncio.create_task(self._follow(book_id, found.written))
            self._following.add(task)
            task.add_done_callback(self._following.discard)
            await asyncio.wait({task}, timeout=_FOLLOWED_S)
        return found.pending

    async def close(self) -> None:
        """Cancel followers that reads have left behind, and wait for their end. They go on where they stopped."""
        tasks = [*self._following]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def catalogue_missed(self, report: Callable[[int], None]) -> None:
        """Catalogue every book that misses entries; ``report`` gets their number so far."""
        after, done = None, 0
        while True:
            books, after = await self._repository.pending_books(after, _MOST_WALLETS)
            for book_id in books:
                done += await self.catalogue(book_id)
                report(done)
            if after is None:
                return

    async def redate(self, book_id: str, run_id: str, report: Callable[[int], None]) -> None:
        """Give all entries of a book their day in its time zone again; ``report`` gets how many moved so far."""
        after: Mapping[str, Any] | None = {}
        done = 0
        while after is not None:
            moved, after = await self._repository.redate(book_id, run_id, after, _AT_ONCE)
            done += moved
            report(done)

    async def _books_of(self, wallet_ids: list[str]) -> Sequence[str]:
        found: dict[str, None] = {}
        for start in range(0, len(wallet_ids), _MOST_WALLETS):
            books = await self._repository.books_of(wallet_ids[start : start + _MOST_WALLETS])
            for wallet_id, book_id in books.items():
                if book_id is None:
                    self._without_book[wallet_id] = True
                else:
                    found[book_id] = None
        return list(found)

    async def _follow(self, book_id: str, written: int) -> None:
        self._metrics.catalogued(written)
        for follower in self.followers:
            try:
                await follower(book_id)
            except Exception:  # noqa: BLE001 - of any room; it goes on where it stopped
                _log.exception("catalogue_follower_failed", book_id=book_id)


def note_postings(state: Any, moved: Sequence[Moved]) -> None:
    """Have new entries catalogued."""
    state.cataloguing.note(moved)


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel the background task, and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def owner_of_wallet(
    repository: PartRepository, access: BookAccess, wallet_id: str
) -> tuple[WalletOwner, KnownBook]:
    """A wallet that the caller may see by its book, and the book.

    Raises:
        WalletNotFound: there is none, or the caller may not see it.
        BookNotFound: its owner has no book.
        UpstreamUnavailable: as ``BookAccess.require``.
    """
    wallet = await repository.owner_of(wallet_id)
    owner = (
        Owner(user_id=wallet.user_id)
        if wallet.organization_id is None
        else Owner(organization_id=wallet.organization_id)
    )
    if not await access.covers(owner):
        raise WalletNotFound(wallet_id=wallet_id)
    if wallet.book_id is None:
        raise BookNotFound(wallet_id=wallet_id)
    return wallet, KnownBook(wallet.book_id, owner)


def _cataloguing(request: Request) -> Cataloguing:
    return request.app.state.cataloguing


CataloguingOf = Annotated[Cataloguing, Depends(_cataloguing)]
"""Parameter type of an endpoint that reads what is catalogued: ``catch_up`` before the read."""
