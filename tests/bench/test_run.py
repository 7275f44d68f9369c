"""A real run, with a fraction of a second for each row."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from conftest import FreshDatabase, driver_or_skip
from rich.console import Console
from support.cluster import BASE

from bench.data import Size, chunks, load
from bench.ids import wallet_id
from bench.job import RowFailed
from bench.plan import FAMILIES, PGBENCH, QUICK, ROWS, chosen
from bench.progress import reporting
from bench.report import print_report, write_json
from bench.run import names_of, run
from wallet_service.ledger.verify import verify
from wallet_service.platform.database.postgres import PostgresDatabase

OVER_REST = frozenset({"rest"})
IN_ENVIRONMENTS = frozenset({"http_production_consume", "http_traced_consume", "client"})
OTHERS = frozenset(row.key for row in ROWS) - {row.key for row in chosen(OVER_REST | IN_ENVIRONMENTS)} | {
    "http_consume"
}
ROOT = Path(__file__).parent.parent.parent
TINY = replace(
    QUICK,
    rounds=1,
    round_s=0.1,
    warm_s=0.02,
    open_s=0.1,
    probe_s=0.05,
    locked_s=0.3,
    import_rounds=1,
    pgbench_s=1,
    main=Size(wallets=200),
    small=Size(wallets=200, big_rows=100),
    large=Size(wallets=200, rows_each=3, big_rows=1500),
    zipf_wallets=200,
)


async def test_every_row_is_measured(tmp_path: Path) -> None:
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with reporting(console) as progress:
        results = await run(TINY, OTHERS, None, progress)
    print_report(results, console)
    write_json(results, tmp_path / "figures.json", "tiny")
    console.file.close()
    assert results.failed == {}
    rows = [row for row in ROWS if row.key in OTHERS]
    assert set(results.rows) == {row.key for row in rows} | {key for key, _, _ in PGBENCH}
    assert [key.split("_")[0] for key in results.rows] == sorted(
        (key.split("_")[0] for key in results.rows), key=FAMILIES.index
    )
    assert all(row.per_s for row in results.rows.values())
    assert all(results.rows[row.key].open_us for row in rows if row.open_loop)
    for key in ("kernel_single", "kernel_batch", "http_consume"):
        assert (results.rows[key].wal_bytes or 0) > 100
        assert (results.rows[key].cpu_us["postgres"]) > 0
    assert results.rows["http_consume"].cpu_us["service"] > results.rows["http_consume"].cpu_us["client"]
    written = json.loads((tmp_path / "figures.json").read_text())
    outcomes = {target["target"]: target["outcome"] for target in written["targets"]}
    unmeasured = {name for name, outcome in outcomes.items() if outcome == "not measured"}
    assert unmeasured == {
        "rest_group_commit / the better of rest_supabase_py and rest_driver",
        "http_production_consume / http_consume",
        "http_traced_consume / http_consume",
        "client_library / client_httpx",
        "import of the client library / of httpx",
    }
    assert {outcomes[name] for name in outcomes.keys() - unmeasured} <= {"pass", "miss"}
    assert written["rows"]["http_consume"]["operations_per_s"] > 0
    assert os.uname().nodename not in written["machine"]
    assert "HTTP consume, one wallet" in (tmp_path / "out").read_text()


@pytest.mark.consul
@pytest.mark.redis
async def test_rows_in_environments_are_measured(consul_program: Path, tmp_path: Path) -> None:
    del consul_program
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with reporting(console) as progress:
        results = await run(TINY, IN_ENVIRONMENTS, None, progress)
    console.file.close()
    assert results.failed == {}
    assert results.left_out is None
    assert set(results.rows) == {
        "http_consume",
        "http_production_consume",
        "http_traced_consume",
        "client_httpx",
        "client_library",
    }
    assert all(row.per_s and row.cpu_us["service"] for row in results.rows.values())
    assert 0.5 < (results.import_ratio or 0) < 10
    assert _running(f"{os.environ[BASE]}/redis-") == []


@pytest.mark.supabase
async def test_every_row_over_rest_is_measured(tmp_path: Path) -> None:
    driver_or_skip("supabase")
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with reporting(console) as progress:
        results = await run(TINY, OVER_REST, None, progress)
    print_report(results, console)
    console.file.close()
    assert results.failed == {}
    assert results.left_out is None
    assert set(results.rows) == {row.key for row in ROWS if row.group == "rest"}
    assert all(row.per_s and row.open_us for row in results.rows.values())
    for key, row in results.rows.items():
        assert row.cpu_us["rest"] > 0
        assert ("service" in row.cpu_us) == (key.endswith(("consume", "balance")))
    batched, unbatched = (
        results.rows[key].cpu_us["rest"] for key in ("rest_consume", "rest_unbatched_consume")
    )
    assert batched < unbatched / 2  # an RPC with many operations, and one with a single operation
    assert "supabase-py" in (tmp_path / "out").read_text()
    assert _running(f"{os.environ[BASE]}/bench_") == []


async def test_rows_over_rest_are_left_out_where_their_programs_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with reporting(console) as progress:
        results = await run(TINY, frozenset({"rest_consume", "http_production"}), None, progress)
    print_report(results, console)
    write_json(results, tmp_path / "figures.json", "tiny")
    console.file.close()
    assert set(results.rows) == {"http_consume"}
    assert results.failed == {}
    report = (tmp_path / "out").read_text()
    assert report.count("!!! LEFT OUT: rows rest_consume: postgrest is not there") == 2
    assert report.count("rows http_production_consume: consul is not there") == 2
    assert "postgrest is not there" in json.loads((tmp_path / "figures.json").read_text())["left_out"]


async def test_a_given_server_is_left_as_it_was(postgres_dsn: str, tmp_path: Path) -> None:
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with reporting(console) as progress:
        results = await run(
            TINY, frozenset({"kernel_batch", "http_consume", "rest_consume"}), postgres_dsn, progress
        )
    console.file.close()
    assert results.failed == {}
    assert "only created on a server of our own" in (results.left_out or "")
    assert results.per_s("http_consume")
    assert results.ratio("kernel_batch_hot", "kernel_batch")
    connection = await asyncpg.connect(postgres_dsn)
    left = await connection.fetchval("select count(*) from pg_database where datname like 'wallet_bench_%'")
    await connection.close()
    assert left == 0


async def test_a_row_that_fails_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service refuses what it can't read in 1,024 bytes: of these rows only the batch is larger."""
    monkeypatch.setenv("WALLET_MAX_BODY_BYTES", "1024")
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with reporting(console) as progress:
        results = await run(
            replace(TINY, open_s=0.05), frozenset({"http_batch", "http_balance"}), None, progress
        )
    print_report(results, console)
    console.file.close()
    assert set(results.failed) == {"http_batch"}
    assert "unexpected response 413" in results.failed["http_batch"]
    assert results.per_s("http_balance")
    assert "row http_batch failed" in (tmp_path / "out").read_text()


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
    for name in ("http_locked_others", "http_production_consume", "http_traced_consume"):
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
