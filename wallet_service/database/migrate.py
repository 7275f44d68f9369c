# asyncpg ships no type information, so what it returns is annotated here by hand.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
"""The runner: brings a database to this release, in one transaction, whoever else starts at the same time."""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, TypeAlias

import asyncpg

from wallet_service import __version__
from wallet_service.database.sql_files import (
    SCHEMAS,
    Function,
    Migration,
    MigrationError,
    SqlFiles,
    latest_migration,
    read_sql_files,
)

__all__ = ["DatabaseNewerError", "MigrationError", "MigrationReport", "latest_migration", "migrate"]

ADVISORY_LOCK = 8208_0001
"""The lock that one runner per database holds until its transaction ends."""

_CONNECT_TIMEOUT_S = 15
_ROLES_TRIES = 5
_FIRST_VERSION_WITH_SET_OPTION = 16

Row: TypeAlias = Mapping[str, Any]

_BOOKKEEPING = """
create table if not exists wallet.migrations (
  number text collate "C" primary key check (number ~ '^[0-9]{4}$'),
  name text not null,
  checksum text not null,
  release text not null,
  applied_at timestamptz not null default clock_timestamp()
);
comment on table wallet.migrations is 'written by the runner only: which migration files were applied';
create table if not exists wallet.releases (
  sequence bigint generated always as identity primary key,
  release text not null,
  checksum text not null,
  functions text[] not null,
  applied_at timestamptz not null default clock_timestamp()
);
comment on table wallet.releases is 'written by the runner only: the functions of every release applied';
"""

_STATE = """
select coalesce((select json_object_agg(number, checksum) from wallet.migrations), '{}')::text as migrations,
       latest.release, latest.checksum
from (select) as one
left join (select release, checksum from wallet.releases order by sequence desc limit 1) as latest on true
"""

_SIGNATURES = """
select p.oid::int8 as oid, p.oid::regprocedure::text as signature
from pg_catalog.pg_proc p
where p.pronamespace = $1::text::regnamespace and p.proname = $2::text
"""

_GRANTS = """
select quote_ident(pg_get_userbyid(acl.grantee)) as grantee, acl.is_grantable
from pg_catalog.pg_proc p, aclexplode(p.proacl) as acl
where p.oid::int8 = any($1::int8[]) and acl.grantee not in (0, p.proowner) and acl.privilege_type = 'EXECUTE'
"""

_CLOSE_DOORS = """
select string_agg(format('revoke all on function %1$s from public;', p.oid::regprocedure)
  || case when n.nspname = 'wallet_api'
       then format('grant execute on function %1$s to wallet_service;', p.oid::regprocedure) else '' end, '')
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('wallet', 'wallet_api') and p.proowner = 'wallet_owner'::regrole
"""

_UNSAFE = """
select p.oid::regprocedure::text
from pg_catalog.pg_proc p
where p.pronamespace = 'wallet_api'::regnamespace and p.proowner = 'wallet_owner'::regrole
  and not (p.prosecdef and 'search_path=pg_catalog, pg_temp' = any(coalesce(p.proconfig, '{}')))
limit 1
"""


