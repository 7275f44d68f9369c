"""The kernel's rules, straight from SQL, on every supported PostgreSQL."""

import importlib
from collections.abc import AsyncIterator

import pytest
from support.cluster import SUPPORTED, VERSIONS
from support.kernel.harness import CHECKS, Kernel

for room in ("forms", "metadata", "keys", "units", "refunds", "locks", "owners", "rows", "entries"):
    importlib.import_module(f"support.kernel.{room}")

ELSEWHERE = [version for version in SUPPORTED if version not in VERSIONS]
IN_SHORT = (
    "good_forms",
    "answer_is_the_row",
    "same_key_fifty_at_once",
    "same_key_other_request",
    "key_under_way_is_waited_for",
    "opposed_transfers_fifty_at_once",
    "locked_wallets_are_busy",
    "other_isolation_is_refused",
    "exceeding_at_once",
    "of_a_transfer",
    "atomic_with_replays",
    "checkpoints_are_sums",
    "ledger_is_append_only",
    "service_role_calls_and_nothing_else",
)
"""What stands on PostgreSQL most: locks, unique keys, JSON as text, triggers, grants."""


@pytest.fixture(scope="module")
async def kernel(any_postgres_dsn: str) -> AsyncIterator[Kernel]:
    opened = await Kernel.open(any_postgres_dsn, connections=60)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", CHECKS)
async def test_rule(kernel: Kernel, name: str) -> None:
    await CHECKS[name](kernel)


@pytest.mark.parametrize("postgres_version", ELSEWHERE, indirect=True, ids=lambda version: f"pg{version}")
@pytest.mark.parametrize("name", IN_SHORT)
async def test_rule_in_short(kernel: Kernel, name: str) -> None:
    """On the versions where the others don't run; their databases are migrated, and verified afterwards."""
    await CHECKS[name](kernel)
