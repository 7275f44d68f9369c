# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""What a large ledger costs its operator: space, vacuum, backups, index builds, `verify`."""

import asyncio
import json
import os
import resource
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.cpu import family_s
from bench.data import Size
from bench.ids import posting_id, wallet_id
from bench.job import RowFailed
from bench.server import binaries
from wallet_service.core.room import VerifyWalk
from wallet_service.ledger.verify import LEDGER_WALKS
from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.database.postgres import PostgresDatabase
from wallet_service.rooms import ROOMS

Figures = dict[str, Any]

_SIZES = """
select c.relname as name, t.relname as of_table, c.relkind = 'i' as is_index, c.reltuples::bigint as rows,
  case c.relkind when 'i' then pg_relation_size(c.oid) else pg_table_size(c.oid) end as bytes
from pg_class c left join pg_index i on i.indexrelid = c.oid join pg_class t on t.oid = coalesce(i.indrelid, c.oid)
where c.relnamespace = 'wallet'::regnamespace and c.relkind in ('r', 'i')
order by pg_table_size(t.oid) desc, t.relname, c.relkind desc, c.relname
"""
_LARGE = ("wallet_transactions", "idempotency", "wallets", "checkpoints")
_CONCURRENT = """
create index concurrently growth_probe on wallet.wallet_transactions (wallet_id, effective_at)
  where effective_at <> created_at
"""
_RESTORED = "growth_restored"
_BLOCK = 1 << 20
_PLACES = 8
"""Number of places from which a walk of `verify` is sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A built ledger on a running server.

    Attributes:
        size: how it was built.
        pid: the first process of the server.
        admin_dsn: URL of the database as its superuser.
        service_dsn: URL for the service.
        connection: of the superuser.
    """

    size: Size
    pid: int
    admin_dsn: str
    service_dsn: str
    connection: "asyncpg.Connection[Any]"

    async def wal_bytes(self) -> int:
        """Bytes of the write-ahead log so far."""
        return await self.connection.fetchval("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")

    @asynccontextmanager
    async def cost(self) -> AsyncGenerator[Figures, None]:
        """Within: measures time, the server's CPU, and log. The figures are complete at the end of the block."""
        figures: Figures = {}
        wal, cpu, began = await self.wal_bytes(), family_s(self.pid) or 0.0, time.monotonic()
        yield figures
        figures["s"] = round(time.monotonic() - began, 2)
        figures["server_cpu_s"] = round((family_s(self.pid) or 0.0) - cpu, 2)
        figures["wal_bytes"] = int(await self.wal_bytes() - wal)


async def sizes(ledger: Ledger) -> Figures:
    """Bytes and rows of each table, and the bytes of each of its indexes."""
    tables: Figures = {}
    for row in await ledger.connection.fetch(_SIZES):
        table = tables.setdefault(row["of_table"], {"indexes": {}})
        if row["is_index"]:
            table["indexes"][row["name"]] = row["bytes"]
        else:
            table |= {"rows": row["rows"], "bytes": row["bytes"]}
    size = await ledger.connection.fetchval("select pg_database_size(current_database())")
    return {"database_bytes": size, "tables": {name: tables[name] for name in _LARGE}}


async def vacuum(ledger: Ledger) -> Figures:
    """The first vacuum of every row, which also freezes them; a second one without changes; statistics."""
    figures: Figures = {}
    for table in _LARGE:
        for name, statement in (("first", "vacuum (freeze)"), ("second", "vacuum"), ("analyze", "analyze")):
            async with ledger.cost() as cost:
                await ledger.connection.execute(f"{statement} wallet.{table}")
            figures.setdefault(table, {})[name] = cost
    return figures


async def index(ledger: Ledger) -> Figures:
    """A partial index without entries as `migrate` builds it, while reads and writes go on: two scans of the table."""
    async with ledger.cost() as cost:
        await ledger.connection.execute(_CONCURRENT)
    await ledger.connection.execute("drop index wallet.growth_probe")
    return cost


async def dump(ledger: Ledger) -> Figures:
    """`pg_dump` as docs/operations.md has it; the output is counted and dropped."""
    return await _counted(ledger, "pg_dump", "--format=custom", f"--dbname={ledger.admin_dsn}")


async def base_backup(ledger: Ledger) -> Figures:
    """A base backup without compression; the output is counted and dropped."""
    return await _counted(
        ledger,
        "pg_basebackup",
        "--format=tar",
        "--pgdata=-",
        "--wal-method=fetch",
        "--checkpoint=fast",
        f"--dbname={ledger.admin_dsn}",
    )


