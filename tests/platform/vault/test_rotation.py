"""Rotation of sealed rows; those of the files room, the first one that has some."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.database_location import DatabaseLocation, connect
from support.settings import make_settings

from wallet_service.platform.database.gateway import Database, Param
from wallet_service.platform.files.repository import FileRepository
from wallet_service.platform.files.room import ROOM as FILES
from wallet_service.platform.files.service import CHUNK_BYTES, FileService, NewFile
from wallet_service.platform.files.settings import FilesSettings
from wallet_service.platform.vault.keys import Key
from wallet_service.platform.vault.problems import VaultUnavailable
from wallet_service.platform.vault.rotation import count_keys, rotate_room, verify_values
from wallet_service.platform.vault.service import Vault

OLD, NEW, OTHER = (Key(name, bytes([number]) * 32) for number, name in enumerate(("old", "new", "other")))
BEFORE, AFTER = Vault([OLD]), Vault([NEW, OLD])
OWNER = "client:tests"


class Watched(Database):
    """The real database; ``before`` runs before each call."""

    def __init__(self, inner: Database, before: Callable[[str, dict[str, Any]], Awaitable[None]]) -> None:
        self._inner = inner
        self._before = before

    async def call(self, function: str, /, **params: Param) -> bytes:
        await self._before(function, params)
        return await self._inner.call(function, **params)

    async def close(self) -> None:
        await self._inner.close()


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def location(made: TestDatabase, locate_database: Locate) -> DatabaseLocation:
    return await locate_database(made)


@pytest.fixture
async def database(location: DatabaseLocation) -> AsyncIterator[Database]:
    opened = await connect(location)
    yield opened
    await opened.close()


@pytest.fixture
async def superuser(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(made.dsn)
    yield connection
    await connection.close()


def files(database: Database, vault: Vault) -> FileService:
    return FileService(FileRepository(database), vault, make_settings()[FilesSettings])


async def store(database: Database, vault: Vault, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    stored = await files(database, vault).upload(OWNER, NewFile("a", "text/plain", personal=True), pieces())
    return str(json.loads(stored.document)["file_id"])


async def content_of(database: Database, vault: Vault, file_id: str) -> bytes:
    _, content = await files(database, vault).open(OWNER, file_id)
    return b"".join([chunk async for chunk in content])


async def test_a_rotation_that_was_killed_goes_on_and_loses_no_change(
    database: Database, superuser: asyncpg.Connection
) -> None:
    contents = [os.urandom(size) for size in (3 * CHUNK_BYTES + 1, 10, CHUNK_BYTES)]
    ids = [await store(database, BEFORE, content) for content in contents]
    assert await count_keys(database, [FILES]) == {"files": {"old": 6}}

    replaced: list[Any] = []

    async def kill(function: str, params: dict[str, Any]) -> None:
        if function == "replace_sealed_chunk":
            replaced.append(params["row_id"])
            if len(replaced) == 4:
                raise Killed

    with pytest.raises(Killed):
        await rotate_room(Watched(database, kill), AFTER, FILES)
    assert await count_keys(database, [FILES]) == {"files": {"new": 3, "old": 3}}
    entry = await superuser.fetchrow(
        "select * from platform.audit_entries where action = 'credentials.rotated'"
    )
    assert (entry["actor"], entry["object_id"]) == ("service", "files")
    assert json.loads(entry["after"]) == {"room": "files", "key_id": "new", "sealed": 3, "faults": 0}

    changed: list[str] = []

    async def change(function: str, params: dict[str, Any]) -> None:
        """Another process, which has the old key only, changes the row between the rotation's read and write."""
        if function == "replace_sealed_chunk" and not changed:
            changed.append(params["row_id"])
            file_id, number = params["row_id"].split("/")
            assert (file_id, number) == (ids[0], "3")
            await superuser.execute(
                "update platform.file_chunks set sealed = $1 where file_id = $2::text::uuid and number = 3",
                BEFORE.seal_bytes("files", params["row_id"], b"!"),
                file_id,
            )

    done = await rotate_room(Watched(database, change), AFTER, FILES)
    assert changed
    assert (done.sealed, done.changed_meanwhile, done.faults) == (3, 0, [])
    assert await count_keys(database, [FILES]) == {"files": {"new": 6}}
    only_new = Vault([NEW])
    assert await verify_values(database, only_new, [FILES]) == (6, [])
    for file_id, content in list(zip(ids, contents, strict=True))[1:]:
        assert await content_of(database, only_new, file_id) == content
    last = await superuser.fetchval(
        "select sealed from platform.file_chunks where file_id = $1::text::uuid and number = 3", ids[0]
    )
    assert only_new.open_bytes("files", f"{ids[0]}/3", last) == b"!"


async def test_values_that_do_not_open_are_named_and_left(
    database: Database, superuser: asyncpg.Connection
) -> None:
    good, bad = await store(database, BEFORE, b"good"), await store(database, Vault([OTHER]), b"bad")
    done = await rotate_room(database, AFTER, FILES)
    assert (done.sealed, done.changed_meanwhile) == (1, 0)
    assert done.faults == [f"files {bad}/0: The vault does not have the key other"]
    await superuser.execute(
        "update platform.file_chunks set sealed = (select sealed from platform.file_chunks where key_id = 'new'),"
        " key_id = 'new' where key_id = 'other'"
    )
    count, faults = await verify_values(database, AFTER, [FILES])
    assert count == 2
    assert faults == [f"files {bad}/0: files {bad}/0: does not open with key new"]
    assert await content_of(database, AFTER, good) == b"good"
    with pytest.raises(VaultUnavailable):
        await rotate_room(database, Vault([]), FILES)


async def test_pages_reach_rows_behind_many_that_are_not_sealed(superuser: asyncpg.Connection) -> None:
    await superuser.execute(
        "insert into platform.files select gen_random_uuid(), 'client:a', 'n', 'a/b', 0, '', false, true,"
        " 0, now(), now(), now()"
    )
    await superuser.execute(
        "insert into platform.file_chunks"
        " select f.file_id, n, case when n < 5001 then '\\x00'::bytea end, case when n >= 5001 then '1.k.x' end,"
        " case when n >= 5001 then 'k' end from platform.files f, generate_series(0, 5003) n"
    )
    query = "select wallet_api.list_sealed_chunks($1, $2, 2, false)"
    found, after, pages = [], None, 0
    while pages == 0 or after is not None:
        page = json.loads(await superuser.fetchval(query, None, after))
        found += [row["row_id"].split("/")[1] for row in page["rows"]]
        after, pages = page["next"], pages + 1
    assert found == ["5001", "5002", "5003"]
    assert pages == 3
    assert json.loads(await superuser.fetchval(query, "k", None))["rows"] == []
