"""`migrate --sql`: the script that people apply by other means is what `migrate` runs."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support import cluster as clusters
from support.catalog import catalog
from support.sample_releases import FolderRoom, Release, function
from support.supabase_project import OWNER, create_project, project_cluster

from wallet_service.platform.database.migrate import MigrationReport, migrate
from wallet_service.platform.database.script import index_statements, migration_script
from wallet_service.platform.database.sql_files import latest_migration
from wallet_service.rooms import ROOMS

SCRIPT = migration_script(ROOMS)
INDEXES = index_statements(ROOMS)


async def psql(dsn: str, script: str, *options: str) -> tuple[int, str]:
    """Exit status and errors of psql."""
    process = await asyncio.create_subprocess_exec(
        clusters.binaries(clusters.SUPPORTED[0]) / "psql",
        *("-X", "-q", "-v", "ON_ERROR_STOP=1", *options, "-d", dsn, "-f", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PGCLIENTENCODING": "UTF8"},
    )
    said, errors = await process.communicate(script.encode())
    assert said == b""
    assert process.returncode is not None
    return process.returncode, errors.decode()


@pytest.fixture
async def empty(fresh_database: FreshDatabase, postgres_version: int) -> TestDatabase:
    return await fresh_database(version=postgres_version, empty=True)


@pytest.fixture
async def admin(empty: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty.dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def migrated(any_postgres: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A database of the same version that ``migrate`` made."""
    connection = await asyncpg.connect(any_postgres.dsn)
    yield connection
    await connection.close()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def older(folder: Path) -> Sequence[FolderRoom]:
    """This release as it was: a table script less, a function more, and two with another signature."""
    newest = latest_migration(ROOMS)
    rooms = [FolderRoom(name=room.name, schema=room.schema, folder=folder / room.name) for room in ROOMS]
    for room, was in zip(ROOMS, rooms, strict=True):
        scripts = room.sql / "migrations"
        for file in scripts.iterdir() if scripts.is_dir() else ():
            if not file.name.startswith(newest):
                was.write(f"migrations/{file.name}", file.read_text(encoding="utf-8"))
    rooms[0].write("forgotten.sql", function("wallet_api.forgotten"))
    rooms[0].write("read_health.sql", function("wallet_api.read_health", "p_one int default 1"))
    rooms[0].write("clock.sql", function("wallet.clock"))
    return rooms


async def test_an_empty_database_becomes_what_migrate_makes(
    empty: TestDatabase, admin: asyncpg.Connection, migrated: asyncpg.Connection
) -> None:
    assert await psql(empty.dsn, SCRIPT, "-1") == (0, "")
    assert await psql(empty.dsn, INDEXES) == (0, "")

    assert await catalog(admin) == await catalog(migrated)
    assert await migrate(empty.dsn, ROOMS) == MigrationReport()


async def test_without_a_transaction_around_it_is_the_same(
    empty: TestDatabase, admin: asyncpg.Connection, migrated: asyncpg.Connection
) -> None:
    assert await psql(
        empty.dsn, f"{SCRIPT}{INDEXES}{INDEXES}", "-c", "set client_min_messages = warning"
    ) == (0, "")

    assert await catalog(admin) == await catalog(migrated)


@pytest.mark.parametrize("statements", ["many", "one"])
async def test_a_driver_can_run_it(
    *, empty: TestDatabase, admin: asyncpg.Connection, migrated: asyncpg.Connection, statements: str
) -> None:
    # One: the extended protocol, with which the Supabase CLI sends each statement of a file.
    await (admin.execute(SCRIPT) if statements == "many" else admin.fetch(SCRIPT))

    report = await migrate(empty.dsn, ROOMS)
    assert report == MigrationReport(indexes_built=report.indexes_built)
    assert await catalog(admin) == await catalog(migrated)


async def test_the_rest_of_the_transaction_is_as_it_was(admin: asyncpg.Connection) -> None:
    """The Supabase CLI records a migration in its own table, in the transaction of the migration."""
    settings = (
        "select current_user, current_setting('role'), current_setting('search_path'),"
        " current_setting('check_function_bodies')"
    )
    await admin.execute("create role cli superuser")
    try:
        await admin.execute("set role cli")
        await admin.execute("set search_path = public, pg_temp")
        before = await admin.fetchrow(settings)
        async with admin.transaction():
            await admin.execute("create table recorded (version text)")
            await admin.execute(SCRIPT)
            assert await admin.fetchrow(settings) == before
            await admin.execute("insert into recorded values ('wallet')")
        assert await admin.fetchrow(settings) == before
        assert await admin.fetchval("select count(*) from public.recorded") == 1
    finally:
        await admin.execute("reset role")
        await admin.execute("drop owned by cli")
        await admin.execute("drop role cli")


async def test_twice_changes_nothing(empty: TestDatabase, admin: asyncpg.Connection) -> None:
    written = (
        "select array(select xmin::text from pg_proc where pronamespace::regnamespace::text like 'wallet%')"
        " || array(select xmin::text from pg_class where relnamespace::regnamespace::text like 'wallet%')"
        " || array(select xmin::text from pg_namespace where nspname like 'wallet%')"
        " || array(select xmin::text from wallet.releases) || array(select xmin::text from wallet.migrations)"
    )
    await migrate(empty.dsn, ROOMS)
    before = await admin.fetchval(written)

    assert await psql(empty.dsn, SCRIPT, "-1") == (0, "")

    assert await admin.fetchval(written) == before