async def restore(ledger: Ledger, folder: Path) -> Figures:
    """`pg_restore` into an empty database, as docs/operations.md has it. It needs room for a dump and a second ledger."""
    kept = folder / "ledger.dump"
    dsn = urlunsplit(urlsplit(ledger.admin_dsn)._replace(path=f"/{_RESTORED}"))
    try:
        await _program("pg_dump", "--format=custom", f"--file={kept}", f"--dbname={ledger.admin_dsn}")
        await ledger.connection.execute(f"create database {_RESTORED}")
        await migrate(dsn, ROOMS)
        async with ledger.cost() as cost:
            cost.update(
                await _program(
                    "pg_restore",
                    "--clean",
                    "--if-exists",
                    "--single-transaction",
                    "--exit-on-error",
                    f"--dbname={dsn}",
                    str(kept),
                )
            )
    finally:
        await ledger.connection.execute(f"drop database if exists {_RESTORED} with (force)")
        await asyncio.to_thread(kept.unlink, missing_ok=True)
    return cost


async def _counted(ledger: Ledger, name: str, *arguments: str) -> Figures:
    async with ledger.cost() as cost:
        cost.update(await _program(name, *arguments))
    return cost


async def _program(name: str, *arguments: str) -> Figures:
    """Run one of PostgreSQL's programs. Returns its CPU, and the bytes of its output, which is dropped."""
    folder = binaries()
    if folder is None:
        raise RowFailed("the embedded server's programs are not installed")
    return await asyncio.to_thread(_run, folder / name, arguments)


def _run(program: Path, arguments: Sequence[str]) -> Figures:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = 0
    output, end = os.pipe()
    with os.fdopen(output, "rb", buffering=0) as blocks:
        with os.fdopen(end, "wb") as given:
            process = subprocess.Popen([program, *arguments], stdout=given)  # noqa: S603 - ours
        while block := blocks.read(_BLOCK):
            count += len(block)
    if process.wait():
        raise RowFailed(f"{program.name} failed with status {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"bytes": count, "program_cpu_s": round(used, 2)}


async def verify(ledger: Ledger, seconds: float) -> Figures:
    """The walks of `verify`, each for some seconds, from places that are spread over its table.

    ``all_s`` is extrapolated from the rows that were checked to all rows.
    """
    size = ledger.size
    rows = {
        "verify_wallets": size.all_wallets,
        "verify_entries": size.rows,
        "verify_postings": size.rows,
        "verify_keys": size.rows,
        "verify_checkpoints": size.big_rows // 1000 + size.wallets * (size.rows_each // 1000),
    }
    database = await PostgresDatabase.connect(ledger.service_dsn, pool_size=1)
    try:
        return {
            walk.function: await _walk(ledger, database, walk, rows[walk.function], seconds)
            for walk in LEDGER_WALKS
        }
    finally:
        await database.close()


async def _walk(
    ledger: Ledger, database: PostgresDatabase, walk: VerifyWalk, rows: int, seconds: float
) -> Figures:
    checked, faults = 0, 0
    places: list[Mapping[str, Any]] = [
        _place(walk.function, number / _PLACES, ledger.size) for number in range(_PLACES)
    ]
    async with ledger.cost() as cost:
        for number, first in enumerate(places):
            place: Mapping[str, Any] | None = first
            ends = time.monotonic() + seconds / _PLACES
            following = places[number + 1 : number + 2]
            beyond = [list(one.values()) for one in following if list(one.values()) > list(first.values())]
            while place is not None and time.monotonic() < ends:
                page = json.loads(await database.read(walk.function, **place))
                checked += page["checked"]
                faults += len(page["faults"])
                place = page["next"]
                if place is not None and beyond and list(place.values()) >= beyond[0]:
                    place = None
    if faults:
        raise RowFailed(f"{walk.function} found {faults} faults")
    return {
        **cost,
        "checked": checked,
        "of": rows,
        "us_each": round(cost["s"] / checked * 1e6, 1),
        "server_cpu_us_each": round(cost["server_cpu_s"] / checked * 1e6, 1),
        "all_s": round(cost["s"] / checked * rows, 1),
    }


def _place(function: str, share: float, size: Size) -> Mapping[str, Any]:
    """The arguments with which a walk begins after this share of its rows."""
    wallet = wallet_id(int(share * size.wallets))
    if function == "verify_wallets":
        return {"after": wallet}
    if function == "verify_entries":
        return {"after_wallet": wallet, "after_version": 0}
    if function == "verify_postings":
        return {"after": posting_id(int(share * size.rows))}
    if function == "verify_checkpoints":  # all are of the big wallet
        return {"after_wallet": wallet_id(size.wallets), "after_version": int(share * size.big_rows)}
    # Half of the keys are random, the others are ids of postings: they begin alike.
    half = share * 2
    if half < 1:
        return {"after_client": "bench", "after_key": posting_id(int(half * size.rows))}
    return {"after_client": "bench", "after_key": f"{int((half - 1) * 16**8):08x}"}
