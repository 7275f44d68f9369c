"""What is asyncpg's own: its connections, their loss, and what goes over them."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase

from wallet_service.core.errors import InternalError, Overloaded, Unavailable
from wallet_service.platform.database.postgres import PROCESS, PostgresDatabase

ROOM_S = 2.0
"""For a busy machine."""

# What a test calls is made here, as superuser.
FUNCTIONS = """
create function wallet_api.t_same(p_text text) returns text language sql as 'select p_text';
create function wallet_api.t_session() returns text language sql as
  $$ select pg_catalog.pg_backend_pid()::text $$;
create function wallet_api.t_statements() returns text language sql as
  $$ select pg_catalog.json_agg(name)::text from pg_catalog.pg_prepared_statements $$;
create function wallet_api.t_sleep(p_seconds int) returns text language sql as
  $$ select 'slept' from (select pg_catalog.pg_sleep(p_seconds)) as done $$;
"""


@pytest.fixture(scope="module")
async def prepared(any_postgres: TestDatabase) -> AsyncIterator[TestDatabase]:
    connection = await asyncpg.connect(any_postgres.dsn)
    await connection.execute(FUNCTIONS)
    yield any_postgres
    for name in ("t_same", "t_session", "t_sleep", "t_statements"):
        await connection.execute(f"drop function wallet_api.{name}")
    await connection.close()


@pytest.fixture
async def admin(prepared: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(prepared.dsn)
    yield connection
    await connection.close()


@pytest.fixture(params=[100, 0], ids=["cached", "uncached"])
async def driver(prepared: TestDatabase, request: pytest.FixtureRequest) -> AsyncIterator[PostgresDatabase]:
    opened = await PostgresDatabase.connect(
        prepared.service_dsn, pool_size=2, timeout_ms=4000, statement_cache_size=request.param
    )
    yield opened
    await opened.close()


async def test_a_server_that_does_not_answer_is_no_overload(tmp_path: Path) -> None:
    async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        writer.close()

    stop = asyncio.Event()
    server = await asyncio.start_unix_server(silence, tmp_path / ".s.PGSQL.5432")
    driver = await PostgresDatabase.connect(f"postgresql://x@/x?host={tmp_path}", timeout_ms=200, pool_size=1)
    with pytest.raises(Unavailable):
        await driver.call("t_same", text="x")
    stop.set()
    await driver.close()
    server.close()
    await server.wait_closed()


async def test_a_server_that_is_not_there_yet(tmp_path: Path) -> None:
    driver = await PostgresDatabase.connect(f"postgresql://x@/x?host={tmp_path}")
    with pytest.raises(Unavailable):
        await driver.call("read_health")
    await driver.close()


async def test_a_database_or_login_that_is_not_there(prepared: TestDatabase) -> None:
    for dsn in (prepared.cluster.dsn("nowhere"), prepared.cluster.dsn(prepared.name, "nobody_at_all")):
        driver = await PostgresDatabase.connect(dsn)
        with pytest.raises(Unavailable):
            await driver.call("t_same", text="x")
        await driver.close()


async def test_reading_goes_on_over_a_new_connection(
    driver: PostgresDatabase, admin: asyncpg.Connection
) -> None:
    first = await driver.read("t_session")
    # On a connection that the pool believes in, the loss shows only when it is used.
    await admin.execute("select pg_terminate_backend($1, 5000)", int(first))

    assert await driver.read("t_session") != first


async def test_a_read_that_takes_too_long_stops_on_the_server_and_a_write_does_not(
    admin: asyncpg.Connection, prepared: TestDatabase
) -> None:
    """A cancel request would end a commit's wait for its standby, so a write is left to the server."""
    hasty = await PostgresDatabase.connect(prepared.service_dsn, pool_size=2, timeout_ms=300)
    running = (
        "select count(*) from pg_stat_activity where datname = $1 and state = 'active' and query like $2"
        " and pid <> pg_backend_pid()"
    )
    async with admin.transaction():
        await admin.execute("lock table wallet.migrations in access exclusive mode")
        with pytest.raises(Unavailable):
            await hasty.call("t_sleep", seconds=300)
        with pytest.raises(Unavailable):
            await hasty.call("read_health")
        async with asyncio.timeout(20):
            while await admin.fetchval(running, prepared.name, "%read_health%"):
                await admin.execute("select pg_stat_clear_snapshot()")
        assert await admin.fetchval(running, prepared.name, "%t_sleep%") == 1
        assert await hasty.call("t_same", text="next") == b"next"
    await hasty.close()
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and wait_event = 'PgSleep'",
        prepared.name,
    )


@pytest.mark.parametrize("write", ["call", "repeat"])
async def test_a_session_that_accepts_no_writes_leaves_the_pool(
    fresh_database: FreshDatabase, write: str
) -> None:
    """As after a failover, when the sessions of the former primary are those of a standby."""
    made = await fresh_database()
    owner = await asyncpg.connect(made.dsn)
    setting = f"alter database {made.name} set default_transaction_read_only ="
    driver = await PostgresDatabase.connect(made.service_dsn, pool_size=3)
    await owner.execute(f"{setting} on")
    idle = await asyncio.gather(*(driver.call("read_health") for _ in range(3)))
    assert all(json.loads(health)["read_only"] for health in idle)
    await owner.execute(f"{setting} off")
    revoke = getattr(driver, write)
    if write == "call":
        with pytest.raises(Unavailable, match="read-only"):
            await revoke("revoke_key", key_id="none")
    # The idle sessions, too.
    answers = await asyncio.gather(*(revoke("revoke_key", key_id="none") for _ in range(3)))
    assert answers == [b"null"] * 3
    await driver.close()
    await owner.close()