@pytest.mark.parametrize("by", ["migrate", "script"])
async def test_it_brings_an_older_database_forward(
    *, empty: TestDatabase, admin: asyncpg.Connection, migrated: asyncpg.Connection, tmp_path: Path, by: str
) -> None:
    was = older(tmp_path)
    if by == "migrate":
        await migrate(empty.dsn, was, release="0.0.1")
    else:
        await admin.execute(migration_script(was, "0.0.1"))
    was[0].remove("forgotten.sql")
    await admin.execute(migration_script(was, "0.0.2"))
    applied = await admin.fetch("select number, applied_at from wallet.migrations order by number")
    assert applied

    assert await psql(empty.dsn, SCRIPT, "-1") == (0, "")
    assert await psql(empty.dsn, INDEXES) == (0, "")

    assert await catalog(admin) == await catalog(migrated)
    now = await admin.fetch("select number, applied_at from wallet.migrations order by number")
    assert now[:-1] == applied
    assert await migrate(empty.dsn, ROOMS) == MigrationReport()


async def test_a_newer_database_is_refused(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    older_script = migration_script(release.rooms, "1.0.0")
    release.write("migrations/0002_things_more.sql", "create table wallet.more ();")
    await migrate(empty.dsn, release.rooms, release="1.0.0")
    before = await catalog(admin)

    status, said = await psql(empty.dsn, older_script, "-1")
    assert status != 0
    assert "ERROR:  the database has migration 0002, this release ends at 0001" in said

    await migrate(empty.dsn, release.rooms, release="1.10.0")
    status, said = await psql(empty.dsn, migration_script(release.rooms, "1.9.0"), "-1")
    assert status != 0
    assert "ERROR:  release 1.10.0 has migrated this database, this is 1.9.0" in said
    assert (await catalog(admin))["functions"] == before["functions"]


async def test_an_edited_migration_is_refused(empty: TestDatabase, release: Release) -> None:
    await migrate(empty.dsn, release.rooms)
    release.write("migrations/0001_things_table.sql", "create table wallet.other ();")

    status, said = await psql(empty.dsn, migration_script(release.rooms), "-1")

    assert status != 0
    assert "0001_things_table.sql was edited after it was applied here" in said


async def test_it_waits_for_a_run_under_way(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    script = migration_script(release.rooms)
    runs = await asyncio.gather(
        *(psql(empty.dsn, script, "-1") for _ in range(3)),
        *(migrate(empty.dsn, release.rooms) for _ in range(3)),
    )

    assert [run for run in runs if isinstance(run, tuple)] == [(0, "")] * 3
    assert await admin.fetchval("select count(*) from wallet.releases") == 1


async def test_any_text_in_a_file_comes_through(admin: asyncpg.Connection, release: Release) -> None:
    words = "$file$ $file1$ $wallet_service$ $$ ' \\ {{grants}} é"
    release.write(
        "migrations/0002_things_words.sql",
        f"comment on table wallet.things is '{words.replace(chr(39), chr(39) * 2)}'",
    )

    await admin.execute(migration_script(release.rooms, "1.0.0-it's"))

    assert await admin.fetchval("select obj_description('wallet.things'::regclass)") == words
    assert await admin.fetchval("select release from wallet.releases") == "1.0.0-it's"


async def test_the_owner_of_a_supabase_project_can_run_it(
    postgres_version: int, migrated: asyncpg.Connection
) -> None:
    cluster = await project_cluster(postgres_version)
    dsn = cluster.dsn(await create_project(cluster), OWNER)

    assert await psql(dsn, SCRIPT, "-1") == (0, "")
    assert await psql(dsn, INDEXES) == (0, "")

    assert await migrate(dsn, ROOMS) == MigrationReport()
    connection = await asyncpg.connect(dsn)
    try:
        made = await catalog(connection)
    finally:
        await connection.close()
    assert made == await catalog(migrated)


async def test_a_login_that_acts_for_the_owner_can_run_it(postgres_version: int) -> None:
    """Supabase's CLI logs in as a role of its own, and then takes the owner's."""
    cluster = await project_cluster(postgres_version)
    name = await create_project(cluster)
    owner = await asyncpg.connect(cluster.dsn("postgres"))
    login = f"cli_{secrets.token_hex(4)}"
    await owner.execute(f"create role {login} login noinherit in role {OWNER}")
    connection = await asyncpg.connect(cluster.dsn(name, login))
    try:
        await connection.execute(f"set role {OWNER}")
        await connection.execute(SCRIPT)
        assert await connection.fetchval("select current_user") == OWNER
        report = await migrate(cluster.dsn(name, OWNER), ROOMS)
        assert report == MigrationReport(indexes_built=report.indexes_built)
    finally:
        await connection.close()
        await owner.execute(f"drop role {login}")
        await owner.close()


def test_it_goes_through_the_supabase_cli() -> None:
    """Since 1.54 its buffer has the length of the file; before, docs/supabase.md has the setting for this length."""
    assert len(SCRIPT.encode()) < 5_000_000


@pytest.mark.parametrize(("option", "printed"), [("--sql", SCRIPT), ("--sql-indexes", INDEXES)])
async def test_the_command_prints_it_without_settings(tmp_path: Path, option: str, printed: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "WALLET_VENV": sys.prefix,
        "WALLET_PORT": "not a port",
        "PYTHONIOENCODING": "latin-1",
    }
    command = [Path(sys.prefix) / "bin" / "wallet-service", "migrate", option]

    done = await asyncio.to_thread(
        subprocess.run, command, cwd=tmp_path, env=environment, capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == printed
