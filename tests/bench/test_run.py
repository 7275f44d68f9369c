"""A real run, with a fraction of a second for each row."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, driver_or_skip
from rich.console import Console
from support.cluster import BASE, ServiceMissingError

from bench.data import Size, chunks, load
from bench.ids import wallet_id
from bench.job import RowFailed
from bench.plan import FAMILIES, PGBENCH, QUICK, ROWS, chosen
from bench.progress import reporting
from bench.report import print_report, write_json
from bench.rest import RestLogin
from bench.results import Result, Results
from bench.run import names_of, run
from bench.server import given_server
from wallet_service.ledger.verify import verify
from wallet_service.platform.database.postgres import PostgresDatabase

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent.parent
TINY = replace(
    QUICK,
    rounds=1,
    round_s=0.08,
    warm_s=0.02,
    open_s=0.06,
    probe_s=0.05,
    locked_s=0.3,
    rest_factor=1.5,
    import_rounds=1,
    pgbench_s=1,
    main=Size(wallets=200),
    small=Size(wallets=200, big_rows=100),
    large=Size(wallets=200, rows_each=3, big_rows=1500),
    zipf_wallets=200,
)


@dataclass(frozen=True)
class Run:
    """The results of a run, its output, and its JSON document."""

    results: Results
    output: str
    document: dict[str, Any]


async def tiny_run(folder: Path, names: frozenset[str], database_url: str | None = None) -> Run:
    """A run of these rows."""
    with (folder / "out").open("w") as output:
        console = Console(file=output, width=200)
        with reporting(console) as progress:
            results = await run(TINY, names, database_url, progress)
        print_report(results, console)
    write_json(results, folder / "figures.json", "tiny")
    return Run(results, (folder / "out").read_text(), json.loads((folder / "figures.json").read_text()))


@pytest.mark.supabase
@pytest.mark.consul
@pytest.mark.redis
async def test_every_row_is_measured(consul_program: Path, tmp_path: Path) -> None:
    del consul_program
    driver_or_skip("supabase")
    done = await tiny_run(tmp_path, names_of(None))
    rows = done.results.rows
    assert done.results.failed == {}
    assert done.results.left_out is None
    assert rows.keys() == {row.key for row in ROWS} | {key for key, _, _ in PGBENCH}
    families = [key.split("_")[0] for key in rows]
    assert families == sorted(families, key=FAMILIES.index)
    assert all(row.per_s for row in rows.values())
    assert all(rows[row.key].open_us for row in ROWS if row.open_loop)
    assert "HTTP consume, one wallet" in done.output
    assert "supabase-py" in done.output
    assert os.uname().nodename not in done.document["machine"]
    assert done.document["rows"]["http_consume"]["operations_per_s"] > 0
    assert {target["outcome"] for target in done.document["targets"]} <= {"pass", "miss"}
    assert 0.5 < (done.results.import_ratio or 0) < 10
    _costs_are_plausible(rows)
    assert _running(f"{os.environ[BASE]}/redis-") == []
    assert _running(f"{os.environ[BASE]}/bench_") == []


def _costs_are_plausible(rows: Mapping[str, Result]) -> None:
    for key in ("kernel_single", "kernel_batch", "http_consume"):
        assert (rows[key].wal_bytes or 0) > 100
        assert rows[key].cpu_us["postgres"] > 0
    assert rows["http_consume"].cpu_us["service"] > rows["http_consume"].cpu_us["client"]
    for row in ROWS:
        costs = rows[row.key].cpu_us
        if row.group == "http":
            assert costs["service"] > 0
        if row.group == "rest":
            assert costs["rest"] > 0
            assert ("service" in costs) == (row.where != "project")
    batched, unbatched = (rows[key].cpu_us["rest"] for key in ("rest_consume", "rest_unbatched_consume"))
    assert batched < unbatched / 2  # an RPC with many operations, and one with a single operation


async def test_a_run_on_a_given_server(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that fails and rows without their programs stop no other, and all databases are dropped.

    The service refuses bodies above 1,024 bytes: of these rows only the batch is larger.
    """
    monkeypatch.setenv("WALLET_MAX_BODY_BYTES", "1024")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))  # where programs are looked for
    measured = {"kernel_batch_few_rows", "http_consume", "http_balance", "http_batch"}
    done = await tiny_run(tmp_path, frozenset({*measured, "rest_consume", "http_production"}), postgres_dsn)
    assert done.results.rows.keys() == {*measured, "http_consume_serial"}
    assert done.results.failed.keys() == {"http_batch"}
    assert "unexpected response 413" in done.results.failed["http_batch"]
    assert "row http_batch failed" in done.output
    assert all(row.per_s for key, row in done.results.rows.items() if key != "http_batch")
    assert (
        done.output.count("LEFT OUT: rows rest_consume: the roles of a Supabase project are only created")
        == 2
    )
    assert done.output.count("rows http_production_consume: consul is not there") == 2
    assert "consul is not there" in done.document["left_out"]
    unmeasured = [target for target in done.document["targets"] if target["outcome"] == "not measured"]
    assert "kernel_batch / floor" in {target["target"] for target in unmeasured}
    connection = await asyncpg.connect(postgres_dsn)
    left = await connection.fetchval("select count(*) from pg_database where datname like 'wallet_bench_%'")
    await connection.close()
    assert left == 0


