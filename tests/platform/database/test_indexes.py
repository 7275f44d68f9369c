"""Indexes that are built while the service works: after the script, one by one, by one run at a time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import open_api
from support.database_location import connect
from support.ledger import new_wallet
from support.polling import wait_for_lock_waiters
from support.sample_releases import FolderRoom, Release

from wallet_service.platform.database import indexes
from wallet_service.platform.database.gateway import Json
from wallet_service.platform.database.migrate import (
    IndexBuildError,
    MigrationError,
    MigrationReport,
    migrate,
)
from wallet_service.platform.database.script import migration_script
from wallet_service.platform.database.sql_files import read_indexes, read_sql_files
from wallet_service.rooms import ROOMS

NAMES = tuple(index.qualified for index in read_indexes(ROOMS))
BY_NAME = "create index concurrently if not exists things_name on wallet.things (thing_id);\n"
NEXT = "create index concurrently if not exists things_next on wallet.things ((thing_id + 1));\n"


@pytest.fixture
async def made(fresh_database: FreshDatabase, postgres_version: int) -> TestDatabase:
    return await fresh_database(version=postgres_version)


@pytest.fixture
async def empty(fresh_database: FreshDatabase, postgres_version: int) -> TestDatabase:
    return await fresh_database(version=postgres_version, empty=True)


async def _connected(database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def admin(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    async for connection in _connected(made):
        yield connection


@pytest.fixture
async def release(tmp_path: Path, empty: TestDatabase) -> Release:
    """A release with an index more than the database has."""
    found = Release(tmp_path)
    await migrate(empty.dsn, found.rooms)
    found.write("indexes.sql", f"-- One.\n{BY_NAME}\n-- The next.\n{NEXT}")
    return found


@pytest.fixture
async def writer(empty: TestDatabase, release: Release) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that has written to the table: a build waits for its end."""
    del release  # made the table
    async for connection in _connected(empty):
        await connection.execute("begin; insert into wallet.things values (1)")
        yield connection


async def is_valid(connection: asyncpg.Connection, name: str) -> bool | None:
    return await connection.fetchval(
        "select indisvalid from pg_index where indexrelid = to_regclass($1)", f"wallet.{name}"
    )


async def test_missing_ones_are_built_and_named(empty: TestDatabase, release: Release) -> None:
    built = ("wallet.things_name", "wallet.things_next")
    assert await migrate(empty.dsn, release.rooms) == MigrationReport(indexes_built=built)
    assert await migrate(empty.dsn, release.rooms) == MigrationReport()
    connection = await asyncpg.connect(empty.dsn)
    try:
        assert await is_valid(connection, "things_name")
        await connection.execute("drop index wallet.things_name")
    finally:
        await connection.close()
    assert (await migrate(empty.dsn, release.rooms)).indexes_built == ("wallet.things_name",)


async def test_the_code_works_and_says_what_is_missing(
    made: TestDatabase, admin: asyncpg.Connection, locate_database: Locate
) -> None:
    place = await locate_database(made)
    database = await connect(place)
    try:
        wallet = await new_wallet(database, "1")
        user = await admin.fetchval("select user_id from wallet.wallets where wallet_id = $1", wallet)
        await admin.execute("update wallet.wallets set organization_id = 'one', unverified_since = now()")
        marked = {"verified": False, "after": None, "limit": 10}
        of_user = {
            "user_id": user,
            "wallet_type": None,
            "currency": None,
            "status": None,
            "after": None,
            "limit": 10,
            "organizations": Json("{}"),
        }
        before = (
            await database.read("list_wallets", **marked),
            await database.read("list_user_wallets", **of_user),
        )
        assert wallet.encode() in before[0]
        assert before[1] == b'{"unasked":["one"]}'

        await admin.execute(f"drop index {', '.join(NAMES)}")

        assert (
            await database.read("list_wallets", **marked),
            await database.read("list_user_wallets", **of_user),
        ) == before
    finally:
        await database.close()
    async with open_api(place) as api:
        answer = await api.http.get("/health/ready")
        assert (answer.status_code, answer.json()["indexes_missing"]) == (200, list(NAMES))
        assert (await migrate(made.dsn, ROOMS)).indexes_built == NAMES
        assert (await api.http.get("/health/ready")).json()["indexes_missing"] == []


async def test_an_interrupted_build_is_done_again(
    empty: TestDatabase, release: Release, writer: asyncpg.Connection
) -> None:
    run = asyncio.create_task(migrate(empty.dsn, release.rooms))
    await wait_for_lock_waiters(writer, 1)
    async for other in _connected(empty):
        assert await other.fetchval(
            "select pg_cancel_backend(pid) from pg_stat_activity where query like '%' || $1", BY_NAME
        )
        with pytest.raises(
            IndexBuildError,
            match=r"folder/sql/indexes\.sql: index wallet\.things_name can't be built: cancel",
        ):
            await run
        assert await is_valid(other, "things_name") is False
        await writer.execute("commit")

        report = await migrate(empty.dsn, release.rooms)

        assert report.indexes_built == ("wallet.things_name", "wallet.things_next")
        assert await is_valid(other, "things_name")


