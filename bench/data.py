# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""Loads a ledger that passes `verify`, a thousand times faster than by posting.

Wallets 0 to n - 1 have the same number of entries, one more wallet has many. The first entry of each is a deposit, the
others consume 1. PostgreSQL computes the rows itself, which is faster than a COPY of rows from Python.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

from bench.ids import posting_id_sql, wallet_id_sql
from bench.rows_sql import FLOOR_TABLES

OPENING = 1_000_000_000
"""The first deposit of each wallet: more than a run can consume."""

_CHUNK_ROWS = 250_000
_WORKERS = 2
_CHECKPOINT_ROWS = 1000  # the kernel writes totals at every multiple of this version


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is loaded.

    Attributes:
        wallets: the number of wallets with ``rows_each`` entries.
        rows_each: entries of each of them, at least the deposit.
        big_rows: entries of one more wallet; 0 for no such wallet.
    """

    wallets: int
    rows_each: int = 1
    big_rows: int = 0

    @property
    def rows(self) -> int:
        """The number of all entries."""
        return self.wallets * self.rows_each + self.big_rows

    @property
    def all_wallets(self) -> int:
        """The number of wallets with the big one."""
        return self.wallets + (self.big_rows > 0)


Database: TypeAlias = "asyncpg.Pool[Any] | asyncpg.Connection[Any]"

Loaded = Callable[[int], None]
"""Receives the number of further entries that are loaded."""

_ROWS_OF = "case when i = {wallets} then {big_rows} else {rows_each} end"

WALLETS = """
insert into wallet.wallets (wallet_id, user_id, name, wallet_type, currency, balance, is_primary, last_entry,
    last_posted_at, created_at, updated_at)
  select {wallet_id}, 'bench-' || i, 'main', 'fiat', 'CREDIT', {opening} - (r - 1), true, r,
    {start} + r * interval '1 ms', {start}, {start}
  from (select i, {rows_of} as r from generate_series(0, {all_wallets} - 1) i) s
"""

ENTRIES = """
insert into wallet.wallet_transactions (wallet_id, wallet_version, transaction_id, leg, created_at, effective_at,
    transaction_type, direction, currency, amount, balance_before, balance_after, counter_account, user_id, client_id,
    reference, metadata)
  select {wallet_id}, v, {posting_id}, 0, {start} + v * interval '1 ms', {start} + v * interval '1 ms',
    case v when 1 then 'deposit' else 'consume' end, case v when 1 then 'credit' else 'debit' end, 'CREDIT',
    case v when 1 then {opening} else 1 end, case v when 1 then 0 else {opening} - (v - 2) end, {opening} - (v - 1),
    case v when 1 then 'external:deposits' else 'revenue:usage' end, 'bench-' || i, 'bench', 'bench', '{{}}'
  from {rows}
"""

KEYS = """
insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)
  select 'bench', p::text, 'posting', p, '\\x01'::bytea || uuid_send(p) || uuid_send(p), {start} + v * interval '1 ms'
  from (select {posting_id} as p, v from {rows}) s
"""

CHECKPOINTS = """
insert into wallet.checkpoints (wallet_id, wallet_version, transaction_type, direction, counter_account, transactions,
    amount)
  select {wallet_id}, c * {step}, k.type, k.direction, k.account, k.transactions, k.amount
  from (select i, {rows_of} as r from generate_series(0, {all_wallets} - 1) i) s, generate_series(1, r / {step}) c,
    lateral (values ('deposit', 'credit', 'external:deposits', 1, {opening}),
      ('consume', 'debit', 'revenue:usage', c * {step} - 1, c * {step} - 1)
    ) as k (type, direction, account, transactions, amount)