async def test_a_missing_postgrest_is_named(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))  # where programs are looked for
    async with given_server(postgres_dsn) as server:
        server.data_dir = tmp_path  # as of a server of our own
        with pytest.raises(ServiceMissingError, match="postgrest is not there"):
            await RestLogin.create(server)


async def test_what_is_loaded_is_a_ledger(fresh_database: FreshDatabase) -> None:
    made = await fresh_database()
    size = Size(wallets=30, rows_each=5, big_rows=2500)
    loaded: list[int] = []
    await load(made.dsn, size, loaded.append)
    assert sum(loaded) == size.rows == 2650
    lines: list[str] = []
    driver = await PostgresDatabase.connect(made.service_dsn)
    assert await verify(driver, lines.append), "\n".join(lines)
    await driver.close()
    connection = await asyncpg.connect(made.dsn)
    rows = await connection.fetch("select wallet_id::text, last_entry from wallet.wallets order by wallet_id")
    other = await fresh_database()
    indexes = "select indexdef from pg_indexes where schemaname = 'wallet' order by 1"
    has = [row[0] for row in await connection.fetch(indexes)]
    await connection.close()
    untouched = await asyncpg.connect(other.dsn)
    assert has == [row[0] for row in await untouched.fetch(indexes)]
    await untouched.close()
    assert [row["wallet_id"] for row in rows] == [wallet_id(number) for number in range(31)]
    assert [row["last_entry"] for row in rows] == [5] * 30 + [2500]


def test_large_loads_come_in_pieces() -> None:
    size = Size(wallets=10_000, rows_each=90, big_rows=600_000)
    pieces = [chunk.rows for chunk in chunks(size)]
    assert sum(pieces) == size.rows
    assert max(pieces) <= 250_000


def keys(names: str | None) -> set[str]:
    return {row.key for row in chosen(names_of(names))}


def test_rows_are_chosen_by_their_names_and_by_first_words() -> None:
    assert keys("floor, http_balance") == {"floor", "floor_hot", "http_balance"}
    assert keys("kernel_single") == {"kernel_single", "kernel_single_hot", "kernel_single_serial"}
    assert keys("floor_hot http_hot_consume") == {"floor_hot", "http_hot_consume"}
    assert keys("rest") == {row.key for row in ROWS if row.group == "rest"}
    assert keys(None) == {row.key for row in ROWS}


def test_the_row_that_others_need_is_measured_with_them() -> None:
    others = ("http_locked_others", "http_production_consume", "http_traced_consume", "http_hostile_consume")
    for name in others:
        assert keys(name) == {name, "http_consume"}


@pytest.mark.parametrize("names", ["", " , ", "z", "floor,http_con", "floors", "f"])
def test_an_unknown_name_of_a_row_is_refused(names: str) -> None:
    with pytest.raises(RowFailed, match="rows are floor, floor_hot, naive"):
        names_of(names)


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bench",
            "--quick",
            "--rows",
            "http_consume",
            "--json",
            str(tmp_path / "figures.json"),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "closed loop" in line:
            break
    assert any(tmp_path.iterdir())
    process.send_signal(2)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in output
    assert list(tmp_path.iterdir()) == []
    deadline = time.monotonic() + 30
    while _running(str(tmp_path)):
        assert time.monotonic() < deadline


def _running(folder: str) -> list[str]:
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_text().replace("\0", " ")
        except OSError:
            continue
        if folder in line and "pytest" not in line:
            found.append(line)
    return found
