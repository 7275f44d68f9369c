"""Through a pooler: transaction mode without a statement cache, session mode with one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Protocol

import asyncpg
import pytest
from conftest import REQUIRED, FreshDatabase, TestDatabase
from support.cluster import SERVICE_LOGIN, ServiceMissingError, cluster
from support.ledger import balance, new_wallet
from support.pgbouncer import Pooler, pooler
from support.polling import wait_for_lock_waiters

from wallet_service.core.errors import InternalError, Unavailable
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify
from wallet_service.platform.database.gateway import Json, resend
from wallet_service.platform.database.migrate import MigrationReport, migrate
from wallet_service.platform.database.postgres import PostgresDatabase
from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

pytestmark = pytest.mark.programs("pgbouncer")

CALLERS = 20
EACH = 10


class Start(Protocol):
    """Starts a pooler in this mode in front of the server."""

    def __call__(self, mode: str, pool_size: int = 2) -> Awaitable[Pooler]: ...


@pytest.fixture
async def through(postgres_version: int) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:
        server = await cluster(postgres_version)

        async def start(mode: str, pool_size: int = 2) -> Pooler:
            try:
                return await stack.enter_async_context(pooler(server, mode, pool_size))
            except ServiceMissingError as missing:
                if REQUIRED:
                    raise
                pytest.skip(f"NOT TESTED: {missing}")

        yield start


@pytest.fixture
async def made(postgres_version: int, fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database(version=postgres_version)


@pytest.fixture
async def superuser(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Past the pooler."""
    connection = await asyncpg.connect(made.dsn)
    yield connection
    await connection.close()


async def test_migrate_runs_in_transaction_mode(
    through: Start, postgres_version: int, fresh_database: FreshDatabase
) -> None:
    empty = await fresh_database(version=postgres_version, empty=True)
    bouncer = await through("transaction")
    dsn = bouncer.dsn(empty.name, "postgres")

    reports = await asyncio.gather(*(migrate(dsn, ROOMS) for _ in range(2)))

    files = read_sql_files(ROOMS)
    assert sorted(len(report.applied) for report in reports) == [0, len(files.migrations)]
    assert sorted(len(report.indexes_built) for report in reports) == [0, len(files.indexes)] != [0, 0]
    assert await migrate(dsn, ROOMS) == MigrationReport()
    assert await migrate(empty.dsn, ROOMS) == MigrationReport()
    # A session that ran it serves others next: it has kept nothing of the run.
    other = await asyncpg.connect(dsn, statement_cache_size=0)
    try:
        assert await other.fetchval("select current_user") == "postgres"
        assert "pg_temp" not in await other.fetchval("select current_setting('search_path')")
    finally:
        await other.close()


async def spend(
    database: PostgresDatabase, wallet_id: str, caller: int, done: asyncio.Event | None = None
) -> None:
    """One caller's postings of 1, each with a key and sent again when the line is lost; each sent twice."""
    for number in range(EACH):
        operation = {
            "transaction_id": new_id(),
            "type": "consume",
            "wallet_id": wallet_id,
            "amount": "1",
            "client_id": "test",
            "idempotency_key": f"{caller}-{number}",
        }
        units = Json.of([{"operations": [operation]}])
        first = json.loads(await persistently(database, units))[0][0]
        again = json.loads(await persistently(database, units))[0][0]
        assert first["status"] in {"posted", "replayed"}
        assert again["status"] in {"posted", "replayed"}
        if done is not None:
            done.set()


