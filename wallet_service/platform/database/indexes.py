# asyncpg ships no type information, so its results are annotated here by hand.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""Builds the indexes of the rooms while the service works: outside of transactions, one by one, one run at a time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

import asyncpg

from wallet_service.platform.database.sql_files import Index, MigrationError

LOCK = 8208_0002
"""The advisory lock that a run holds while it builds. The migration script does not start while another run has it."""

OTHER_RUN_S = 10.0
"""How long to wait for another run that builds indexes. A large table takes longer, and the service works meanwhile."""

_POLL_S = 0.25


class IndexBuildError(MigrationError):
    """An index can't be built. The database is at this release and serves without the index."""


async def build_indexes(
    connection: Any, connect: Callable[[], Awaitable[Any]], indexes: Sequence[Index]
) -> tuple[Sequence[str], Sequence[str]]:
    """Build the indexes that are missing or invalid.

    Args:
        connection: builds; not in a transaction.
        connect: opens a second connection, which holds the lock in a transaction of its own. So it works through a
            pooler too, which may give each statement another session.
        indexes: of the rooms.

    Returns:
        The indexes that were built, and those that were left to another run, by their qualified names.

    Raises:
        IndexBuildError: an index can't be built; those before it are.
    """
    if not await _missing(connection, indexes):
        return (), ()
    built: list[str] = []
    async with _alone(connect) as is_alone:
        missing = await _missing(connection, indexes)
        if not is_alone:
            return (), tuple(missing)
        for index in indexes:
            if index.qualified in missing:
                await _build(connection, index, is_invalid=missing[index.qualified])
                built.append(index.qualified)
    return tuple(built), ()


async def _missing(connection: Any, indexes: Sequence[Index]) -> dict[str, bool]:
    """Those that are missing, and whether they are there and invalid."""
    query = resources.files("wallet_service.platform.database") / "runner" / "indexes.sql"
    names = [index.qualified for index in indexes]
    async with connection.transaction(readonly=True):  # a pooler keeps the session for a transaction only
        rows = await connection.fetch(query.read_text(encoding="utf-8"), names)
    return {row["name"]: row["is_invalid"] for row in rows}


async def _build(connection: Any, index: Index, *, is_invalid: bool) -> None:
    try:
        if is_invalid:
            await connection.execute(f"drop index concurrently if exists {index.qualified}")
        await connection.execute(index.sql)
    except asyncpg.PostgresError as error:
        raise _not_built(index, str(error)) from error
    if await _missing(connection, [index]):  # IF NOT EXISTS passes over any relation of this name
        raise _not_built(index, "something else has its name")


def _not_built(index: Index, reason: str) -> IndexBuildError:
    return IndexBuildError(
        f"{index.file}: index {index.qualified} can't be built: {reason}."
        " The service works without it; the next migrate builds it"
    )


@asynccontextmanager
async def _alone(connect: Callable[[], Awaitable[Any]]) -> AsyncGenerator[bool]:
    """Whether this run has the lock, as long as this is open.

    A statement that waits for the lock would have a snapshot, and the builds of the other run wait for all snapshots. So
    the lock is only attempted. The transaction that holds it is idle: it has no snapshot.
    """
    connection = await connect()
    try:
        deadline = asyncio.get_running_loop().time() + OTHER_RUN_S
        while True:
            transaction = connection.transaction(isolation="read_committed")
            await transaction.start()
            try:
                await connection.execute("set local idle_in_transaction_session_timeout = 0")
                # Without a parameter: the portal of the extended protocol would keep its snapshot.
                status = await connection.execute(f"select where pg_try_advisory_xact_lock({LOCK})")
                has_lock = status == "SELECT 1"
                if has_lock or asyncio.get_running_loop().time() > deadline:
                    yield has_lock
                    return
            finally:
                if not connection.is_closed():
                    await transaction.rollback()
            await asyncio.sleep(_POLL_S)
    finally:
        await connection.close()