async def test_an_invalid_one_is_missing(made: TestDatabase, admin: asyncpg.Connection) -> None:
    await admin.execute(
        "update pg_index set indisvalid = false where indexrelid = 'wallet.wallets_unverified'::regclass"
    )
    health = json.loads(await admin.fetchval("select wallet_api.read_health($1)", json.dumps(NAMES)))
    assert health["indexes_missing"] == ["wallet.wallets_unverified"]
    assert (await migrate(made.dsn, ROOMS)).indexes_built == ("wallet.wallets_unverified",)


async def test_two_runs_at_once_build_once(
    empty: TestDatabase, release: Release, writer: asyncpg.Connection
) -> None:
    """The second one waits without a snapshot, for which the build would have to wait."""
    runs = [asyncio.create_task(migrate(empty.dsn, release.rooms)) for _ in range(3)]
    await wait_for_lock_waiters(writer, 1)
    await asyncio.sleep(4 * indexes._POLL_S)
    assert not any(run.done() for run in runs)
    await writer.execute("commit")

    reports = await asyncio.gather(*runs)

    assert sorted(len(report.indexes_built) for report in reports) == [0, 0, 2]
    assert [report.indexes_left for report in reports] == [()] * 3


async def test_a_long_build_is_left_to_the_run_that_began_it(
    empty: TestDatabase, release: Release, writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "OTHER_RUN_S", 0.0)
    first = asyncio.create_task(migrate(empty.dsn, release.rooms))
    await wait_for_lock_waiters(writer, 1)

    report = await migrate(empty.dsn, release.rooms)

    assert report == MigrationReport(indexes_left=("wallet.things_name", "wallet.things_next"))
    assert not first.done()
    await writer.execute("commit")
    assert (await first).indexes_built == report.indexes_left


async def test_no_script_runs_beside_a_build(
    empty: TestDatabase, release: Release, writer: asyncpg.Connection
) -> None:
    """Its lock of a table would wait for the build, and all sessions for its lock."""
    builds = asyncio.create_task(migrate(empty.dsn, release.rooms))
    await wait_for_lock_waiters(writer, 1)
    release.write("migrations/0002_things_more.sql", "alter table wallet.things add column name text")

    async for other in _connected(empty):
        with pytest.raises(asyncpg.PostgresError, match="another run of migrate is building indexes"):
            await other.execute(migration_script(release.rooms))
    waits = asyncio.create_task(migrate(empty.dsn, release.rooms))
    await asyncio.sleep(4 * indexes._POLL_S)
    assert not waits.done()
    await writer.execute("commit")

    assert len((await builds).indexes_built) == 2
    assert (await waits).applied == ("0002_things_more.sql",)


async def test_a_run_that_is_stopped_leaves_no_lock(
    empty: TestDatabase, release: Release, writer: asyncpg.Connection
) -> None:
    run = asyncio.create_task(migrate(empty.dsn, release.rooms))
    await wait_for_lock_waiters(writer, 1)
    run.cancel()
    with suppress(asyncio.CancelledError):
        await run
    await writer.execute("commit")

    assert len((await migrate(empty.dsn, release.rooms)).indexes_built) == 2


async def test_another_relation_of_the_name_is_told(empty: TestDatabase, release: Release) -> None:
    async for connection in _connected(empty):
        await connection.execute("create view wallet.things_next as select 1")

    with pytest.raises(
        IndexBuildError, match=r"index wallet\.things_next can't be built: something else has"
    ):
        await migrate(empty.dsn, release.rooms)


@pytest.mark.parametrize(
    "statement",
    [
        "create index if not exists things_name on wallet.things (thing_id);",
        "create index concurrently things_name on wallet.things (thing_id);",
        "create index concurrently if not exists things_name on things (thing_id);",
        "create index concurrently if not exists things_name on public.things (thing_id);",
        "create index concurrently if not exists things_name on wallet_api.things (thing_id);",
        "drop table wallet.things;",
    ],
)
def test_a_file_of_indexes_has_nothing_else(tmp_path: Path, statement: str) -> None:
    room = FolderRoom(name="things", folder=tmp_path)
    room.write("indexes.sql", f"{NEXT}-- ; the second\n{statement}")

    with pytest.raises(MigrationError, match=r"folder/sql/indexes\.sql, line 3: this is not create index"):
        read_sql_files([room])


def test_two_rooms_have_no_index_of_one_name(tmp_path: Path) -> None:
    rooms = [
        FolderRoom(name=name, module=f"made_up.{name}.room", folder=tmp_path / name)
        for name in ("one", "two")
    ]
    for room in rooms:
        room.write("indexes.sql", NEXT)

    with pytest.raises(
        MigrationError,
        match=r"two/sql/indexes\.sql and one/sql/indexes\.sql both define an index things_next",
    ):
        read_sql_files(rooms)