async def test_a_call_that_timed_out_is_not_repeated(prepared: TestDatabase) -> None:
    """A call and its repetitions have the time of one call together; otherwise callers wait twice as long."""
    attempts = 0

    class Counted(PostgresDatabase):
        async def call(self, function: str, /, **params: Any) -> bytes:
            nonlocal attempts
            attempts += 1
            return await super().call(function, **params)

    async with frozen_line(prepared.service_dsn) as (dsn, flows):
        driver = await Counted.connect(dsn, pool_size=2, timeout_ms=500)
        for repeat in (driver.read, driver.repeat):
            await until_answered(driver)
            attempts = 0
            flows.clear()
            with pytest.raises(Unavailable):
                await repeat("t_same", text="x")
            flows.set()
            assert attempts == 1
        await driver.close()


async def test_a_server_that_hangs_is_unavailable_within_the_limit(prepared: TestDatabase) -> None:
    """Whatever was under way: the network takes everything and gives nothing back."""
    timeout_ms = 500
    async with frozen_line(prepared.service_dsn) as (dsn, flows):
        driver = await PostgresDatabase.connect(dsn, pool_size=3, timeout_ms=timeout_ms)
        for _ in range(3):
            await asyncio.gather(*(until_answered(driver) for _ in range(3)))
        flows.clear()
        started = time.monotonic()
        ends = await asyncio.gather(
            *(driver.call("t_same", text="x") for _ in range(6)), return_exceptions=True
        )
        assert {type(end) for end in ends[:3]} == {Unavailable}
        assert {type(end) for end in ends[3:]} <= {Unavailable, Overloaded}  # who had to wait for a turn
        assert time.monotonic() - started < timeout_ms / 1000 + ROOM_S
        flows.set()
        await until_answered(driver)
        await driver.close()


async def test_each_exchange_has_what_the_wait_for_a_connection_left(driver: PostgresDatabase) -> None:
    loop = asyncio.get_running_loop()
    held, other = [await driver._connections.take(loop.time() + 5) for _ in range(2)]
    limits: list[float] = []
    call = asyncio.create_task(driver.call("t_same", text="x"))
    await held.fetchval("select pg_sleep(0.1)")
    held.add_query_logger(lambda record: limits.append(record.timeout))
    await driver._connections.give_back(held, reusable=True)
    answer = await call
    await driver._connections.give_back(other, reusable=True)
    assert answer == b"x"
    assert limits
    assert max(limits) < 4 - 0.05


async def test_a_failure_in_a_transaction_is_rolled_back_without_a_warning(
    prepared: TestDatabase,
) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    driver = await PostgresDatabase.connect(
        prepared.service_dsn, pool_size=1, timeout_ms=500, statement_cache_size=0
    )
    with pytest.raises(InternalError):
        await driver.call("t_sleep", seconds="one")
    await until_answered(driver)
    with pytest.raises(Unavailable):
        await driver.call("t_sleep", seconds=60)
    await until_answered(driver)
    await driver.close()
    asyncio.get_running_loop().set_exception_handler(None)
    assert complaints == []


async def test_a_begin_with_a_late_response_is_rolled_back_without_a_warning(
    prepared: TestDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    async with frozen_line(prepared.service_dsn) as (dsn, flows):
        driver = await PostgresDatabase.connect(dsn, pool_size=1, timeout_ms=500, statement_cache_size=0)
        await until_answered(driver)
        flows.clear()
        with pytest.raises(Unavailable):
            await driver.call("t_same", text="x")
        flows.set()
        await until_answered(driver)
        await driver.close()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def until_answered(driver: PostgresDatabase) -> None:
    """Return when calls work again: what hung is being ended in the background."""
    async with asyncio.timeout(20):
        while True:
            try:
                await driver.call("t_same", text="x")
            except (Unavailable, Overloaded):
                continue
            return


@asynccontextmanager
async def frozen_line(dsn: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The same server over TCP, while the event is set; otherwise nothing gets through."""
    flows = asyncio.Event()
    flows.set()
    url = urlsplit(dsn)
    folder = parse_qs(url.query)["host"][0]

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await flows.wait()
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://{url.username}@127.0.0.1:{port}{url.path}?sslmode=disable", flows


async def test_a_call_is_one_exchange_and_nothing_is_reset(prepared: TestDatabase) -> None:
    sent: list[str] = []
    driver = await PostgresDatabase.connect(prepared.service_dsn, pool_size=1)
    await driver.call("t_same", text="warm")
    connection = await driver._connections.take(asyncio.get_running_loop().time() + 5)
    connection.add_query_logger(lambda record: sent.append(record.query))
    await driver._connections.give_back(connection, reusable=True)
    await driver.call("t_same", text="x")
    await driver.call("t_same", text="y")
    await driver.close()

    assert sent == ["select wallet_api.t_same(p_text => $1)"] * 2


async def test_a_prepared_statement_has_a_name_that_no_other_process_gives(prepared: TestDatabase) -> None:
    """Behind a pooler another process may have the session next, and must not run what this one prepared."""
    driver = await PostgresDatabase.connect(prepared.service_dsn, pool_size=1)
    await driver.call("t_same", text="x")
    names = json.loads(await driver.call("t_statements"))
    await driver.close()

    assert names
    assert all(name.endswith(PROCESS) for name in names)
    script = "from wallet_service.platform.database.postgres import PROCESS; print(PROCESS)"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    said, _ = await other.communicate()
    assert len(said.strip()) == len(PROCESS)
    assert said.decode().strip() != PROCESS
