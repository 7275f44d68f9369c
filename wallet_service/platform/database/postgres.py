# asyncpg ships no type information, so what it returns is annotated here by hand.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
"""The asyncpg driver, for every PostgreSQL that is reached by its own protocol, including the embedded one."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Self

import asyncpg
import uuid_utils

from wallet_service.core.errors import Overloaded, Unavailable
from wallet_service.platform.database.connections import Connections, is_lost
from wallet_service.platform.database.gateway import Database, Json, Param, check_names, deadline
from wallet_service.platform.database.hosts import Hosts, Role
from wallet_service.platform.database.translate import (
    READ_ONLY,
    NotReplicatedError,
    is_answer,
    loggable,
    translate,
)

PROCESS = uuid_utils.uuid4().hex
"""A part of the name of every prepared statement of this process."""

_READS = ("find_key", "get_", "list_", "read_", "verify_", "record_privileged_read")
"""The last one writes, and counts as the read that it belongs to: it may be cancelled, and waits for no standby."""
_STALLED = """
select count(*) from pg_catalog.pg_stat_activity
where usename = current_user and wait_event = 'SyncRep' and query_start < clock_timestamp() - interval '1 second'
"""
"""How many sessions of this login have committed, and wait for a standby: more than a second, so not in normal use."""

_may_cancel: ContextVar[bool] = ContextVar("may_cancel", default=False)
"""Whether a call that timed out, or whose caller was cancelled, is cancelled on the server."""


class _Connection(asyncpg.Connection):
    """Gives prepared statements names that are unique over all processes, and does not cancel calls that write.

    asyncpg numbers statements in each process. If a pooler gives two processes the same session, one could execute the
    statement that the other prepared under the same number. With unique names that is an error instead.

    After a timeout asyncpg asks the server to cancel the statement. Where a synchronous standby has to confirm a commit,
    that ends the wait for the standby: the commit is kept and visible, although no other server has it. So a call that
    may write is left to the server, and its connection ends. docs/operations.md, "When the database fails over", has
    what such a call may hold.
    """

    __slots__ = ()

    def _cancel_current_command(self, waiter: Any, cancel_waiter: Any = None) -> None:
        if _may_cancel.get():
            super()._cancel_current_command(waiter, cancel_waiter)  # pyright: ignore[reportAttributeAccessIssue]  # no types
        else:
            # Later: asyncpg, which is calling this, still has to report the timeout.
            asyncio.get_running_loop().call_soon(self.terminate)

    def _get_unique_id(self, prefix: str) -> str:
        counted: str = super()._get_unique_id(prefix)  # pyright: ignore[reportAttributeAccessIssue]  # no types
        return f"{counted}{PROCESS}"


class PostgresDatabase(Database):
    """Calls functions over a pool of connections that carry no session state."""

    def __init__(self, pool: Any, *, pool_size: int, timeout_ms: int, explicit_transactions: bool) -> None:
        self._pool = pool
        self._pool_size = pool_size
        self._timeout_s = timeout_ms / 1000
        self._connections = Connections(pool, pool_size, explicit_transactions=explicit_transactions)
        self.limit = self._connections.limit
        self._explicit_transactions = explicit_transactions
        self._may_be_stalled = False

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        pool_size: int = 10,
        timeout_ms: int = 5000,
        statement_cache_size: int = 100,
        role: Role = "any",
    ) -> Self:
        """Create the pool. Connections are opened when calls need them.

        So this succeeds while the server is unavailable: the service starts, and /health/ready reports the reason.

        Args:
            dsn: of the database; it can name several hosts.
            pool_size: the maximum number of connections.
            timeout_ms: milliseconds for a call, including its wait for a connection.
            statement_cache_size: prepared statements kept for each connection. 0 for a pooler that gives each
                transaction another session (PgBouncer without max_prepared_statements); each call then is a
                transaction of its own with explicit begin and commit.
            role: what the server has to be, where there are several hosts.
        """
        connect: Any = Hosts(dsn, role).connect
        pool = await asyncpg.create_pool(
            dsn,
            connect=connect,
            min_size=0,
            max_size=pool_size,
            init=_set_codecs,
            connection_class=_Connection,
            reset=_no_reset,
            timeout=timeout_ms / 1000,
            command_timeout=timeout_ms / 1000,
            statement_cache_size=statement_cache_size,
            server_settings={"application_name": "wallet-service"},
        )
        return cls(
            pool, pool_size=pool_size, timeout_ms=timeout_ms, explicit_transactions=statement_cache_size == 0
        )

    async def call(self, function: str, /, **params: Param) -> bytes:
        """Call the function in one round trip; see the base class. Overloaded if no connection is free."""
        query = _query(function, tuple(params))
        values = [value.text if isinstance(value, Json) else value for value in params.values()]
        loop = asyncio.get_running_loop()
        until = deadline(loop.time() + self._timeout_s)
        reads = is_read(function)
        _may_cancel.set(reads)
        connection = await self._take(until)
        taken = loop.time()
        reusable = False
        try:
            if self._may_be_stalled and not reads:
                await self._check_replication(connection, until)
            answer: bytes | None = await self._send(connection, query, values, until)
            reusable = True
            if not reads:
                self._may_be_stalled = False
        except TimeoutError as error:
            self._may_be_stalled = self._may_be_stalled or not reads
            await self._connections.drop_idle(loop.time() - taken)
            raise translate(error) from error
        except Exception as error:  # noqa: BLE001 - every error becomes a WalletError
            if isinstance(error, asyncpg.PostgresError) and error.sqlstate == READ_ONLY:
                await self._connections.replace_all(connection)
            reusable = not self._explicit_transactions and is_answer(error)
            raise translate(error, connection_lost=is_lost(connection)) from loggable(error)
        finally:
            await self._connections.give_back(connection, reusable=reusable)
        return b"null" if answer is None else answer

    async def _send(self, connection: Any, query: str, values: Sequence[Any], until: float) -> Any:
        if self._explicit_transactions:
            return await _in_transaction(connection, query, values, until)
        return await connection.fetchval(query, *values, timeout=until - asyncio.get_running_loop().time())

    async def _check_replication(self, connection: Any, until: float) -> None:
        """After a write that timed out: don't add to the sessions that wait for a standby, which the server has few of.

        Each write that times out leaves one there until a standby confirms its commit. Reads need the sessions, too.
        """
        waiting: int = await self._send(connection, _STALLED, (), until)
        if waiting >= self._pool_size:
            raise NotReplicatedError

    async def close(self) -> None:
        """Wait for calls under way, then close every connection; later calls are Unavailable."""
        await self._connections.close()

    async def _take(self, until: float) -> Any:
        try:
            return await self._connections.take(until)
        except TimeoutError as error:
            if self._pool.get_size() >= self._pool_size:
                raise Overloaded("Every connection to the database is in use") from error
            raise Unavailable from error
        except Exception as error:  # noqa: BLE001 - every error becomes a WalletError
            raise translate(error, connection_lost=True) from loggable(error)


@lru_cache(maxsize=1024)
def is_read(function: str) -> bool:
    """Whether the function changes nothing, by its name. So it can be cancelled on the server at any time."""
    return function.startswith(_READS)


async def _in_transaction(connection: Any, query: str, values: Sequence[Any], until: float) -> Any:
    """Prepare and execute are two round trips; within a transaction both reach the same session.

    Not asyncpg's transaction(), because each step of it may take the whole time. After an error, ``give_back`` of the
    connection rolls back.
    """
    loop = asyncio.get_running_loop()
    await connection.execute("begin", timeout=until - loop.time())
    answer = await connection.fetchval(query, *values, timeout=until - loop.time())
    await connection.execute("commit", timeout=until - loop.time())
    return answer


@lru_cache(maxsize=1024)
def _query(function: str, params: tuple[str, ...]) -> str:
    """The only statement that the driver sends."""
    check_names(function, *params)
    arguments = ", ".join(f"p_{name} => ${place}" for place, name in enumerate(params, start=1))
    return f"select wallet_api.{function}({arguments})"


async def _set_codecs(connection: Any) -> None:
    """Pass text as bytes, and timestamps and days as text. The types are built in, so this is no round trip.

    asyncpg would decode text to str, which we would have to encode again, and would require datetime objects, although
    PostgreSQL reads the text itself.
    """
    await connection.set_type_codec(
        "text", schema="pg_catalog", encoder=str.encode, decoder=_unchanged, format="binary"
    )
    for name in ("timestamptz", "date"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=_unchanged, decoder=_unchanged)


def _unchanged(value: Any) -> Any:
    return value


async def _no_reset(connection: Any) -> None:
    """Reset nothing: calls leave no session state, and a reset would be a round trip each time."""
