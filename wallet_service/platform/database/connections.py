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
from wallet_service.platform.database.hosts import connect_by

LONGEST_IDLE_S = 300.0
"""A connection unused for longer is closed, before a firewall or proxy on the way drops it."""

LONGEST_RELEASE_S = 1.0
"""How long the server may take to cancel a call that timed out, or to roll a transaction back."""

_log = structlog.get_logger(__name__)


class Connections:
    """The pool of asyncpg, and on top of it the connections that are idle between two calls.

    A walk through asyncpg's pool costs 40 µs of CPU each time, more than asyncpg needs for the call itself. So a
    reusable connection is kept for the next call. The pool opens connections, and closes those that failed.

    Args:
        pool: asyncpg's.
        size: the maximum number of connections.
        explicit_transactions: whether the user of a connection sends begin and commit.
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
        self._idle: deque[tuple[Any, float]] = deque()
        self._releasing: set[asyncio.Task[None]] = set()
        self._closing = False

    async def take(self, until: float) -> Any:
        """A connection for one call: the one that was used last, or a new one.

        Args:
            until: the end of the call's time, by the loop's clock.

        Raises:
            TimeoutError: none became free in the first half of the time, or could be opened in all of it.
            Exception: any that asyncpg raises when it can't connect.
        """
        await self.limit.acquire_by(until)
        try:
            now = self._clock()
            while self._idle:
                connection, since = self._idle.pop()
                if now - since < LONGEST_IDLE_S and not is_lost(connection):
                    return connection
                await self._discard(connection)
            ends = connect_by.set(until)
            try:
                return await self._pool.acquire(timeout=until - asyncio.get_running_loop().time())
            finally:
                connect_by.reset(ends)
        except BaseException:  # also when the caller is cancelled
            self.limit.release()
            raise

    async def give_back(self, connection: Any, *, reusable: bool) -> None:
        """Give a connection back, and its place in the limit.

        Args:
            connection: from ``take``.
            reusable: whether its call ended. If not, the server may still run it. A call that reads is cancelled in the
                background, and the place is free after that; the connection of any other call has ended by then.
        """
        if not reusable or self._closing:
            ending = asyncio.create_task(self._release(connection))
            self._releasing.add(ending)
            ending.add_done_callback(self._releasing.discard)
            return
        try:
            now = self._clock()
            self._idle.append((connection, now))
            if now - self._idle[0][1] > LONGEST_IDLE_S:
                await self._discard(self._idle.popleft()[0])
        finally:
            self.limit.release()

    async def replace_all(self, connection: Any) -> None:
        """End this connection and those that are idle, and let the pool open others.

        For a server that accepts no writes any more: its sessions would stay in the pool as long as they are used.
        """
        connection.terminate()
        while self._idle:
            await self._discard(self._idle.pop()[0])
        await self._pool.expire_connections()

    async def drop_idle(self, longer_than_s: float) -> None:
        """End the connections that were not used for longer than this.

        For a call that had no answer for this time: its server may hang, and each of these connections would let
        another call find out.
        """
        before = self._clock() - longer_than_s
        while self._idle and self._idle[0][1] <= before:
            await self._discard(self._idle.popleft()[0])

    async def close(self) -> None:
        """Wait until every connection is given back, and close it."""
        self._closing = True
        while self._idle:
            await self._pool.release(self._idle.pop()[0], timeout=LONGEST_RELEASE_S)
        await asyncio.gather(*self._releasing)
        await self._pool.close()

    async def _release(self, connection: Any) -> None:
        """Let the pool end the call that may still run on the server, then give the place back."""
        try:
            try:
                if self._explicit_transactions and not is_lost(connection):
                    # Even if no transaction has begun: the response to a begin that timed out may be on its way.
                    await connection.execute("rollback", timeout=LONGEST_RELEASE_S)
            finally:
                await self._pool.release(connection, timeout=LONGEST_RELEASE_S)
        except Exception as error:  # noqa: BLE001 - of the network, the server or the pool
            # The pool has closed the connection. Its caller has its error already.
            _log.info("connection_ended", reason=type(error).__name__)
        finally:
            self.limit.release()

    async def _discard(self, connection: Any) -> None:
        if not is_lost(connection):
            connection.terminate()
        await self._pool.release(connection)


def is_lost(connection: Any) -> bool:
    """Whether the connection is closed or back in the pool."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        # The pool has taken it back, which it does by itself only after the connection was lost.
        return True
