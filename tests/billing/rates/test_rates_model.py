"""Random events on wallets, against the model, with the clock moving over months and new versions."""

import json
import random
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import TestDatabase
from support.clock import SettableClock
from support.kernel.harness import Kernel, Op, op, unit

from wallet_service.core.identifiers import new_id

from .rates_model import ZERO, Card, Counted, Price, Tier, Wallet, stamp

# Each begins before the end of a month; in New York clocks are set back on the next day.
STARTS = {
    "Europe/Berlin": datetime(2030, 3, 30, 20, tzinfo=UTC),
    "America/New_York": datetime(2030, 11, 29, 20, tzinfo=UTC),
}
DIMENSIONS: tuple[dict[str, str], ...] = (
    {},
    {"model": "a"},
    {"model": "b"},
    {"model": "a", "region": "eu"},
    {"region": "eu"},
)
MAX_AGE = timedelta(days=10)


@pytest.fixture
async def kernel(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Kernel]:
    del clock
    opened = await Kernel.open(timed_postgres.dsn)
    yield opened
    await opened.close()


class Run:
    """One search: the kernel and the model side by side."""

    def __init__(self, kernel: Kernel, clock: SettableClock, seed: int, zone: str, pricing: str) -> None:
        self.kernel = kernel
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311  # a test's data
        self.now = STARTS[zone]
        self.meter = f"m{new_id()}"
        self.card = Card(zone, pricing, [])
        self.card_id = new_id()
        self.wallets: list[Wallet] = []
        self.seen: dict[str, int] = {}

    def number(self, most: int = 40, *, zero: bool = True) -> Decimal:
        return Decimal(self.random.randint(0 if zero else 1, most)) / self.random.choice((1, 1, 4, 1000000))

    def prices(self) -> list[Price]:
        """Prices of a version; the dimensions are mostly those of the version before."""
        scopes: tuple[tuple[dict[str, str], float], ...] = (
            ({"model": "a", "region": "eu"}, 0.7),
            ({"model": "a"}, 0.7),
            ({"region": "eu"}, 0.7),
            ({}, 0.8),
        )
        found = [self.price(dimensions) for dimensions, part in scopes if self.random.random() < part]
        return found or [self.price({})]

    def price(self, dimensions: dict[str, str]) -> Price:
        model = self.random.choice(("per_unit", "package", "graduated", "volume", "volume"))
        included = self.random.choice((ZERO, ZERO, self.number()))
        ends = sorted({self.number(60, zero=False) for _ in range(self.random.randint(0, 3))})
        tiers = tuple(
            Tier(end, self.number(4), self.random.choice((ZERO, self.number(3)))) for end in (*ends, None)
        )
        return Price(
            model,
            included,
            self.number(4),
            self.number(20, zero=False),
            tiers if model in ("graduated", "volume") else (),
            dimensions,
        )

    async def begin(self) -> None:
        await self.clock.set(self.now)
        meter = {"meter": self.meter, "dimensions": ["model", "region"], "max_age_s": 864000}
        await self.kernel.value(
            "select wallet_api.create_meter($1, 't', null, '00', $2)", new_id(), json.dumps(meter)
        )
        starts, prices = self.now - timedelta(days=5), self.prices()
        card: dict[str, Any] = {
            "meter": self.meter,
            "currency": "CREDIT",
            "time_zone": self.card.zone,
            "volume_pricing": self.card.pricing,
            "effective_at": stamp(starts),
            "prices": [each.document() for each in prices],
        }
        await self.kernel.value(
            "select wallet_api.create_rate_card($1, 't', null, '00', $2)", self.card_id, json.dumps(card)
        )
        self.card.versions.append((starts, prices))
        for _ in range(2):
            wallet_id = await self.kernel.wallet("60", currency="CREDIT")
            self.wallets.append(Wallet(wallet_id, Decimal(60)))

    async def new_version(self) -> None:
        last, _ = self.card.versions[-1]
        at = max(last + timedelta(microseconds=1), self.now) + timedelta(hours=self.random.randint(0, 9))
        prices = self.prices()
        version = {"effective_at": stamp(at), "prices": [each.document() for each in prices]}
        await self.kernel.value(
            "select wallet_api.add_rate_version($1, $2, 't', null, '00', $3)",
            self.card_id,
            new_id(),
            json.dumps(version),
        )
        self.card.versions.append((at, prices))

    def key(self, event_id: str) -> Any:
        return self.kernel.value("select billing.build_usage_key('', $1)", event_id)

    async def event(self) -> tuple[Op, Callable[[], Any]]:
        """An operation, and what the model does with it."""
        wallet = self.random.choice(self.wallets)
        if self.random.random() < 0.12:
            amount = self.number(60, zero=False)

            def credit() -> str:
                wallet.balance += amount
                return "posted"

            return op("deposit", wallet.wallet_id, f"{amount:f}"), credit
        again = self.random.random() < 0.15 and bool(wallet.ids)
        if again:
            event_id = self.random.choice(list(wallet.ids))
            quantity, dimensions, at = wallet.ids[event_id][0]
            if self.random.random() < 0.3:
                quantity += 1
        else:
            event_id = new_id()
            quantity, dimensions = self.number(30), self.random.choice(DIMENSIONS)
            at = self.now - self.random.choice(
                (
                    timedelta(0),
                    timedelta(0),
                    timedelta(hours=self.random.randint(0, 300)),
                    -timedelta(minutes=6),
                )
            )
        terms = {
            "event_id": event_id,
            "meter": self.meter,
            "quantity": f"{quantity:f}",
            "dimensions": dimensions,
            "timestamp": stamp(at),
        }
        operation = op("usage", wallet.wallet_id, key=await self.key(event_id), terms=terms)
        return operation, lambda: self.rate(wallet, event_id, quantity, dimensions, at)

    def rate(
        self, wallet: Wallet, event_id: str, quantity: Decimal, dimensions: dict[str, str], at: datetime
    ) -> Any:
        content = quantity, dimensions, at
        if event_id in wallet.ids:
            before, amount = wallet.ids[event_id]
            return ("replayed", amount) if before == content else "idempotency_key_reused"
        if not self.now - MAX_AGE <= at <= self.now + timedelta(minutes=5):
            return "timestamp_refused"
        counted = wallet.rate(self.card, at, quantity, dimensions)
        if not isinstance(counted, Counted):
            return counted
        wallet.events.append(counted)
        wallet.balance -= counted.amount
        wallet.ids[event_id] = content, counted.amount
        return "posted", counted.amount

    async def go(self) -> None:  # noqa: C901  # one call from its choice to its outcome
        """One call: some events, perhaps after some time, perhaps after a new version."""
        if self.random.random() < 0.5:
            self.now += timedelta(minutes=self.random.randint(1, 500))
            await self.clock.set(self.now)
        if self.random.random() < 0.08:
            await self.new_version()
        mode = self.random.choice(("single", "single", "single", "atomic", "dry_run"))
        saved = deepcopy(self.wallets)
        operations: list[Op] = []
        expected: list[Any] = []
        for _ in range(self.random.randint(1, 6)):
            operation, apply = await self.event()
            operations.append(operation)
            expected.append(apply())
            if mode == "atomic" and isinstance(expected[-1], str) and expected[-1] != "posted":
                break
        failed = mode == "atomic" and isinstance(expected[-1], str) and expected[-1] != "posted"
        if failed or mode == "dry_run":
            for wallet, before in zip(self.wallets, saved, strict=True):
                wallet.__dict__.update(before.__dict__)
        if failed:
            expected = ["batch_aborted"] * (len(expected) - 1) + expected[-1:]
        flags = {mode: True} if mode != "single" else {}
        (outcomes,) = await self.kernel.post(unit(*operations, **flags))
        for outcome, wanted in zip(outcomes, expected, strict=True):
            status, amount = wanted if isinstance(wanted, tuple) else (wanted, None)
            if mode == "dry_run" and status in ("posted", "replayed"):
                status = "dry_run"
            assert outcome.status_or_code == status, (outcome, wanted, operations)
            if amount is not None:
                assert outcome.result is not None
                assert Decimal(outcome.result["amount"]) == amount, (outcome.result, self.now)
            self.seen[status] = self.seen.get(status, 0) + 1
        for wallet in self.wallets:
            assert await self.kernel.balance(wallet.wallet_id) == wallet.balance

    async def compare(self) -> None:
        for name in ("verify_usage", "verify_usage_days", "verify_usage_counters"):
            verified = json.loads(await self.kernel.value(f"select wallet_api.{name}()"))
            assert verified["faults"] == [], name
        for wallet in self.wallets:
            sums = await self.kernel.rows(
                "select coalesce(sum(quantity), 0) as quantity, coalesce(sum(amount), 0) as amount,"
                " coalesce(sum(events), 0) as events from billing.usage_days where wallet_id = $1",
                wallet.wallet_id,
            )
            assert sums[0] == {
                "quantity": sum((each.quantity for each in wallet.events), ZERO),
                "amount": sum((each.amount for each in wallet.events), ZERO),
                "events": len(wallet.events),
            }


@pytest.mark.parametrize("pricing", ["reached", "difference"])
@pytest.mark.parametrize(("seed", "zone"), list(enumerate(STARTS)), ids=list(STARTS))
async def test_usage_costs_what_the_model_says(
    kernel: Kernel, clock: SettableClock, seed: int, zone: str, pricing: str
) -> None:
    run = Run(kernel, clock, seed, zone, pricing)
    await run.begin()
    for number in range(110):
        await run.go()
        if number % 20 == 0:
            await run.compare()
    await run.compare()
    assert {"posted", "replayed", "idempotency_key_reused", "timestamp_refused", "insufficient_funds"} <= set(
        run.seen
    ), run.seen
    assert len(run.card.versions) > 2
