"""The growth measurements, on a ledger of a few thousand rows."""

from pathlib import Path

import pytest

from bench.data import Size
from bench.growth import grow, steps
from bench.growth_load import size_of
from bench.growth_upkeep import Figures, Ledger
from wallet_service.ledger.verify import verify
from wallet_service.platform.database.postgres import PostgresDatabase

SIZE = Size(wallets=20, rows_each=180, big_rows=2400)


@pytest.mark.redis
async def test_a_large_ledger_is_built_and_measured(tmp_path: Path) -> None:
    """Every step has figures; what was built and posted passes `verify`; a later run measures the same ledger."""
    said: list[str] = []
    known = steps(calls=100, seconds=0.2)
    figures = await grow(tmp_path, SIZE, known, said.append)
    assert figures.keys() == {"size", "build", "machine", *known}
    assert figures["sizes"]["tables"]["wallet_transactions"]["bytes"] > SIZE.rows * 100
    assert {name: walk["of"] for name, walk in figures["verify"].items()} == {
        "verify_wallets": 21,
        "verify_entries": 6000,
        "verify_postings": 6000,
        "verify_keys": 6000,
        "verify_checkpoints": 2,
    }
    assert all(walk["checked"] > 0 for walk in figures["verify"].values())
    assert figures["dump"]["bytes"] > 50_000
    assert figures["base_backup"]["bytes"] > figures["sizes"]["database_bytes"]
    assert all(call["operations"] > 0 for call in figures["postings"].values())
    assert all(traffic["requests"] > 0 for traffic in figures["http"].values())
    loads = sum("rows after" in line for line in said)

    async def passes(ledger: Ledger, _: Path) -> Figures:
        database = await PostgresDatabase.connect(ledger.service_dsn, pool_size=1)
        try:
            return {"passes": await verify(database, said.append)}
        finally:
            await database.close()

    again = await grow(tmp_path, Size(wallets=1), {"whole": passes}, said.append)
    assert again["whole"] == {"passes": True}, said
    assert again["build"] == figures["build"]
    assert sum("rows after" in line for line in said) == loads


def test_a_tenth_of_the_rows_is_of_one_wallet() -> None:
    size = size_of(1_000_000)
    assert (size.rows, size.wallets, size.rows_each, size.big_rows) == (1_000_000, 5000, 180, 100_000)
