"""The real thing, for a moment a row."""

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
from bench.job import RowFailed
from bench.names import wallet_id
from bench.plan import LETTERS, PGBENCH, QUICK, ROWS, chosen
from bench.progress import telling
from bench.report import print_report, write_json
from bench.run import letters_of, run
from wallet_service.ledger.verify import verify
from wallet_service.platform.database.postgres import PostgresDatabase

OVER_REST = frozenset("opqrst")
AROUND = frozenset("uvwx")
ROOT = Path(__file__).parent.parent.parent
TINY = replace(
    QUICK,
    rounds=1,
    round_s=0.1,
    warm_s=0.02,
    open_s=0.1,
    try_s=0.05,
    held_s=0.3,
    import_rounds=1,
    pgbench_s=1,
    main=Size(wallets=200),
    small=Size(wallets=200, big_rows=100),
    large=Size(wallets=200, rows_each=3, big_rows=1500),
    zipf_wallets=200,
)


async def test_every_row_is_measured(tmp_path: Path) -> None:
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with telling(console) as told:
        results = await run(TINY, frozenset(LETTERS) - OVER_REST - AROUND, None, told)
    print_report(results, console)
    write_json(results, tmp_path / "figures.json", "tiny")
    console.file.close()
    assert results.failed == {}
    rows = [row for row in ROWS if row.letter not in OVER_REST | AROUND]
    assert set(results.rows) == {row.key for row in rows} | {key for key, _, _ in PGBENCH}
    assert all(row.per_s for row in results.rows.values())
    assert all(results.rows[row.key].open_us for row in rows if row.open_loop)
    for key in ("c", "d", "f"):
        assert (results.rows[key].wal_bytes or 0) > 100
        assert (results.rows[key].cpu_us["postgres"]) > 0
    assert results.rows["f"].cpu_us["service"] > results.rows["f"].cpu_us["client"]
    written = json.loads((tmp_path / "figures.json").read_text())
    outcomes = {target["target"]: target["outcome"] for target in written["targets"]}
    others = ("s / the better of q and t", "u / f", "w / v", "x / f", "import of our client / of httpx")
    assert {outcomes.pop(name) for name in others} == {"not measured"}
    assert set(outcomes.values()) <= {"pass", "miss"}
    assert written["rows"]["f"]["operations_per_s"] > 0
    assert os.uname().nodename not in written["machine"]
    assert "HTTP consume, one wallet" in (tmp_path / "out").read_text()


@pytest.mark.consul
@pytest.mark.redis
async def test_rows_with_more_around_the_service_are_measured(consul_program: Path, tmp_path: Path) -> None:
    del consul_program
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with telling(console) as told:
        results = await run(TINY, AROUND, None, told)
    console.file.close()
    assert results.failed == {}
    assert results.left_out is None
    assert set(results.rows) == {"f", "f 1", "u", "v", "w", "x"}
    assert all(row.per_s and row.cpu_us["service"] for row in results.rows.values())
    assert 0.5 < (results.import_ratio or 0) < 10
    assert _running(f"{os.environ[BASE]}/redis-") == []


@pytest.mark.supabase
async def test_every_row_over_rest_is_measured(tmp_path: Path) -> None:
    driver_or_skip("supabase")
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with telling(console) as told:
        results = await run(TINY, OVER_REST, None, told)
    print_report(results, console)
    console.file.close()
    assert results.failed == {}
    assert results.left_out is None
    assert set(results.rows) == {"o", "o hot", "p", "q", "q few", "r", "s", "t"}
    assert all(row.per_s and row.open_us for row in results.rows.values())
    for key, row in results.rows.items():
        assert row.cpu_us["rest"] > 0
        assert ("service" in row.cpu_us) == (key[0] not in "qst")
    batched, single = (results.rows[key].cpu_us["rest"] for key in "op")
    assert batched < single / 2  # one rpc has many operations, the other one
    assert "supabase-py" in (tmp_path / "out").read_text()
    assert _running(f"{os.environ[BASE]}/bench_") == []


async def test_rows_over_rest_are_left_out_where_their_programs_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with telling(console) as told:
        results = await run(TINY, frozenset("ou"), None, told)
    print_report(results, console)
    write_json(results, tmp_path / "figures.json", "tiny")
    console.file.close()
    assert set(results.rows) == {"f", "f 1"}
    assert results.failed == {}
    said = (tmp_path / "out").read_text()
    assert said.count("!!! LEFT OUT: rows o, o hot: postgrest is not there") == 2
    assert said.count("rows u: consul is not there") == 2
    assert "postgrest is not there" in json.loads((tmp_path / "figures.json").read_text())["left_out"]


async def test_a_given_server_is_left_as_it_was(postgres_dsn: str, tmp_path: Path) -> None:
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with telling(console) as told:
        results = await run(TINY, frozenset("dfo"), postgres_dsn, told)
    console.file.close()
    assert results.failed == {}
    assert "only made on a server of our own" in (results.left_out or "")
    assert results.per_s("f")
    assert results.ratio("d hot", "d")
    connection = await asyncpg.connect(postgres_dsn)
    left = await connection.fetchval("select count(*) from pg_database where datname like 'wallet_bench_%'")
    await connection.close()
    assert left == 0


async def test_a_row_that_fails_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service refuses what it can't read in 1,024 bytes: of these rows, only the batch."""
    monkeypatch.setenv("WALLET_MAX_BODY_BYTES", "1024")
    console = Console(file=(tmp_path / "out").open("w"), width=200)
    with telling(console) as told:
        results = await run(replace(TINY, open_s=0.05), frozenset("ij"), None, told)
    print_report(results, console)
    console.file.close()
    assert set(results.failed) == {"i"}
    assert "unexpected answer 413" in results.failed["i"]
    assert results.per_s("j")
    assert "row i failed" in (tmp_path / "out").read_text()


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


def test_rows_are_chosen_by_letters() -> None:
    assert {row.key for row in chosen(letters_of("a, c"))} == {"a", "a hot", "c", "c hot", "c 1"}
    assert "f" in {row.key for row in chosen(letters_of("n"))}
    with pytest.raises(RowFailed, match="rows are a, b, c"):
        letters_of("z")


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "--quick", "--rows", "f", "--json", str(tmp_path / "figures.json")],
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
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in said
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
