"""The kernel's rules, straight from SQL, on every supported PostgreSQL."""

import importlib
from collections.abc import AsyncIterator

import pytest
from support.kernel.bench import CHECKS, Kernel

for room in ("forms", "keys", "units", "refunds", "locks", "rows"):
    importlib.import_module(f"support.kernel.{room}")


@pytest.fixture(scope="module")
async def kernel(any_postgres_dsn: str) -> AsyncIterator[Kernel]:
    opened = await Kernel.open(any_postgres_dsn, connections=60)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CHECKS)
async def test_rule(kernel: Kernel, name: str) -> None:
    await CHECKS[name](kernel)
