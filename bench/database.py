# asyncpg's own types say little of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""What the database itself counts, and wallets that are held in it."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench.names import wallet_id

_USED = """
select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint as wal,
  (select sum(pg_total_relation_size(c.oid))::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('wallet', 'bench') and c.relkind = 'r') as disk
"""


@dataclass(frozen=True, slots=True)
class Used:
    """Bytes that were written so far: of the write-ahead log, and of tables with their indexes."""

    wal: int
    disk: int


class Watch:
    """A connection that looks at what is measured by others."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def used(self) -> Used:
        """Bytes so far."""
        row = await self._connection.fetchrow(_USED)
        return Used(0, 0) if row is None else Used(row["wal"], row["disk"])

    @contextlib.asynccontextmanager
    async def held(self, count: int) -> AsyncGenerator[None, None]:
        """Hold the first wallets, as a foreign transaction that has changed them would."""
        wallets = [wallet_id(number) for number in range(count)]
        async with self._connection.transaction():
            await self._connection.execute(
                "select from wallet.wallets where wallet_id = any ($1::uuid[]) order by wallet_id for update",
                wallets,
            )
            yield


@contextlib.asynccontextmanager
async def watching(dsn: str) -> AsyncGenerator[Watch, None]:
    """A connection of its own to the database."""
    connection = await asyncpg.connect(dsn)
    try:
        yield Watch(connection)
    finally:
        await connection.close(timeout=5)
