# asyncpg ships no type information.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
"""The connections that calls share."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from wallet_service.platform.database.concurrency_limit import ConcurrencyLimit

LONGEST_IDLE_S = 300.0
"""A connection unused for longer is closed, before something between here and the server forgets it."""

LONGEST_RELEASE_S = 1.0
"""How long the server may take to end a call that was given up."""

_log = structlog.get_logger(__name__)


class Connections:
    """A pool of asyncpg's, and on top of it the connections that are between two calls.

    A walk through asyncpg's pool costs 40 µs of CPU each time, more than asyncpg needs for the call itself, so a
    sound connection stays at hand for the next call. The pool makes connections, and ends those that failed.

    Args:
        pool: asyncpg's.
        size: most connections at a time.
        explicit_transactions: whoever takes one sends begin and commit.
        clock: seconds.

    Attributes:
        limit: on calls at a time; a call inside it has a connection, or opens one.
    """

    def __init__(
        self,
        pool: Any,
        size: int,
        *,
        explicit_transactions: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._explicit_transactions = explicit_transactions
        self._clock = clock
        self.limit = ConcurrencyLimit(size)
        self._at_hand: deque[tuple[Any, float]] = deque()
        self._releasing: set[asyncio.Task[None]] = set()
        self._closing = False

    async def take(self, until: float) -> Any:
        """A connection of one's own, the one that was used last if there is one.

        Args:
            until: when to give up, by the loop's clock.

        Raises:
            TimeoutError: none was free in the first half of the time, or could be made in all of it.
            Exception: whatever asyncpg raises when it can't connect.
        """
        await self.limit.acquire_by(until)
        try:
            now = self._clock()
            while self._at_hand:
                connection, since = self._at_hand.pop()
                if now - since < LONGEST_IDLE_S and not is_lost(connection):
                    return connection
                await self._end(connection)
            return await self._pool.acquire(timeout=until - asyncio.get_running_loop().time())
        except BaseException:  # a cancelled caller too gives its turn back
            self.limit.release()
            raise

    async def give_back(self, connection: Any, *, sound: bool) -> None:
        """End a turn.

        Args:
            connection: from ``take``.
            sound: its call came to its end. Another may still be busy on the server: the pool sees to it. Nobody waits
                for that, but the turn goes on until then.
        """
        if not sound or self._closing:
            ending = asyncio.create_task(self._release(connection))
            self._releasing.add(ending)
            ending.add_done_callback(self._releasing.discard)
            return
        try:
            now = self._clock()
            self._at_hand.append((connection, now))
            if now - self._at_hand[0][1] > LONGEST_IDLE_S:
                await self._end(self._at_hand.popleft()[0])
        finally:
            self.limit.release()

    async def close(self) -> None:
        """Wait until every connection was given back, and close it."""
        self._closing = True
        while self._at_hand:
            await self._pool.release(self._at_hand.pop()[0], timeout=LONGEST_RELEASE_S)
        await asyncio.gather(*self._releasing)
        await self._pool.close()

    async def _release(self, connection: Any) -> None:
        """Let the pool end what the server is still busy with, and then the turn."""
        try:
            try:
                if self._explicit_transactions and not is_lost(connection):
                    # Even if none has begun yet: the answer to a begin that took too long may be on its way.
                    await connection.execute("rollback", timeout=LONGEST_RELEASE_S)
            finally:
                await self._pool.release(connection, timeout=LONGEST_RELEASE_S)
        except Exception as error:  # noqa: BLE001 - the network's, the server's or the pool's
            # The pool has ended the connection; its call has been answered long since.
            _log.info("connection_ended", reason=type(error).__name__)
        finally:
            self.limit.release()

    async def _end(self, connection: Any) -> None:
        if not is_lost(connection):
            connection.terminate()
        await self._pool.release(connection)


def is_lost(connection: Any) -> bool:
    """Whether it can't be used any more."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        # The pool has taken it back, which it does by itself only with a lost one.
        return True
