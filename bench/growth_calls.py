# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""What calls cost on a large ledger: reads and postings in SQL and over HTTP, beside a GET of Redis."""

import asyncio
import contextlib
import json
import random
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import uuid_utils
from asyncpg.pool import PoolConnectionProxy
from redis.asyncio import Redis
from support.redis_server import redis_server

from bench.cpu import family_s, process_s
from bench.driver import Driver, load_generator
from bench.growth_upkeep import Figures, Ledger
from bench.ids import wallet_id
from bench.job import Job, System
from bench.percentiles import median, percentile
from bench.rest import programs_folder
from bench.rows_sql import KERNEL_BATCH, check_posted, consume_operation
from bench.service import started_service
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.database.gateway import Json
from wallet_service.platform.database.postgres import PostgresDatabase

_TASKS = 8
"""Calls under way at a time."""

_EXPLAINED = 50
"""Wallets whose calls are explained."""

_HTTP_TRAFFIC = ("balance", "list", "consume", "empty")

_FIRST = "select created_at from wallet.wallet_transactions where wallet_id = $1 and wallet_version = 1"
_POST = "select wallet_api.post_transactions($1)"
_ROW = "select balance, locked_balance, credit_limit, status from wallet.wallets where wallet_id = $1"
_BALANCE = "select wallet_api.read_balance_at($1)"
_PAST = "select wallet_api.read_balance_at($1, p_at => $2)"
_PAGE = "select wallet_api.list_wallet_transactions($1)"
_OLD_PAGE = "select wallet_api.list_wallet_transactions($1, p_before => $2)"
_STATISTICS = "select wallet_api.read_wallet_statistics($1)"

Connection: TypeAlias = "asyncpg.Connection[Any] | PoolConnectionProxy[Any]"

Call = Callable[[Connection], Awaitable[object]]


Draw = Callable[[], tuple[str, list[Any]]]
"""Draws a statement and its arguments."""


class _Calls:
    """The measured calls, on wallets drawn at random from all, so that their pages are seldom cached."""

    def __init__(self, ledger: Ledger, first_posted_at: datetime) -> None:
        self._size = ledger.size
        self._first_posted_at = first_posted_at
        self._draw = random.Random(1)  # noqa: S311 - draws a load, keeps no secret

    @classmethod
    async def of(cls, ledger: Ledger) -> "_Calls":
        """The calls of a ledger."""
        return cls(ledger, await ledger.connection.fetchval(_FIRST, wallet_id(ledger.size.wallets)))

    def wallet(self) -> str:
        """The id of a wallet."""
        return wallet_id(self._draw.randrange(self._size.wallets))

    def reads(self) -> dict[str, Draw]:
        """The reads by name."""
        big = wallet_id(self._size.wallets)
        old = self._size.big_rows
        return {
            "one row of wallets": lambda: (_ROW, [self.wallet()]),
            "balance": lambda: (_BALANCE, [self.wallet()]),
            "balance of the hot wallet at a past moment": lambda: (_PAST, [big, self._moment()]),
            "newest 50 entries": lambda: (_PAGE, [self.wallet()]),
            "50 old entries of the hot wallet": lambda: (_OLD_PAGE, [big, self._draw.randrange(51, old)]),
            "statistics of the hot wallet": lambda: (_STATISTICS, [big]),
        }

    def postings(self) -> dict[str, tuple[int, Call]]:
        """Name, number of operations of a call, and the call."""
        return {
            "consume, time-ordered keys": (1, self._consume(1, uuid_utils.uuid7)),
            "consume, random keys": (1, self._consume(1, uuid.uuid4)),
            "50 consumes, time-ordered keys": (KERNEL_BATCH, self._consume(KERNEL_BATCH, uuid_utils.uuid7)),
            "50 consumes, random keys": (KERNEL_BATCH, self._consume(KERNEL_BATCH, uuid.uuid4)),
            "50 consumes of the hot wallet": (
                KERNEL_BATCH,
                self._consume(KERNEL_BATCH, uuid_utils.uuid7, wallet_id(self._size.wallets)),
            ),
        }

    def _moment(self) -> datetime:
        return self._first_posted_at + timedelta(milliseconds=self._draw.randrange(self._size.big_rows))

    def _consume(self, operations: int, key: Callable[[], object], wallet: str | None = None) -> Call:
        async def post(connection: Connection) -> None:
            units = [
                Unit((self._operation(str(key()), wallet or self.wallet()),)).document(resent=False)
                for _ in range(operations)
            ]
            check_posted(await connection.fetchval(_POST, Json.of(units).text), operations)

        return post

    def _operation(self, key: str, wallet: str) -> Operation:
        return replace(consume_operation(wallet), idempotency_key=key)


async def reads(ledger: Ledger, calls: int) -> Figures:
    """Reads in SQL: CPU and time of each, and the pages that it touches, cached by PostgreSQL or not."""
    drawn = (await _Calls.of(ledger)).reads()
    figures: Figures = {}
    for name, draw in drawn.items():
        pages = await _pages(ledger.connection, draw)

        async def read(connection: Connection, draw: Draw = draw) -> None:
            statement, arguments = draw()
            await connection.fetchrow(statement, *arguments)

        figures[name] = {**pages, **await _measured(ledger, read, calls)}
    return figures


async def _pages(connection: Connection, draw: Draw) -> Figures:
    hit = read = 0
    for _ in range(_EXPLAINED):
        statement, arguments = draw()
        plan = json.loads(
            await connection.fetchval(f"explain (analyze, format json) {statement}", *arguments)
        )
        hit += plan[0]["Plan"]["Shared Hit Blocks"]
        read += plan[0]["Plan"]["Shared Read Blocks"]
    return {
        "pages": round((hit + read) / _EXPLAINED, 1),
        "pages_not_in_shared_buffers": round(read / _EXPLAINED, 1),
    }