class DatabaseNewerError(MigrationError):
    """A newer release has migrated this database. Older code may serve from it, and may not migrate it."""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a run changed; all empty when the database was current.

    Attributes:
        applied: migration files, in order.
        functions_replaced: qualified names of all functions, when they were applied.
        functions_dropped: signatures of functions that neither this release nor the one before it has.
    """

    applied: Sequence[str] = ()
    functions_replaced: Sequence[str] = ()
    functions_dropped: Sequence[str] = ()


async def migrate(
    dsn: str, *, source: Traversable | None = None, release: str = __version__
) -> MigrationReport:
    """Bring the database to this release: roles, schemas, tables, functions, grants. All of it, or nothing.

    Needs a superuser, or a role that owns the database and has CREATEROLE, or (when the roles and schemas are
    there already) a member of ``wallet_owner``. With nothing to do it is one query.

    Args:
        dsn: where the database is.
        source: the folder with ``schema`` and ``functions``; without it, this package's.
        release: the name under which the run is recorded.

    Raises:
        DatabaseNewerError: a newer release has been here.
        MigrationError: anything else that stops it, with the file's name where one is to blame.
    """
    files = await asyncio.to_thread(read_sql_files, source)
    try:
        # No cached statements: the way may lead through a pooler that gives each transaction another session.
        connection = await asyncpg.connect(
            dsn,
            timeout=_CONNECT_TIMEOUT_S,
            statement_cache_size=0,
            server_settings={"application_name": "wallet-service migrate"},
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MigrationError(f"can't connect to the database: {error}") from error
    try:
        run = _Run(connection, files, release)
        if await run.is_current():
            return MigrationReport()
        async with connection.transaction(isolation="read_committed"):
            await connection.execute(f"select pg_advisory_xact_lock({ADVISORY_LOCK})")
            return await run.apply()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MigrationError(f"the migration was stopped: {error}") from error
    finally:
        await connection.close()


class _Run:
    """One run on one connection."""

    def __init__(self, connection: Any, files: SqlFiles, release: str) -> None:
        self._connection = connection
        self._files = files
        self._release = release

    async def is_current(self) -> bool:
        """Whether nothing is to be done; False too when the roles and tables to see it are missing."""
        try:
            async with self._connection.transaction(readonly=True):
                state: Row = await self._connection.fetchrow(_STATE)
        except (
            asyncpg.UndefinedTableError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.InsufficientPrivilegeError,
        ):
            return False
        return not self._missing_migrations(state) and self._functions_are_current(state)

    async def apply(self) -> MigrationReport:
        """Do what is missing; the caller holds the lock and the transaction."""
        await self._ensure_roles()
        await self._ensure_schemas()
        await self._connection.execute("set local role wallet_owner")
        await self._connection.execute("set local search_path = pg_catalog, pg_temp")
        await self._connection.execute(_BOOKKEEPING)
        state: Row = await self._connection.fetchrow(_STATE)
        missing = self._missing_migrations(state)
        for migration in missing:
            await self._apply_migration(migration)
        applied = tuple(migration.file for migration in missing)
        if self._functions_are_current(state):
            # The other runner was faster; or tables changed alone, and the functions stay as they are.
            return MigrationReport(applied)
        replaced, dropped = await self._replace_functions()
        return MigrationReport(applied, replaced, dropped)

    def _missing_migrations(self, state: Row) -> Sequence[Migration]:
        """The migrations to apply, after checking those that were."""
        recorded: dict[str, str] = json.loads(state["migrations"])
        known = {migration.number: migration for migration in self._files.migrations}
        newest = max(known, default="0000")
        for number, checksum in sorted(recorded.items()):
            if number > newest:
                raise DatabaseNewerError(
                    f"the database has migration {number}, this release ends at {newest}"
                )
            if known[number].checksum != checksum:
                raise MigrationError(
                    f"{known[number].file} was edited after it was applied here; undo that, add another"
                )
        if state["release"] is not None and _version(state["release"]) > _version(self._release):
            raise DatabaseNewerError(
                f"release {state['release']} has migrated this database, this is {self._release}"
            )
        return [migration for migration in self._files.migrations if migration.number not in recorded]

    def _functions_are_current(self, state: Row) -> bool:
        return state["checksum"] == self._files.functions_checksum and state["release"] == self._release

    async def _ensure_roles(self) -> None:
        """Make the two roles of the cluster, and this user a member of the owner.

        Roles belong to the cluster and the advisory lock to one database, so a run in another database can be
        making the same roles; whoever comes second waits for the first one's commit, fails, and looks again.
        """
        for _ in range(_ROLES_TRIES):
            try:
                async with self._connection.transaction():
                    await self._create_roles()
            except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                continue
            except asyncpg.InsufficientPrivilegeError as error:
                raise MigrationError(
                    "this user may not make or join the roles of the service; let a superuser run: "
                    "create role wallet_owner nologin; create role wallet_service nologin; "
                    "grant wallet_owner to <this user>"
                ) from error
            return
        raise MigrationError("other runs kept changing the roles wallet_owner and wallet_service")

    async def _create_roles(self) -> None:
        for role in ("wallet_owner", "wallet_service"):
            if not await self._connection.fetchval("select to_regrole($1) is not null", role):
                await self._connection.execute(f"create role {role} nologin")
        if self._connection.get_server_version().major >= _FIRST_VERSION_WITH_SET_OPTION:
            member = "pg_has_role('wallet_owner', 'SET') and pg_has_role('wallet_owner', 'USAGE')"
            options = " with inherit true, set true"
        else:
            member, options = "pg_has_role('wallet_owner', 'USAGE')", ""
        if not await self._connection.fetchval(f"select {member}"):
            await self._connection.execute(f"grant wallet_owner to current_user{options}")

    async def _ensure_schemas(self) -> None:
        for schema in SCHEMAS:
            owner = await self._connection.fetchval(
                "select pg_get_userbyid(nspowner) from pg_catalog.pg_namespace where nspname = $1", schema
            )
            if owner is None:
                try:
                    await self._connection.execute(f"create schema {schema} authorization wallet_owner")
                except asyncpg.InsufficientPrivilegeError as error:
                    raise MigrationError(
                        f"this user may not create schema {schema}; let the database's owner run: "
                        "grant create on database <database> to <this user>"
                    ) from error
            elif owner != "wallet_owner":
                raise MigrationError(f"there is a schema {schema} already, and it belongs to {owner}")

    async def _apply_migration(self, migration: Migration) -> None:
        await self._execute_file(migration.file, migration.sql)
        await self._connection.execute(
            "insert into wallet.migrations (number, name, checksum, release) values ($1, $2, $3, $4)",
            migration.number,
            migration.name,
            migration.checksum,
            self._release,
        )

    async def _replace_functions(self) -> tuple[Sequence[str], Sequence[str]]:
        # Bodies may name functions that come later in the alphabet.
        await self._connection.execute("set local check_function_bodies = off")
        for function in self._files.functions:
            await self._replace(function)
        replaced = tuple(function.qualified for function in self._files.functions)
        dropped = await self._drop_forgotten(replaced)
        await self._close_doors()
        await self._connection.execute(
            "insert into wallet.releases (release, checksum, functions) values ($1, $2, $3)",
            self._release,
            self._files.functions_checksum,
            list(replaced),
        )
        return replaced, dropped

    async def _replace(self, function: Function) -> None:
        """Put the function in place of whatever has its name; never leave two of one name."""
        before: Sequence[Row] = await self._connection.fetch(_SIGNATURES, function.schema, function.name)
        if not before:
            await self._execute_file(function.file, function.sql)
            return
        grants: Sequence[Row] = await self._connection.fetch(_GRANTS, [row["oid"] for row in before])
        try:
            async with self._connection.transaction():
                await self._execute_file(function.file, function.sql)
                after: Sequence[Row] = await self._connection.fetch(
                    _SIGNATURES, function.schema, function.name
                )
                if len(after) == 1:
                    return
                raise _SignatureChangedError  # noqa: TRY301 - rolls the second function of the name back
        except (_SignatureChangedError, _NotReplaceableError):
            # Another argument list, answer or parameter name: Postgres replaces none of these in place.
            await self._drop(row["signature"] for row in before)
        await self._execute_file(function.file, function.sql)
        (made,) = await self._connection.fetch(_SIGNATURES, function.schema, function.name)
        for grant in grants:
            option = " with grant option" if grant["is_grantable"] else ""
            await self._connection.execute(
                f"grant execute on function {made['signature']} to {grant['grantee']}{option}"
            )

    async def _drop_forgotten(self, present: Sequence[str]) -> Sequence[str]:
        """Drop functions of earlier releases that neither this release nor the last one here has.

        One that only this release lacks stays: processes of the last release may still be calling it.
        """
        forgotten: Sequence[str] = await self._connection.fetchval(
            """
            select coalesce(array_agg(distinct p.oid::regprocedure::text), '{}')
            from wallet.releases r, unnest(r.functions) as f(qualified)
            join pg_catalog.pg_proc p
              on p.pronamespace = split_part(f.qualified, '.', 1)::regnamespace
             and p.proname = split_part(f.qualified, '.', 2)
            where f.qualified <> all ($1::text[])
              and f.qualified <> all (
                select unnest(last.functions)
                from (select functions from wallet.releases order by sequence desc limit 1) as last)
            """,
            list(present),
        )
        await self._drop(forgotten)
        return tuple(forgotten)

    async def _drop(self, signatures: Iterable[str]) -> None:
        for signature in signatures:
            try:
                await self._connection.execute(f"drop function {signature}")
            except asyncpg.DependentObjectsStillExistError as error:
                raise MigrationError(
                    f"{signature} can't be dropped, something uses it: {error.detail}"
                ) from error

    async def _close_doors(self) -> None:
        """Nothing for everybody; the functions of wallet_api for the service's role."""
        unsafe: str | None = await self._connection.fetchval(_UNSAFE)
        if unsafe is not None:
            raise MigrationError(f"{unsafe} is not security definer set search_path = pg_catalog, pg_temp")
        await self._connection.execute("grant usage on schema wallet_api to wallet_service")
        statements: str | None = await self._connection.fetchval(_CLOSE_DOORS)
        if statements is not None:
            await self._connection.execute(statements)

    async def _execute_file(self, file: str, sql: str) -> None:
        try:
            await self._connection.execute(sql)
        except asyncpg.InvalidFunctionDefinitionError as error:
            raise _NotReplaceableError(f"{file}: {error}") from error
        except asyncpg.PostgresError as error:
            position: str | None = getattr(error, "position", None)
            line = f", line {sql.count(chr(10), 0, int(position) - 1) + 1}" if position else ""
            raise MigrationError(f"{file}{line}: {error}") from error


class _SignatureChangedError(Exception):
    """The file made a second function of its name."""


class _NotReplaceableError(MigrationError):
    """The definition is wrong, or can't replace the one before it."""


def _version(release: str) -> list[int]:
    """The numbers of a release, for order; what follows them (rc1, .dev0) doesn't count."""
    match = re.match(r"\d+(?:\.\d+)*", release)
    return [int(number) for number in match[0].split(".")] if match else []
