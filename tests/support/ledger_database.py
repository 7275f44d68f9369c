"""A database whose ledger a test fills at chosen times, and HTTP clients of the service on it."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
import httpx
import jwt

from support.api import ADMIN_KEY, JWT_SECRET, make_app
from support.clock import SettableClock
from support.database_location import DatabaseLocation, connect
from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.gateway import Database, Json

BATCH = 500

Row: TypeAlias = dict[str, Any]


def op(kind: str, wallet_id: str, amount: str | int, **members: Any) -> Row:
    """An operation that the kernel takes."""
    return {
        "transaction_id": new_id(),
        "type": kind,
        "wallet_id": wallet_id,
        "amount": str(amount),
        "client_id": "tests",
        **members,
    }


@dataclass(frozen=True)
class LedgerDatabase:
    """The ledger of one database.

    Attributes:
        superuser: reads and writes every table.
        database: calls functions the way the service does.
        clock: the clock of the ledger; it shows the real time until it is set.
        place: where the service finds the database.
        dsn: the database as superuser.
    """

    superuser: asyncpg.Connection
    database: Database
    clock: SettableClock
    database_location: DatabaseLocation
    dsn: str

    async def wallet(
        self, user: str = "ann", currency: str = "CREDIT", name: str = "main", *, keeping: str = "operating"
    ) -> str:
        """A new wallet; an operating one has a high credit limit."""
        wallet_id = new_id()
        await self.superuser.execute(
            "insert into wallet.wallets"
            " (wallet_id, user_id, name, wallet_type, currency, credit_limit, keeping, created_at, updated_at)"
            " values ($1, $2, $3, 'fiat', $4, case $5::text when 'operating' then 1e15 else 0 end, $5,"
            " wallet.clock(), wallet.clock())",
            wallet_id,
            user,
            name + wallet_id,
            currency,
            keeping,
        )
        return wallet_id

    async def post(self, *operations: Row, at: datetime | None = None) -> list[str]:
        """Post operations, one after the other, at this time. Returns their transaction_ids."""
        if at is not None:
            await self.clock.set(at)
        for start in range(0, len(operations), BATCH):
            units = [{"operations": [operation]} for operation in operations[start : start + BATCH]]
            answer = await self.database.call("post_transactions", units=Json(json.dumps(units)))
            assert {unit[0]["status"] for unit in json.loads(answer)} == {"posted"}
        return [operation["transaction_id"] for operation in operations]

    async def bulk(self, wallet_id: str, first: datetime, count: int, tick: timedelta) -> None:
        """Write thousands of entries without the kernel: deposits of 1, one every tick, and checkpoints."""
        await self.superuser.execute(
            """
            insert into wallet.wallet_transactions
              select w.wallet_id, i, gen_random_uuid(), 0, $2::timestamptz + (i - 1) * $4::interval,
                $2::timestamptz + (i - 1) * $4::interval, 'deposit', 'credit', w.currency, 1, i - 1, i,
                'external:deposits', null, w.user_id, 'tests', 'r' || i, null,
                jsonb_build_object('n', i % 1000)
              from wallet.wallets w, generate_series(1, $3::bigint) i where w.wallet_id = $1;
            """,
            wallet_id,
            first,
            count,
            tick,
        )
        await self.superuser.execute(
            "update wallet.wallets w"
            " set last_entry = t.wallet_version, balance = t.balance_after, last_posted_at = t.created_at"
            " from wallet.wallet_transactions t"
            " where w.wallet_id = $1 and t.wallet_id = w.wallet_id and t.wallet_version = $2",
            wallet_id,
            count,
        )
        await self.superuser.fetch(
            "select wallet.write_checkpoint($1, i * 1000) from generate_series(1, $2::bigint / 1000) i",
            wallet_id,
            count,
        )

    async def rows(self, *wallet_ids: str) -> list[Row]:
        """All entries of these wallets in the order of a history."""
        found = await self.superuser.fetch(
            "select t.*, t.wallet_id::text as wallet_id, t.transaction_id::text as transaction_id"
            " from wallet.wallet_transactions t where t.wallet_id = any ($1::uuid[])"
            " order by t.created_at desc, t.wallet_id desc, t.wallet_version desc",
            list(wallet_ids),
        )
        return [dict(row) for row in found]

    async def read(self, function: str, **params: Any) -> Any:
        """The decoded result of a function."""
        return json.loads(await self.database.call(function, **params), parse_float=Decimal)

    @asynccontextmanager
    async def posting(self, *operations: Row) -> AsyncIterator[asyncpg.Connection]:
        """Operations that are posted and committed at the end of the block."""
        connection = await asyncpg.connect(self.dsn)
        try:
            async with connection.transaction():
                units = json.dumps([{"operations": list(operations)}])
                answer = await connection.fetchval("select wallet_api.post_transactions($1)", units)
                assert {outcome["status"] for outcome in json.loads(answer)[0]} == {"posted"}
                yield connection
        finally:
            await connection.close()

    async def waiting_for_a_lock(self) -> int:
        """How many sessions of this database wait for a lock."""
        return await self.superuser.fetchval(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )

    @asynccontextmanager
    async def client(self, user: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the service on this database: the operator, or a user with a token."""
        app = make_app(self.database_location)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://wallet") as client,
        ):
            client.headers["Authorization"] = f"Bearer {_token(user) if user else ADMIN_KEY}"
            yield client


def _token(user: str) -> str:
    return jwt.encode({"sub": user, "exp": 4102444800, "iss": "tests"}, JWT_SECRET, algorithm="HS256")


@asynccontextmanager
async def open_ledger_database(
    dsn: str, database_location: DatabaseLocation
) -> AsyncIterator[LedgerDatabase]:
    """A migrated database of one test."""
    superuser = await asyncpg.connect(dsn)
    try:
        clock = SettableClock(superuser)
        await clock.install()
        database = await connect(database_location)
        try:
            yield LedgerDatabase(superuser, database, clock, database_location, dsn)
        finally:
            await database.close()
    finally:
        await superuser.close()


def oldest_first(rows: Iterable[Row]) -> list[Row]:
    """The entries of one wallet in the order of their versions."""
    return sorted(rows, key=lambda row: row["wallet_version"])
