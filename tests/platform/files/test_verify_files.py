"""``verify`` finds what breaks a rule of files, and nothing where files were only used."""

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support.clock import SettableClock
from support.settings import make_settings

from wallet_service.ledger.verify import verify
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.postgres import PostgresDatabase
from wallet_service.platform.files.problems import FileQuotaExceeded
from wallet_service.platform.files.repository import FileRepository
from wallet_service.platform.files.room import ROOM
from wallet_service.platform.files.service import CHUNK_BYTES, FileService, NewFile
from wallet_service.platform.files.settings import FilesSettings
from wallet_service.platform.vault.keys import Key
from wallet_service.platform.vault.service import Vault

CHECKS = {check for walk in ROOM.verify_walks for check in walk.checks}
FUNCTIONS = [walk.function for walk in ROOM.verify_walks]
OWNER, OTHER, QUOTA = "client:tests", "client:other", 4 * CHUNK_BYTES


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def database(made: TestDatabase) -> AsyncIterator[Database]:
    opened = await PostgresDatabase.connect(made.service_dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def superuser(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(made.dsn)
    yield connection
    await connection.close()


async def store(database: Database, owner: str, size: int, *, personal: bool = False) -> str:
    settings = make_settings(files_quota_bytes=QUOTA)[FilesSettings]
    service = FileService(FileRepository(database), Vault([Key("k", bytes(32))]), settings)

    async def pieces() -> AsyncIterator[bytes]:
        yield os.urandom(size)

    done = await service.upload(owner, NewFile("a", "text/plain", personal=personal), pieces())
    return str(json.loads(done.document)["file_id"])


async def verified(database: Database) -> set[tuple[str, str]]:
    """The faults: each check with what it names."""
    lines: list[str] = []
    clean = await verify(database, lines.append, ROOM.verify_walks)
    concluded = {line.partition(":")[0] for line in lines if not line.startswith("FAULT ")}
    assert concluded >= CHECKS
    named = [line.removeprefix("FAULT ").split(": ", 1) for line in lines if line.startswith("FAULT ")]
    assert clean is (not named)
    return {(check, thing) for check, thing in named}


async def test_files_in_every_state_are_correct(database: Database, superuser: asyncpg.Connection) -> None:
    clock = SettableClock(superuser)
    await clock.install()
    assert await verified(database) == set()
    for personal in (True, False):
        for size in (1, 2, 3, CHUNK_BYTES - 1, 0):
            await store(database, OWNER, size, personal=personal)
    await store(database, OTHER, 2 * CHUNK_BYTES, personal=True)
    deleted = await store(database, OTHER, CHUNK_BYTES + 1)
    with pytest.raises(FileQuotaExceeded):
        await store(database, OTHER, 3 * CHUNK_BYTES)
    repository = FileRepository(database)
    await repository.begin(
        "0199d0a8-0000-7000-8000-0000000000aa",
        OTHER,
        None,
        name="open",
        media_type="a/b",
        personal=False,
        expires_at=None,
        keep_s=60,
    )
    assert await verified(database) == set()
    assert await repository.delete(OTHER, deleted)
    assert await verified(database) == set()
    # The removal of what has expired stops in the middle of a file.
    await clock.set(datetime.now(UTC) + timedelta(days=1000))
    assert await verified(database) == set()
    await superuser.execute("select wallet_api.delete_expired_files(3)")
    assert await superuser.fetchval("select count(*) from platform.file_chunks") > 0
    assert await verified(database) == set()


BROKEN = {
    "a chunk is missing in the middle": (
        "delete from platform.file_chunks where file_id = '{file}' and number = 1",
        {("file chunks", "file {file}")},
    ),
    "the last chunk is missing": (
        "delete from platform.file_chunks where file_id = '{file}' and number = 2",
        {("file chunks", "file {file}")},
    ),
    "all chunks are missing": (
        "delete from platform.file_chunks where file_id = '{file}'",
        {("file chunks", "file {file}")},
    ),
    "numbers begin at 1": (
        "update platform.file_chunks set number = number + 10 where file_id = '{file}'",
        {("file chunks", "file {file}")},
    ),
    "a chunk is shorter, and the last one longer": (
        (
            "update platform.file_chunks set content = substr(content, 2) where file_id = '{file}' and number = 0;"
            "update platform.file_chunks set content = content || '\\x00' where file_id = '{file}' and number = 2"
        ),
        {("file chunks", "file {file}")},
    ),
    "a sealed chunk is shorter": (
        "update platform.file_chunks set sealed = left(sealed, -2) where file_id = '{personal}' and number = 1",
        {("file chunks", "file {personal}")},
    ),
    "a personal file has a chunk that is not sealed": (
        (
            "update platform.file_chunks set content = '\\x00', sealed = null, key_id = null"
            " where file_id = '{personal}' and number = 1"
        ),
        {("file chunks", "file {personal}")},
    ),
    "the size is another": (
        "update platform.files set size_bytes = size_bytes - 1 where file_id = '{file}'",
        {("file chunks", "file {file}"), ("file charge", "file {file}")},
    ),
    "the quota counts less": (
        "update platform.file_usage set bytes = bytes - 1 where owner = 'client:tests'",
        {("file quota", "owner client:tests")},
    ),
    "a file counts nothing": (
        "update platform.files set charged_bytes = 0 where file_id = '{personal}'",
        {("file charge", "file {personal}"), ("file quota", "owner client:other")},
    ),
    "an owner has no count": (
        "delete from platform.file_usage where owner = 'client:other'",
        {("file quota", "file {personal}")},
    ),
    "a file is gone, and its chunks are not": (
        (
            "alter table platform.file_chunks drop constraint file_chunks_file_id_fkey;"
            "delete from platform.files where file_id = '{file}'"
        ),
        {("file of chunk", "file {file}"), ("file quota", "owner client:tests")},
    ),
}


async def test_what_breaks_a_rule_is_named(database: Database, superuser: asyncpg.Connection) -> None:
    names = {
        "file": await store(database, OWNER, 2 * CHUNK_BYTES + 5),
        "personal": await store(database, OTHER, CHUNK_BYTES + 1, personal=True),
    }
    found: set[str] = set()
    for what, (corruption, expected) in BROKEN.items():
        saved = await superuser.fetch("select * from platform.file_chunks")
        kept = [await superuser.fetch(f"select * from platform.{table}") for table in ("files", "file_usage")]
        await superuser.execute(corruption.format(**names))
        faults = {(check, thing.format(**names)) for check, thing in expected}
        assert await verified(database) == faults, what
        found |= {check for check, _ in faults}
        await superuser.execute("truncate platform.files, platform.file_usage, platform.file_chunks")
        for table, rows in zip(("files", "file_usage", "file_chunks"), (*kept, saved), strict=True):
            await superuser.copy_records_to_table(
                table, schema_name="platform", records=[tuple(row) for row in rows]
            )
        assert await verified(database) == set(), what
    assert found == CHECKS


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_pages_meet_without_a_gap(database: Database, function: str) -> None:
    for owner in (OWNER, OTHER):
        for size in (CHUNK_BYTES + 1, 1):
            await store(database, owner, size)
    totals = set[int]()
    for limit in (1, 3, 1000):
        total, place = 0, {}
        while place is not None:
            page = json.loads(await database.call(function, **place, limit=limit))
            assert page["faults"] == []
            total, place = total + page["checked"], page["next"]
        totals.add(total)
    assert totals == {{"verify_files": 4, "verify_file_chunks": 6, "verify_file_usage": 2}[function]}