async def persistently(database: PostgresDatabase, units: Json) -> bytes:
    """Post until there is an answer: what is sent again has one effect."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await resend(lambda: database.call("post_transactions", units=units))
            except Unavailable:
                continue


async def assert_clean(database: PostgresDatabase) -> None:
    lines: list[str] = []
    assert await verify(database, lines.append), "\n".join(lines)


@pytest.mark.parametrize(("mode", "cache"), [("transaction", 0), ("session", 100)])
async def test_callers_at_once_lose_no_money(
    *,
    through: Start,
    made: TestDatabase,
    superuser: asyncpg.Connection,
    mode: str,
    cache: int,
) -> None:
    bouncer = await through(mode, 2 if mode == "transaction" else CALLERS)
    # One connection for each caller, as of so many processes of the service.
    database = await PostgresDatabase.connect(
        bouncer.dsn(made.name), pool_size=CALLERS, statement_cache_size=cache
    )
    try:
        wallets = [await new_wallet(database, "1000") for _ in range(3)]
        await asyncio.gather(*(spend(database, wallets[caller % 3], caller) for caller in range(CALLERS)))

        spent = sum([Decimal(1000) - await balance(database, wallet) for wallet in wallets])
        assert spent == CALLERS * EACH
        await assert_clean(database)
        sessions = await superuser.fetchval(
            "select count(*) from pg_stat_activity where usename = $1 and datname = current_database()",
            SERVICE_LOGIN,
        )
        assert sessions <= 2 if mode == "transaction" else sessions == CALLERS
    finally:
        await database.close()


@pytest.mark.parametrize("fault", ["a session ends", "the pooler restarts"])
async def test_what_is_lost_under_way_is_sent_again_and_has_one_effect(
    *,
    through: Start,
    made: TestDatabase,
    superuser: asyncpg.Connection,
    fault: str,
) -> None:
    bouncer = await through("transaction")
    database = await PostgresDatabase.connect(
        bouncer.dsn(made.name), pool_size=CALLERS, statement_cache_size=0
    )
    try:
        wallet_id = await new_wallet(database, "1000")
        begun = asyncio.Event()
        callers = [
            asyncio.create_task(spend(database, wallet_id, caller, begun)) for caller in range(CALLERS)
        ]
        await begun.wait()
        if fault == "a session ends":
            await superuser.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = $1 and datname = current_database()",
                SERVICE_LOGIN,
            )
        else:
            await bouncer.restart()
        assert not all(caller.done() for caller in callers), "the fault came too late"
        await asyncio.gather(*callers)

        assert await balance(database, wallet_id) == 1000 - CALLERS * EACH
        await assert_clean(database)
    finally:
        await database.close()


async def test_a_call_that_is_lost_under_way_is_unavailable(
    through: Start, made: TestDatabase, superuser: asyncpg.Connection
) -> None:
    bouncer = await through("transaction")
    database = await PostgresDatabase.connect(bouncer.dsn(made.name), statement_cache_size=0)
    try:
        wallet_id = await new_wallet(database)
        operation = {
            "transaction_id": new_id(),
            "type": "consume",
            "wallet_id": wallet_id,
            "amount": "1",
            "client_id": "test",
        }
        units = Json.of([{"operations": [operation]}])
        async with superuser.transaction():
            await superuser.execute("select from wallet.wallets where wallet_id = $1 for update", wallet_id)
            call = asyncio.create_task(
                database.call("post_transactions", units=units, wait_ms=4000, wait_for=wallet_id)
            )
            await wait_for_lock_waiters(superuser, 1)
            bouncer.stop()
            with pytest.raises(Unavailable):
                await call
        with pytest.raises(Unavailable):
            await database.call("read_health")
        await bouncer.start()
        await database.repeat("post_transactions", units=units)
        assert await balance(database, wallet_id) == 9
    finally:
        await database.close()


async def test_a_statement_cache_in_transaction_mode_is_refused_when_a_session_lacks_the_statement(
    through: Start, made: TestDatabase
) -> None:
    """Why it has to be off: a statement is prepared in one session and looked for in another."""
    bouncer = await through("transaction")
    database = await PostgresDatabase.connect(bouncer.dsn(made.name), pool_size=1, statement_cache_size=100)
    other = await asyncpg.connect(bouncer.dsn(made.name), statement_cache_size=0)
    try:
        await database.call("read_health")
        async with other.transaction():  # takes the session that was used
            await other.execute("select")
            with pytest.raises(InternalError) as refusal:
                await database.call("read_health")
        assert "prepared statement" in str(refusal.value.__cause__)
    finally:
        await other.close()
        await database.close()