"""

_CONSTRAINTS = """
select t.relname as table, c.conname as name, pg_get_constraintdef(c.oid) as definition
from pg_constraint c join pg_class t on t.oid = c.conrelid
where c.conrelid = any ($1::text[]::regclass[]) and c.contype in ('p', 'u')
"""

_INDEXES = """
select c.relname as name, pg_get_indexdef(i.indexrelid) as definition
from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid = any ($1::text[]::regclass[])
"""

_BULK = ["wallet.wallet_transactions", "wallet.idempotency"]


async def load(dsn: str, size: Size, loaded: Loaded) -> None:
    """Fill a migrated, empty database, and create the tables of the rows floor and naive."""
    pool = await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=_WORKERS,
        server_settings={
            "synchronous_commit": "off",
            "maintenance_work_mem": "256MB",
            "timezone": "UTC",
            "application_name": "wallet-bench",
        },
    )
    async with pool:
        words = await words_of(pool, size)
        await pool.execute(WALLETS.format(**words))
        await pool.execute(FLOOR_TABLES)
        await pool.execute(
            f"insert into bench.floor_wallets select wallet_id, {OPENING} from wallet.wallets"  # noqa: S608 - numbers
        )
        again = await drop_indexes(pool)
        await _in_parallel([_chunk(pool, chunk, words, loaded) for chunk in chunks(size)])
        await pool.execute(CHECKPOINTS.format(**words))
        await _in_parallel([pool.execute(statement) for statement in again])
        await pool.execute("vacuum (analyze)")
        await pool.execute("checkpoint")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The entries of one statement.

    Attributes:
        source: an SQL source of rows with the columns i (wallet), v (version), g (number of the posting).
        rows: the number of its rows.
    """

    source: str
    rows: int


def chunks(size: Size) -> Iterator[Chunk]:
    """The ledger in parts: the wallets' entries version by version, as if posted, then those of the big wallet."""
    versions = max(1, _CHUNK_ROWS // size.wallets)
    for first in range(1, size.rows_each + 1, versions):
        last = min(first + versions - 1, size.rows_each)
        number = f"(v - 1)::bigint * {size.wallets} + i"
        source = f"generate_series({first}, {last}) v, generate_series(0, {size.wallets - 1}) i"
        yield Chunk(
            f"(select i, v, {number} as g from {source}) r",  # noqa: S608 - numbers
            (last - first + 1) * size.wallets,
        )
    before = size.wallets * size.rows_each
    for first in range(1, size.big_rows + 1, _CHUNK_ROWS):
        last = min(first + _CHUNK_ROWS - 1, size.big_rows)
        source = f"generate_series({first}, {last}) v"
        yield Chunk(
            f"(select {size.wallets} as i, v, {before}::bigint + v as g from {source}) r",  # noqa: S608 - numbers
            last - first + 1,
        )


async def words_of(database: Database, size: Size) -> dict[str, Any]:
    """The values in the statements. All entries are of yesterday."""
    start: str = await database.fetchval("select (clock_timestamp() - interval '1 day')::text")
    sizes = {"wallets": size.wallets, "rows_each": size.rows_each, "big_rows": size.big_rows}
    return sizes | {
        "all_wallets": size.all_wallets,
        "rows_of": _ROWS_OF.format(**sizes),
        "wallet_id": wallet_id_sql("i"),
        "posting_id": posting_id_sql("g"),
        "start": f"timestamptz '{start}'",
        "opening": f"{OPENING}::numeric",
        "step": _CHECKPOINT_ROWS,
    }


async def _chunk(pool: "asyncpg.Pool[Any]", chunk: Chunk, words: dict[str, Any], loaded: Loaded) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(ENTRIES.format(**words, rows=chunk.source), timeout=600)
        await connection.execute(KEYS.format(**words, rows=chunk.source), timeout=600)
    loaded(chunk.rows)


async def drop_indexes(database: Database) -> list[str]:
    """Drop every index of the large tables. Returns the statements that create them again."""
    again: list[str] = []
    for row in await database.fetch(_CONSTRAINTS, _BULK):
        await database.execute(f"alter table wallet.{row['table']} drop constraint {row['name']}")
        again.append(f"alter table wallet.{row['table']} add constraint {row['name']} {row['definition']}")
    for row in await database.fetch(_INDEXES, _BULK):  # indexes without a constraint
        await database.execute(f"drop index wallet.{row['name']}")
        again.append(row["definition"])
    return again


async def _in_parallel(work: "list[Awaitable[Any]]") -> None:
    """Run at most as many at a time as the pool has connections."""
    await asyncio.gather(*work)
