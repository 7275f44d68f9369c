# asyncpg ships no type information, so what it returns is annotated here by hand.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
"""Migrates a database to this release, in one transaction. Several processes may start it at the same time."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import asyncpg

from wallet_service import __version__
from wallet_service.core.room import Room
from wallet_service.platform.database import script
from wallet_service.platform.database.dsns import place_of
from wallet_service.platform.database.hosts import Hosts, NoPrimaryError
from wallet_service.platform.database.indexes import OTHER_RUN_S, IndexBuildError, build_indexes
from wallet_service.platform.database.sql_files import (
    MigrationError,
    SqlFiles,
    latest_migration,
    read_sql_files,
)
from wallet_service.platform.database.translate import READ_ONLY

__all__ = [
    "DatabaseNewerError",
    "DatabaseReadOnlyError",
    "IndexBuildError",
    "MigrationError",
    "MigrationReport",
    "latest_migration",
    "migrate",
]

_CONNECT_TIMEOUT_S = 15
_POLL_S = 0.25


class DatabaseNewerError(MigrationError):
    """A newer release has migrated this database. Older code may use it, but may not migrate it.

    Attributes:
        release: the newer release.
        migration: the number of the newest migration of the database.
    """

    def __init__(self, message: str, release: str, migration: str) -> None:
        super().__init__(message)
        self.release = release
        self.migration = migration


class DatabaseReadOnlyError(MigrationError):
    """The database accepts no writes: no server is the primary at present, or the only one is a standby."""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a run changed. All are empty if the database was current, or lacked only grants.

    Attributes:
        applied: migration files, in order.
        functions_replaced: qualified names of all functions, if this is another release than the last one.
        functions_repaired: qualified names of functions that were missing, or not as this release had created them
            (definition, owner, SECURITY DEFINER, settings), and were replaced for that.
        functions_dropped: signatures of functions that are neither in this release nor in the one before it.
        indexes_built: qualified names, in order.
        indexes_left: qualified names of missing indexes that another run was still building.
    """

    applied: Sequence[str] = ()
    functions_replaced: Sequence[str] = ()
    functions_dropped: Sequence[str] = ()
    functions_repaired: Sequence[str] = ()
    indexes_built: Sequence[str] = ()
    indexes_left: Sequence[str] = ()


async def migrate(
    dsn: str, rooms: Sequence[Room], *, release: str = __version__, test_clock: bool = False
) -> MigrationReport:
    """Migrate the database to this release: roles, schemas, tables, functions, grants. All of it, or nothing.

    Then build missing indexes, one by one, while the service works. Through a pooler this takes two of its sessions.

    Needs a superuser, or a role that owns the database and has CREATEROLE, or (if the roles and schemas exist
    already) a member of ``wallet_owner``. Each run compares the catalog with the records: every function exists as
    this release created it, and grants and row level security are right. If there is nothing to do, it is a few
    queries.

    Args:
        dsn: of the database.
        rooms: whose SQL is applied.
        release: the name under which the run is recorded.
        test_clock: whether the ledger gets a clock that can be set.

    Raises:
        DatabaseNewerError: a newer release has migrated the database.
        DatabaseReadOnlyError: the database accepts no writes.
        IndexBuildError: the database is at this release, and an index can't be built.
        MigrationError: any other reason, with the name of the file that caused it, if one did.
    """
    files = await asyncio.to_thread(read_sql_files, rooms, test_clock=test_clock)
    connection = await _connect(dsn)
    try:
        is_current = await _is_current(connection, files, release)
        report = MigrationReport() if is_current else await _apply(connection, files, release)
        built, left = await build_indexes(connection, partial(_connect, dsn), files.indexes)
        return replace(report, indexes_built=built, indexes_left=left)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _refusal(error, files) from error
    finally:
        await connection.close()


async def _connect(dsn: str) -> Any:
    try:
        # No cached statements: a pooler on the way may give each transaction another session.
        return await Hosts(dsn, "primary").connect(
            timeout=_CONNECT_TIMEOUT_S,
            statement_cache_size=0,
            server_settings={"application_name": "wallet-service migrate"},
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        kind = DatabaseReadOnlyError if isinstance(error, NoPrimaryError) else MigrationError
        raise kind(f"can't connect to the {place_of(dsn)}: {error}") from error


async def _apply(connection: Any, files: SqlFiles, release: str) -> MigrationReport:
    """Run the script; while another run builds indexes, attempt it again for some seconds."""
    sql = script.render(files, release)
    deadline = asyncio.get_running_loop().time() + OTHER_RUN_S
    while True:
        try:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(sql)
                report = json.loads(await connection.fetchval("select current_setting($1)", script.REPORT))
            return MigrationReport(
                *(tuple(report[part]) for part in ("applied", "replaced", "dropped", "repaired"))
            )
        except asyncpg.PostgresError as error:
            if error.sqlstate != script.BUILDING or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(_POLL_S)


async def _is_current(connection: Any, files: SqlFiles, release: str) -> bool:
    """Whether there is nothing to do. Also False if the roles or tables that the query needs are missing."""
    migrations = [f"{migration.number} {migration.checksum}" for migration in files.migrations]
    release_now = [release, files.functions_checksum]
    names = [function.qualified for function in files.functions]
    try:
        async with connection.transaction(readonly=True):
            # The settings on which definitions depend, as the script has them.
            await connection.execute(
                "set local search_path = pg_catalog, pg_temp; set local quote_all_identifiers = off"
            )
            query = script.current_query(files)
            return bool(await connection.fetchval(query, migrations, release_now, names))
    except (
        asyncpg.UndefinedTableError,
        asyncpg.UndefinedColumnError,  # the database of release 0.1.0
        asyncpg.InvalidSchemaNameError,
        asyncpg.InsufficientPrivilegeError,
    ):
        return False


def _newer(error: asyncpg.PostgresError) -> DatabaseNewerError:
    # asyncpg's classes have these fields by a metaclass.
    found: dict[str, str] = json.loads(getattr(error, "detail", ""))
    hint: str = getattr(error, "hint", "")
    return DatabaseNewerError(f"{error.args[0]}. {hint}", found["release"], found["migration"])


def _refusal(error: Exception, files: SqlFiles) -> MigrationError:
    """The error that stopped the script, with the file and line that caused it, if one did."""
    if not isinstance(error, asyncpg.PostgresError):
        return MigrationError(f"the migration was stopped: {error}")
    if error.sqlstate in (script.NEWER, script.STOPPED, script.BUILDING):
        return _newer(error) if error.sqlstate == script.NEWER else MigrationError(error.args[0])
    if error.sqlstate == READ_ONLY:
        return DatabaseReadOnlyError(
            "the database is read-only: its server is a standby, or set to read-only"
        )
    # asyncpg's classes have these fields by a metaclass.
    query: str | None = getattr(error, "internal_query", None)
    position: str | None = getattr(error, "internal_position", None)
    context: str = getattr(error, "context", None) or ""
    for file in (*files.migrations, *files.functions):
        if file.sql == query and position:
            line = file.line + file.sql.count("\n", 0, int(position) - 1)
            return MigrationError(f"{file.file}, line {line}: {error}")
        if file.sql and file.sql in context:
            return MigrationError(f"{file.file}: {error}")
    return MigrationError(f"the migration was stopped: {error}")
