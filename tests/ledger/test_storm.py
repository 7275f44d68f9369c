"""Sixteen sessions on few wallets and hot keys while verify runs: nothing is lost or doubled, verify finds no fault."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal

import asyncpg
import pytest
from conftest import FreshDatabase
from support.cluster import VERSIONS
from support.kernel.harness import Kernel, Op, Outcome, another_attempt, op, refund, transfer, unit
from support.soak import FACTOR

from wallet_service.ledger.verify import verify
from wallet_service.platform.database.postgres import PostgresDatabase

SESSIONS = 16
CALLS = 15 * FACTOR
SIZES = (1, 1, 5, 20, 50)


@dataclass
class Storm:
    """What was sent, and what was answered."""

    kernel: Kernel
    wallets: list[str]
    answers: list[tuple[Op, Outcome]] = field(default_factory=list)
    gave_up: int = 0
    last_key: int = 0
    spent: list[str] = field(default_factory=list)

    def operation(self, rng: random.Random) -> Op:
        """Most keys are used by several sessions and wallets at once."""
        self.last_key += rng.random() < 0.3
        kind = rng.choice(["deposit", "consume", "consume", "transfer", "withdraw", "refund"])
        members = {"key": f"k{max(0, self.last_key - rng.randint(0, 30))}" if rng.random() < 0.7 else None}
        wallet, amount = rng.choice(self.wallets), str(rng.randint(1, 60))
        if kind == "transfer":
            return transfer(wallet, rng.choice(self.wallets), amount, **members)
        if kind == "refund" and self.spent:
            return refund(rng.choice(self.spent[-20:]), amount, **members)
        return op("fee" if kind == "refund" else kind, wallet, amount, **members)

    async def session(self, number: int) -> None:
        rng = random.Random(number)  # noqa: S311 - no secret
        for _ in range(CALLS):
            operations = [self.operation(rng) for _ in range(rng.choice(SIZES))]
            if rng.random() < 0.2:
                operations.append(another_attempt(rng.choice(operations)))
            flags = {"atomic": rng.random() < 0.2, "dry_run": rng.random() < 0.1}
            wait_ms = rng.choice([0, 20_000])
            attempts = [False, True] if rng.random() < 0.1 else [False]  # sent again while under way
            await asyncio.gather(
                *(self.call(operations, flags, wait_ms, resent=resent) for resent in attempts)
            )

    async def call(self, operations: list[Op], flags: dict[str, bool], wait_ms: int, *, resent: bool) -> None:
        try:
            outcomes = (await self.kernel.post(unit(*operations, **flags, resent=resent), wait_ms=wait_ms))[0]
        except asyncpg.LockNotAvailableError:  # a key was under way for 2 s: nothing is changed
            self.gave_up += 1
            return
        for operation, outcome in zip(operations, outcomes, strict=True):
            self.answers.append((operation, outcome))
            if outcome.status == "posted" and operation["type"] == "consume":
                self.spent.append(operation["transaction_id"])


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda version: f"pg{version}")
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
async def storm(fresh_database: FreshDatabase, version: int) -> AsyncIterator[Storm]:
    kernel = await Kernel.open((await fresh_database(version=version)).dsn, connections=SESSIONS * 2)
    yield Storm(kernel, [await kernel.wallet("500") for _ in range(6)])
    await kernel.close()


async def _watch(database: PostgresDatabase, done: asyncio.Event) -> list[str]:
    """The faults that verify sees while postings go on."""
    lines: list[str] = []
    while not done.is_set():
        await verify(database, lines.append)
    return [line for line in lines if line.startswith("FAULT")]


async def _check_answers(storm: Storm) -> None:
    posted = Counter[str]()
    raws: dict[str, set[str]] = defaultdict(set)
    for operation, outcome in storm.answers:
        if outcome.status in ("posted", "replayed"):
            raws[operation.get("idempotency_key", operation["transaction_id"])].add(outcome.raw)
        if outcome.status == "posted":
            posted[operation["transaction_id"]] += 1
    assert [key for key, answers in raws.items() if len(answers) > 1] == [], "a key with more than one effect"
    rows = await storm.kernel.rows(
        "select distinct transaction_id::text as id from wallet.wallet_transactions"
    )
    in_ledger = {row["id"] for row in rows}
    openings = len(storm.wallets)
    assert posted.keys() <= in_ledger
    assert len(in_ledger) == len(posted) + openings or storm.gave_up
    assert await storm.kernel.value("select count(*) from wallet.idempotency") == len(in_ledger)
    total = sum([await storm.kernel.balance(wallet) for wallet in storm.wallets])
    signed = {"deposit": 1, "consume": -1, "withdraw": -1, "fee": -1}
    first = {
        outcome.transaction["transaction_id"]: outcome
        for _, outcome in storm.answers
        if outcome.status == "posted"
    }
    moved = sum(
        Decimal(outcome.transaction["amount"]) * signed.get(outcome.transaction["transaction_type"], 0)
        for outcome in first.values()
    )
    refunded = sum(
        Decimal(outcome.transaction["amount"])
        for outcome in first.values()
        if outcome.transaction["transaction_type"] == "refund"
    )
    assert total == 500 * openings + moved + refunded


@pytest.mark.soak
async def test_storm(storm: Storm) -> None:
    database = await PostgresDatabase.connect(storm.kernel.dsn)
    done = asyncio.Event()
    watch = asyncio.create_task(_watch(database, done))
    await asyncio.gather(*(storm.session(number) for number in range(SESSIONS)))
    done.set()
    assert await watch == []
    lines: list[str] = []
    assert await verify(database, lines.append), lines
    await database.close()
    await _check_answers(storm)
    outcomes = Counter(outcome.status_or_code for _, outcome in storm.answers)
    expected = {
        "posted",
        "replayed",
        "busy",
        "dry_run",
        "batch_aborted",
        "idempotency_key_reused",
        "insufficient_funds",
    }
    assert expected <= outcomes.keys(), outcomes
    assert (
        await storm.kernel.value("select deadlocks from pg_stat_database where datname = current_database()")
        == 0
    )
