"""Files over HTTP, on both drivers."""

import base64
import hashlib
import json
import os
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import Api, Client, conforms, open_api, problem
from support.clock import SettableClock

from wallet_service.core.identifiers import new_id
from wallet_service.platform.files.media import declared_digest
from wallet_service.platform.files.schemas import File
from wallet_service.platform.files.service import CHUNK_BYTES
from wallet_service.platform.vault.keys import generate_key

QUOTA = 8 * CHUNK_BYTES
MOST = 6 * CHUNK_BYTES
CSV = {"Content-Type": "text/csv; charset=utf-8"}
PLAIN = "a plain text that a dump may show"
SECRET = "a personal text that no dump may show"


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def superuser(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(made.dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def api(made: TestDatabase, locate_database: Locate) -> AsyncIterator[Api]:
    settings = {"credential_keys": generate_key("k1"), "files_quota_bytes": QUOTA, "files_max_bytes": MOST}
    async with open_api(await locate_database(made), **settings) as opened:
        yield opened


async def upload(client: Client, content: bytes | AsyncIterator[bytes], key: str | None = None, **query: str):  # noqa: ANN201
    return await client.send("POST", "/files", content, key=key, headers=CSV, query={"name": "a.csv"} | query)


async def stored(client: Client, content: bytes | AsyncIterator[bytes], **query: str) -> dict[str, object]:
    answer = await upload(client, content, **query)
    assert answer.status_code == 201, answer.text
    file = conforms(answer.content, File)
    assert answer.headers["Location"] == f"/api/v1/files/{file['file_id']}"
    return file


async def usage_is_exact(superuser: asyncpg.Connection) -> bool:
    return await superuser.fetchval(
        "select coalesce(bool_and(u.bytes = (select coalesce(sum(f.charged_bytes), 0) from platform.files f"
        " where f.owner = u.owner)), true) from platform.file_usage u"
    )


SIZES = [0, 1, 3, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES - 1]


@pytest.mark.parametrize("personal", ["false", "true"])
async def test_a_file_comes_back_as_it_was(api: Api, superuser: asyncpg.Connection, personal: str) -> None:
    for size in SIZES:
        user = api.user()
        # base64 of these three bytes is "null", which a driver returns for no value
        content = b"\x9e\xe9\x65" if size == 3 else os.urandom(size)
        file = await stored(user, content, personal=personal)
        assert file["size_bytes"] == size
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["media_type"] == "text/csv"
        path = f"/files/{file['file_id']}"
        assert (await user.get(path)).json() == file
        answer = await user.get(f"{path}/content")
        assert answer.content == content
        assert answer.headers["Content-Type"] == "text/csv"
        assert answer.headers["Content-Length"] == str(size)
        assert declared_digest(answer.headers["Content-Digest"]) == file["sha256"]
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="a.csv"')
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (await user.delete(path)).status_code == 204
        problem(await user.get(path), "file_not_found")
    assert await superuser.fetchval("select count(*) from platform.file_chunks") == 0
    assert await usage_is_exact(superuser)


async def test_files_belong_to_their_owner(api: Api) -> None:
    user, service = api.user(), await api.service("files:read", "files:write")
    file = await stored(user, PLAIN.encode())
    path = f"/files/{file['file_id']}"
    for other in (api.user(), service, api.admin, await api.service("files:read", name=user.user_id)):
        problem(await other.get(path), "file_not_found")
        problem(await other.get(f"{path}/content"), "file_not_found")
        assert (await other.get("/files")).json() == {"items": [], "next_cursor": None}
    for other in (api.user(), service, api.admin):
        problem(await other.delete(path), "file_not_found")
    reader = await api.service("files:read")
    assert problem(await upload(reader, b"x"), "forbidden")["scope"] == "files:write"
    assert problem(await reader.delete(path), "forbidden")["scope"] == "files:write"
    assert problem(await (await api.service("files:write")).get(path), "forbidden")["scope"] == "files:read"
    assert (await user.get(path)).status_code == 200


async def test_a_list_goes_on_at_its_cursor(api: Api) -> None:
    user = api.user()
    files = [await stored(user, b"x", name=f"{number}.csv") for number in range(3)]
    first = (await user.get("/files", limit=2)).json()
    second = (await user.get("/files", limit=2, cursor=first["next_cursor"])).json()
    assert first["items"] + second["items"] == files[::-1]
    assert second["next_cursor"] is None
    problem(await api.user().get("/files", cursor=first["next_cursor"]), "validation_failed")


async def test_the_same_key_stores_one_file(api: Api, superuser: asyncpg.Connection) -> None:
    user, key = api.user(), f"key-{new_id()}"
    content = os.urandom(CHUNK_BYTES + 1)
    first = await upload(user, content, key)
    again = await upload(user, content, key)
    assert again.content == first.content
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    problem(await upload(user, content + b"x", key), "idempotency_key_reused")
    problem(await upload(user, content, key, name="b.csv"), "idempotency_key_reused")
    assert (await upload(api.user(), content, key)).json()["file_id"] != first.json()["file_id"]
    assert len((await user.get("/files")).json()["items"]) == 1
    await user.delete(first.headers["Location"].removeprefix("/api/v1"))
    assert (await upload(user, content, key)).content == first.content
    assert (await user.get("/files")).json()["items"] == []
    assert await usage_is_exact(superuser)


async def test_two_uploads_with_one_key_at_a_time(api: Api, superuser: asyncpg.Connection) -> None:
    user, key, content = api.user(), f"key-{new_id()}", os.urandom(2 * CHUNK_BYTES)
    inner: list[bytes] = []

    async def outer() -> AsyncIterator[bytes]:
        yield content[:CHUNK_BYTES]
        inner.append((await upload(user, content, key)).content)
        yield content[CHUNK_BYTES:]

    answer = await upload(user, outer(), key)
    assert answer.content == inner[0]
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert len((await user.get("/files")).json()["items"]) == 1
    assert await superuser.fetchval("select sum(charged_bytes) from platform.files") == len(content)
    assert await usage_is_exact(superuser)


async def test_what_is_too_large_is_refused_and_leaves_nothing(
    api: Api, superuser: asyncpg.Connection
) -> None:
    user = api.user()

    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(CHUNK_BYTES)

    assert problem(await upload(user, pieces(7)), "payload_too_large")["limit_bytes"] == MOST
    problem(await upload(user, bytes(MOST + 1)), "payload_too_large")
    kept = await stored(user, pieces(5))
    refused = problem(await upload(user, pieces(4)), "file_quota_exceeded")
    assert refused["quota_bytes"] == QUOTA
    assert refused["used_bytes"] == 5 * CHUNK_BYTES
    assert (await user.get("/files")).json()["items"] == [kept]
    assert await usage_is_exact(superuser)
    await user.delete(f"/files/{kept['file_id']}")
    await stored(user, pieces(6))


async def test_an_upload_that_does_not_arrive_whole_leaves_nothing(
    api: Api, superuser: asyncpg.Connection
) -> None:
    user = api.user()
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(b'other').digest()).decode()}:"
    answer = await user.send("POST", "/files?name=a", b"this", headers={"Content-Digest": digest})
    assert problem(answer, "file_incomplete")["size_bytes"] == 4
    await user.hang_up("/files?name=a", [bytes(CHUNK_BYTES), b"more"], "text/csv")
    assert (await user.get("/files")).json()["items"] == []
    for outcome in ("file_incomplete", "disconnected"):
        assert api.app.state.metrics.get_sample_value("wallet_files_uploads_total", {"outcome": outcome}) == 1
    assert await superuser.fetchval("select count(*) from platform.files where charged_bytes > 0") == 0
    assert await usage_is_exact(superuser)


