# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""Builds a large ledger that passes `verify`, once, on a server that is set up for building and for nothing else.

All rows are written in the database transaction that created their files, so PostgreSQL writes no log of them
(``wal_level`` minimal). As in ``bench.data``, PostgreSQL computes the rows: that takes 4 µs of CPU a row, and a COPY has
to parse it besides.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from bench import data
from bench.cpu import family_s
from bench.data import Size
from bench.job import RowFailed
from bench.server import Server, server_of
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres

DATABASE = "growth"

Say = Callable[[str], None]
"""Receives a line of progress."""

_BUILDING = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "full_page_writes": "off",
    "autovacuum": "off",
}

_KEYS = """
insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)
  select 'bench', case when g % 2 = 0 then p::text else md5(g::text)::uuid::text end, 'posting', p,
    '\\x01'::bytea || decode(md5(g::text) || md5(v::text), 'hex'), {start} + v * interval '1 ms'
  from (select {posting_id} as p, v, g from {rows} offset 0) s
"""
"""Half of the keys are random, as from clients that use UUIDv4, the others UUIDv7, as from our client libraries."""

_HOT_SHARE = 10
_ROWS_EACH = 180


def size_of(rows: int) -> Size:
    """How ``rows`` entries are spread: a tenth are those of one hot wallet, every other wallet has 180."""
    wallets = max(1, rows * (_HOT_SHARE - 1) // _HOT_SHARE // _ROWS_EACH)
    return Size(wallets=wallets, rows_each=_ROWS_EACH, big_rows=rows - wallets * _ROWS_EACH)


async def build(folder: Path, size: Size, say: Say) -> dict[str, Any]:
    """Create a server in this folder with a ledger of this size. Returns what that took.

    Args:
        folder: of the server; it must not exist.
        size: of the ledger.
        say: receives the progress.
    """
    async with EmbeddedPostgres(folder) as embedded:
        await server_of(embedded).create_database(DATABASE)
        await _configure(embedded, [f"set {name} = '{value}'" for name, value in _BUILDING.items()])
    async with EmbeddedPostgres(folder) as embedded:
        server = server_of(embedded)
        connection = await asyncpg.connect(
            server.admin_dsn(DATABASE),
            server_settings={
                "synchronous_commit": "off",
                "maintenance_work_mem": "1GB",
                "max_parallel_maintenance_workers": "0",
                "timezone": "UTC",
            },
        )
        try:
            figures = await _Builder(connection, pid_of(server), say).build(size)
        finally:
            await connection.close()
        # Autovacuum would begin in the middle of the measurements.
        await _configure(embedded, ["reset all", "set autovacuum = off"])
    return figures


def pid_of(server: Server) -> int:
    """The first process of an embedded server."""
    if server.pid is None:
        raise RowFailed("the server is not on this machine")
    return server.pid


async def _configure(embedded: EmbeddedPostgres, changes: list[str]) -> None:
    """Change settings of the server for its next start."""
    connection = await asyncpg.connect(embedded.admin_dsn)
    try:
        for change in changes:
            await connection.execute(f"alter system {change}")
    finally:
        await connection.close()


class _Builder:
    def __init__(self, connection: "asyncpg.Connection[Any]", pid: int, say: Say) -> None:
        self._connection = connection
        self._pid = pid
        self._say = say

    async def build(self, size: Size) -> dict[str, Any]:
        words = await data.words_of(self._connection, size)
        again = await data.drop_indexes(self._connection)
        loaded = await self._timed("rows", self._load(size, words))
        indexes: dict[str, Any] = {}
        for statement in sorted(again, key=lambda each: "idempotency" not in each):
            indexes[statement] = await self._timed(statement, self._connection.execute(statement))
        await self._connection.execute("analyze")
        await self._connection.execute("checkpoint")
        return {"load": loaded, "indexes": indexes}

    async def _load(self, size: Size, words: dict[str, Any]) -> None:
        connection, began, done = self._connection, time.monotonic(), 0
        async with connection.transaction():
            # The ledger's triggers refuse a truncate. Here it makes new files of empty tables.
            await connection.execute("set local session_replication_role = replica")
            await connection.execute("truncate wallet.wallet_transactions, wallet.idempotency")
            await connection.execute(data.WALLETS.format(**words))
            for chunk in data.chunks(size):
                await connection.execute(data.ENTRIES.format(**words, rows=chunk.source))
                await connection.execute(_KEYS.format(**words, rows=chunk.source))
                done += chunk.rows
                self._say(f"{done:,} rows after {time.monotonic() - began:.0f} s")
            await connection.execute(data.CHECKPOINTS.format(**words))

    async def _timed(self, what: str, work: Any) -> dict[str, float]:
        cpu, began = family_s(self._pid) or 0.0, time.monotonic()
        await work
        taken = {
            "s": round(time.monotonic() - began, 1),
            "cpu_s": round((family_s(self._pid) or 0.0) - cpu, 1),
        }
        self._say(f"{what}: {taken}")
        return taken