async def postings(ledger: Ledger, calls: int) -> Figures:
    """Postings in SQL, just after a checkpoint, as on a large ledger where a page rarely changes twice between two."""
    figures: Figures = {}
    for name, (operations, call) in (await _Calls.of(ledger)).postings().items():
        await ledger.connection.execute("checkpoint")
        figures[name] = await _measured(ledger, call, calls // operations or 1, operations)
    return figures


async def _measured(ledger: Ledger, call: Call, calls: int, operations: int = 1) -> Figures:
    pool = await asyncpg.create_pool(ledger.admin_dsn, min_size=_TASKS, max_size=_TASKS)
    latencies: list[float] = []

    async def some(number: int, taken: list[float]) -> None:
        async with pool.acquire() as connection:
            for _ in range(number):
                began = time.perf_counter()
                await call(connection)
                taken.append((time.perf_counter() - began) * 1e6)

    async with pool:
        each = max(1, calls // _TASKS)
        await asyncio.gather(*(some(max(1, each // 20), []) for _ in range(_TASKS)))
        wal, server, client = await ledger.wal_bytes(), family_s(ledger.pid) or 0.0, time.process_time()
        await asyncio.gather(*(some(each, latencies) for _ in range(_TASKS)))
        done = each * _TASKS * operations
        return {
            "operations": done,
            "server_cpu_us": round(((family_s(ledger.pid) or 0.0) - server) / done * 1e6, 1),
            "client_cpu_us": round((time.process_time() - client) / done * 1e6, 1),
            "wal_bytes": round((await ledger.wal_bytes() - wal) / done),
            **_latencies(latencies),
        }


def _latencies(taken_us: Sequence[float]) -> Figures:
    found = {"p50_us": median(taken_us), "p99_us": percentile(taken_us, 0.99)}
    return {name: None if value is None else round(value) for name, value in found.items()}


async def http(ledger: Ledger, folder: Path, seconds: float) -> Figures:
    """Requests for some seconds of each kind: CPU of the service and of PostgreSQL for each request."""
    async with _service(ledger, folder) as system, load_generator() as driver:
        return {traffic: await _traffic(driver, system, traffic, seconds) for traffic in _HTTP_TRAFFIC}


@contextlib.asynccontextmanager
async def _service(ledger: Ledger, folder: Path) -> AsyncGenerator[System, None]:
    database = await PostgresDatabase.connect(ledger.service_dsn, pool_size=1)
    try:
        key = await create_key(
            database, f"bench-{uuid_utils.uuid7()}", ("wallets:read", "transactions:write")
        )
    finally:
        await database.close()
    async with started_service(
        {"WALLET_DATABASE_URL": ledger.service_dsn}, folder / "service.log"
    ) as service:
        yield System(
            dsn=ledger.admin_dsn,
            url=await service.url(),
            key=key,
            wallets=ledger.size.wallets,
            zipf_wallets=0,
            big_wallet=ledger.size.wallets,
            service_pid=service.process.pid,
            postgres_pid=ledger.pid,
        )


async def _traffic(driver: Driver, system: System, traffic: str, seconds: float) -> Figures:
    job = Job(
        traffic=traffic,
        system=system,
        mode="closed",
        connections=_TASKS,
        seconds=seconds,
        warm_s=seconds / 5,
    )
    sample = await driver.run(job)
    return {
        "requests": round(sample.requests),
        **{f"{name}_cpu_us": round(used / sample.requests * 1e6, 1) for name, used in sample.cpu_s.items()},
        **_latencies(sample.latencies_us),
    }


async def redis(ledger: Ledger, calls: int) -> Figures:
    """A GET of Redis by its Python client, and the SET by which a posting would keep the cache right."""
    wallets = [wallet_id(number) for number in range(min(ledger.size.wallets, 100_000))]
    value = json.dumps({"balance": "1000000000.000000", "available": "1000000000.000000", "version": 180})
    with tempfile.TemporaryDirectory(prefix="wallet-growth-"), programs_folder():
        async with redis_server() as server:
            draw = random.Random(1)  # noqa: S311 - draws a load, keeps no secret
            client = Redis.from_url(server.url, max_connections=_TASKS)
            async with client:
                filling = client.pipeline(transaction=False)
                for wallet in wallets:
                    filling.set(wallet, value)
                await filling.execute()
                return {
                    "GET": await _redis_measured(client, lambda: client.get(draw.choice(wallets)), calls),
                    "SET": await _redis_measured(
                        client, lambda: client.set(draw.choice(wallets), value), calls
                    ),
                }


async def _redis_measured(client: "Redis", call: Callable[[], Awaitable[Any]], calls: int) -> Figures:
    pid = int((await client.info("server"))["process_id"])
    latencies: list[float] = []

    async def some(number: int, taken: list[float]) -> None:
        for _ in range(number):
            began = time.perf_counter()
            if not await call():
                raise LookupError("Redis lost a value")
            taken.append((time.perf_counter() - began) * 1e6)

    each = max(1, calls // _TASKS)
    await asyncio.gather(*(some(max(1, each // 20), []) for _ in range(_TASKS)))
    server, own = process_s(pid) or 0.0, time.process_time()
    await asyncio.gather(*(some(each, latencies) for _ in range(_TASKS)))
    done = each * _TASKS
    return {
        "operations": done,
        "server_cpu_us": round(((process_s(pid) or 0.0) - server) / done * 1e6, 1),
        "client_cpu_us": round((time.process_time() - own) / done * 1e6, 1),
        **_latencies(latencies),
    }