async def test_bad_requests(api: Api) -> None:
    user = api.user()
    problem(await user.send("POST", "/files", b"x"), "validation_failed")
    problem(await user.send("POST", "/files?name=a%0Ab", b"x"), "validation_failed")
    problem(await upload(user, b"x", personal="yes"), "validation_failed")
    problem(await upload(user, b"x", expires="2030-01-01T00:00:00Z"), "validation_failed")
    problem(
        await user.send("POST", "/files?name=a", b"x", headers={"Content-Type": "text"}),
        "unsupported_media_type",
    )
    zipped = {"Content-Encoding": "gzip"}
    problem(await user.send("POST", "/files?name=a", b"x", headers=zipped), "unsupported_media_type")
    for moment in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "tomorrow"):
        document = problem(await upload(user, b"x", expires_at=moment), "validation_failed")
        assert document["errors"][0]["pointer"] == "/expires_at"
        assert document["errors"][0]["in"] == "query"
    problem(await user.get(f"/files/{new_id()}"), "file_not_found")
    problem(await user.get("/files/7"), "validation_failed")


async def test_a_file_expires(api: Api, superuser: asyncpg.Connection) -> None:
    user, clock = api.user(), SettableClock(superuser)
    await clock.install()
    await clock.set(datetime(2026, 6, 1, tzinfo=UTC))
    early = await stored(user, b"early", expires_at="2026-06-02T00:00:00+02:00")
    late = await stored(user, b"late")
    assert early["expires_at"] == "2026-06-01T22:00:00.000000Z"
    assert late["expires_at"] == "2026-08-30T00:00:00.000000Z"
    await clock.set(datetime(2026, 6, 1, 22, tzinfo=UTC))
    problem(await user.get(f"/files/{early['file_id']}"), "file_not_found")
    problem(await user.get(f"/files/{early['file_id']}/content"), "file_not_found")
    problem(await user.delete(f"/files/{early['file_id']}"), "file_not_found")
    assert (await user.get("/files")).json()["items"] == [late]
    another = await stored(user, b"another")
    rows = await superuser.fetch("select file_id::text from platform.files order by file_id")
    assert [row["file_id"] for row in rows] == [late["file_id"], another["file_id"]]
    assert await usage_is_exact(superuser)
    entry = await superuser.fetchrow("select * from platform.audit_entries where action = 'file.expired'")
    assert (entry["actor"], entry["user_id"]) == ("service", user.user_id)  # not that of the upload
    assert (entry["object_id"], entry["after"]) == (early["file_id"], None)


