# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""Counters of the database, and locks on wallets."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench.ids import wallet_id

_USED = """
select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint as wal,
  (select sum(pg_total_relation_size(c.oid))::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('wallet', 'bench') and c.relkind = 'r') as disk
"""


@dataclass(frozen=True, slots=True)
class Used:
    """Bytes written so far: of the write-ahead log, and of tables with their indexes."""

    wal: int
    disk: int


class Watch:
    """A connection that reads the counters and locks wallets."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def used(self) -> Used:
        """Bytes so far."""
        row = await self._connection.fetchrow(_USED)
        return Used(0, 0) if row is None else Used(row["wal"], row["disk"])

    @contextlib.asynccontextmanager
    async def locked(self, count: int) -> AsyncGenerator[None, None]:
        """Lock the first wallets, as another session does that has changed them."""
        wallets = [wallet_id(number) for number in range(count)]
        async with self._connection.transaction():
            await self._connection.execute(
                "select from wallet.wallets where wallet_id = any ($1::uuid[]) order by wallet_id for update",
                wallets,
            )
            yield


@contextlib.asynccontextmanager
async def watching(dsn: str) -> AsyncGenerator[Watch, None]:
    """A separate connection to the database."""
    connection = await asyncpg.connect(dsn)
    try:
        yield Watch(connection)
    finally:
        await connection.close(timeout=5)