async def test_many_expired_chunks_go_in_batches(superuser: asyncpg.Connection) -> None:
    for owner in ("client:a", "client:b"):
        await superuser.execute("insert into platform.file_usage values ($1, 30)", owner)
        await superuser.execute(
            "with f as (insert into platform.files select gen_random_uuid(), $1, 'n', 'a/b', 10, '', false, true, 10,"
            " now() - interval '2 day', now() - interval '1 day', now() from generate_series(1, 3) returning file_id)"
            " insert into platform.file_chunks select file_id, n, '\\x00' from f, generate_series(0, 4) n",
            owner,
        )
    done = []
    while not done or done[-1]["more"]:
        done.append(json.loads(await superuser.fetchval("select wallet_api.delete_expired_files(7)")))
    assert [each["chunks"] for each in done] == [7, 7, 7, 7, 2]
    assert sum(each["files"] for each in done) == 6
    assert await superuser.fetchval("select sum(bytes) from platform.file_usage") == 0


async def test_personal_content_is_nowhere_in_the_tables(api: Api, superuser: asyncpg.Connection) -> None:
    user = api.user()
    open_file = await stored(user, PLAIN.encode())
    sealed_file = await stored(user, SECRET.encode(), personal="true")
    tables = [
        row[0]
        for row in await superuser.fetch("select tablename from pg_tables where schemaname = 'platform'")
    ]
    assert {"files", "file_chunks", "request_keys", "outbox", "audit_entries"} <= set(tables)
    dump = "\n".join(
        [
            row[0]
            for table in tables
            for row in await superuser.fetch(f"select t::text from platform.{table} t")
        ]
    )
    for form in (str.encode, lambda text: base64.b64encode(text.encode())[:40]):
        assert form(SECRET).decode() not in dump
        assert form(SECRET).hex() not in dump
    assert PLAIN.encode().hex() in dump
    # A chunk that is copied to another row does not open, and the content ends early.
    await superuser.execute(
        "update platform.file_chunks c set sealed = s.sealed, key_id = s.key_id, content = null"
        " from platform.file_chunks s where c.file_id = $1::text::uuid and s.file_id = $2::text::uuid",
        open_file["file_id"],
        sealed_file["file_id"],
    )
    await superuser.execute(
        "update platform.files set personal = true where file_id = $1::text::uuid", open_file["file_id"]
    )
    problem(await user.get(f"/files/{open_file['file_id']}/content"), "internal_error")
    assert (await user.get(f"/files/{sealed_file['file_id']}/content")).text == SECRET


async def test_a_changed_file_ends_early(api: Api, superuser: asyncpg.Connection) -> None:
    user = api.user()
    file = await stored(user, os.urandom(2 * CHUNK_BYTES))
    await superuser.execute("update platform.file_chunks set content = content || '\\x00' where number = 0")
    with pytest.raises(Exception, match="not as it was uploaded"):
        await user.get(f"/files/{file['file_id']}/content")
    await superuser.execute("delete from platform.file_chunks where number = 1")
    await superuser.execute("update platform.file_chunks set content = substr(content, 2)")
    with pytest.raises(Exception, match="has no chunk 1"):
        await user.get(f"/files/{file['file_id']}/content")


async def test_without_a_key_only_personal_files_are_refused(made: TestDatabase, api: Api) -> None:
    user = api.user()
    file = await stored(user, b"personal", personal="true")
    async with open_api(made.service_dsn) as bare:
        same = bare.user(user.user_id)
        problem(await upload(same, b"x", personal="true"), "vault_unavailable")
        refused = problem(await same.get(f"/files/{file['file_id']}/content"), "vault_unavailable")
        assert refused["key_id"] == "k1"
        await stored(same, b"x")


async def test_memory_is_that_of_a_few_chunks(made: TestDatabase) -> None:
    chunks = 64

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(chunks * 4):
            yield bytes(CHUNK_BYTES // 4)

    async with open_api(made.service_dsn, credential_keys=generate_key()) as api:
        files = api.app.state.files
        user = api.user()
        await stored(user, bytes(CHUNK_BYTES * 2), personal="true")
        tracemalloc.start()
        try:
            file = await stored(user, pieces(), personal="true")
            _, content = await files.open(f"user:{user.user_id}", str(file["file_id"]))
            size = sum([len(chunk) async for chunk in content])
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert size == chunks * CHUNK_BYTES
    assert most < size / 2
