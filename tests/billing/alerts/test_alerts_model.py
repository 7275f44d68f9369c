"""Random operations on wallets with alerts, against a model, with the clock moving and grants that end."""

import json
import random
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from conftest import TestDatabase
from support.clock import SettableClock
from support.kernel.harness import Kernel, Op, op, refund, transfer

from tests.billing.grants.model import NEVER, ZERO, Debit, Grant, Wallet

from .alert_checks import create, crossings, faults

START = datetime(2030, 1, 1, tzinfo=UTC)
STORED = "select billing.format_alert(l, 2) from billing.alerts l where l.alert_id = $1"
"""Readers would let take effect what is due."""
TYPES = {"ok": "recovered", "low": "low", "depleted": "depleted"}


@pytest.fixture
async def kernel(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Kernel]:
    await clock.set(START)
    opened = await Kernel.open(timed_postgres.dsn)
    yield opened
    await opened.close()


@dataclass
class Line:
    """An alert of the model."""

    alert: dict[str, Any]
    amount: Decimal | None
    percent: Decimal | None
    hysteresis: Decimal
    granted: Decimal
    state: str = "ok"
    crossed: list[tuple[str, str]] = field(default_factory=list)

    def height(self, more: Decimal = ZERO) -> Decimal:
        if self.amount is not None:
            return self.amount + more
        assert self.percent is not None
        return (self.granted * (self.percent + more) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)

    def next_state(self, available: Decimal) -> str:
        if available <= 0:
            return "depleted"
        if available <= self.height():
            return "low"
        recovers = self.state == "ok" or available >= self.height(self.hysteresis)
        return "ok" if recovers else "low"

    def compare(self, available: Decimal) -> None:
        """One operation is over."""
        before, self.state = self.state, self.next_state(available)
        if before != self.state:
            self.crossed.append((TYPES[self.state], f"{available:.2f}"))


def used(grant: Grant) -> Decimal:
    return grant.amount - grant.remaining - grant.expired - grant.voided


def full(wallet: Wallet) -> Decimal:
    """What a wallet has, with what was used of its live grants."""
    return max(ZERO, wallet.balance + sum((used(each) for each in wallet.live()), ZERO))


class Run:
    """One search: the kernel and the model side by side."""

    def __init__(self, kernel: Kernel, clock: SettableClock, seed: int) -> None:
        self.kernel = kernel
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311  # a test's data
        self.now = START
        self.wallets: list[Wallet] = []
        self.lines: dict[str, list[Line]] = {}
        self.debits: dict[str, Debit] = {}
        self.deposits: dict[str, tuple[Wallet, Decimal]] = {}

    async def begin(self) -> None:
        for limit in ("0", "0", "9"):
            wallet_id = await self.kernel.wallet("40", credit_limit=limit)
            self.wallets.append(Wallet(wallet_id, Decimal(limit), Decimal(40)))
            self.lines[wallet_id] = []
            for _ in range(self.random.randint(2, 4)):
                await self.add(self.wallets[-1])

    async def add(self, wallet: Wallet) -> None:
        """A new alert, of a wallet that has had no debit yet."""
        kind = self.random.choice(("amount", "percent"))
        height, more = self.random.randint(0, 45), self.random.choice((0, 0, 3, 10))
        alert = await create(self.kernel, wallet.wallet_id, **{kind: str(height), "hysteresis": str(more)})
        line = Line(
            alert,
            Decimal(height) if kind == "amount" else None,
            Decimal(height) if kind == "percent" else None,
            Decimal(more),
            wallet.balance,
        )
        line.state = line.next_state(wallet.balance)
        self.lines[wallet.wallet_id].append(line)

    def amount(self, most: int = 25) -> Decimal:
        return Decimal(self.random.randint(1, most * 4)) / 4

    def over(self, wallet: Wallet, granted: Callable[[Decimal], Decimal] | None = None) -> None:
        """An operation on a wallet is over; ``granted`` says what percentages are of now."""
        for line in self.lines[wallet.wallet_id]:
            if granted is not None:
                line.granted = max(ZERO, granted(line.granted))
            line.compare(wallet.balance)

    def settle(self, wallet: Wallet) -> None:
        """What was due takes effect, as one operation."""
        before = {id(each): (each.expired, each.ended, each.transaction_id) for each in wallet.grants}
        wallet.settle(self.now)
        begun = [each for each in wallet.grants if each.transaction_id and not before[id(each)][2]]
        gone = sum(
            (
                each.expired - before[id(each)][0] + used(each)
                for each in wallet.grants
                if each.expired > before[id(each)][0]
            ),
            ZERO,
        )
        self.over(wallet, (lambda _: full(wallet)) if begun else (lambda granted: granted - gone))

    def grant(self, wallet: Wallet) -> tuple[Op, Callable[[], str]]:
        later = self.random.random() < 0.2
        starts = self.now + timedelta(hours=self.random.randint(1, 30)) if later else self.now
        ends = NEVER if self.random.random() < 0.2 else starts + timedelta(hours=self.random.randint(1, 60))
        grace = self.random.choice((0, 7200))
        terms: dict[str, Any] = {"source": "plan", "priority": 0, "refund_grace_s": grace}
        if later:
            terms["effective_at"] = starts.isoformat()
        if ends != NEVER:
            terms["expires_at"] = ends.isoformat()
        operation = op("grant", wallet.wallet_id, str(self.amount()), terms=terms)
        name, amount = operation["transaction_id"], Decimal(operation["amount"])
        made = Grant(
            name,
            amount,
            0,
            starts,
            ends,
            None,
            is_transferable=False,
            grace_s=grace,
            transaction_id=None if later else name,
            remaining=amount,
        )

        def apply() -> str:
            wallet.grants.append(made)
            if not later:
                wallet.balance += amount
                self.over(wallet, lambda _: full(wallet))
            return "posted"

        return operation, apply

    def step(self) -> tuple[Op, Callable[[], str]]:  # noqa: C901, PLR0911  # one case for each type
        wallet = self.random.choice(self.wallets)
        amount = self.amount()
        kind = self.random.choice(
            (
                *("grant", "deposit", "consume", "consume", "consume", "consume", "transfer"),
                *("refund", "undo", "void"),
            )
        )
        match kind:
            case "deposit":
                operation = op("deposit", wallet.wallet_id, str(amount))

                def credit() -> str:
                    wallet.balance += amount
                    self.deposits[operation["transaction_id"]] = (wallet, amount)
                    self.over(wallet, lambda _: full(wallet))
                    return "posted"

                return operation, credit
            case "consume":
                operation = op("consume", wallet.wallet_id, str(amount))

                def debit() -> str:
                    made = wallet.debit(amount, "revenue:usage", spends=True, now=self.now)
                    if isinstance(made, str):
                        return made
                    self.debits[operation["transaction_id"]] = made
                    self.over(wallet)
                    return "posted"

                return operation, debit
            case "transfer":
                other = self.random.choice([each for each in self.wallets if each is not wallet])

                def move() -> str:
                    made = wallet.debit(amount, "wallet:", spends=False, now=self.now)
                    if isinstance(made, str):
                        return made
                    other.balance += amount
                    self.over(wallet)
                    self.over(other, lambda _: full(other))
                    return "posted"

                return transfer(wallet.wallet_id, other.wallet_id, str(amount)), move
            case "refund" if self.debits:
                name = self.random.choice(list(self.debits))
                operation = refund(name, str(amount))

                def back() -> str:
                    debit = self.debits[name]
                    if debit.refunded + amount > debit.amount:
                        return "refund_exceeds"
                    there = len(debit.wallet.grants)
                    debit.wallet.give_back(debit, amount, self.now, operation["transaction_id"])
                    new = sum((each.amount for each in debit.wallet.grants[there:]), ZERO)
                    self.over(debit.wallet, lambda granted: granted + new)
                    return "posted"

                return operation, back
            case "undo" if self.deposits:
                name = self.random.choice(list(self.deposits))

                def undo() -> str:
                    of, left = self.deposits[name]
                    if amount > left:
                        return "refund_exceeds"
                    found = of.debit(amount, "external:deposits", spends=False, now=self.now)
                    if isinstance(found, str):
                        return found
                    self.deposits[name] = (of, left - amount)
                    self.over(of, lambda granted: granted - amount)
                    return "posted"

                return refund(name, str(amount)), undo
            case "void" if wallet.grants:
                return self.void(wallet, self.random.choice(wallet.grants))
            case _:
                return self.grant(wallet)

    def void(self, wallet: Wallet, made: Grant) -> tuple[Op, Callable[[], str]]:
        if "/" in made.grant_id:  # of a refund: the kernel chose its id
            return self.grant(wallet)

        def apply() -> str:
            if made.ended or made.expires_at <= self.now or (made.transaction_id and not made.remaining):
                return "grant_ended"
            posted = min(made.remaining, max(ZERO, wallet.balance + wallet.credit_limit))
            made.voided += posted if made.transaction_id else made.remaining
            made.remaining, made.ended = ZERO, True
            if made.transaction_id and posted:
                wallet.balance -= posted
                self.over(wallet, lambda granted: granted - posted - used(made))
            return "posted"

        return op("grant_void", wallet.wallet_id, terms={"grant_id": made.grant_id}), apply

    async def go(self) -> None:
        """One call: some operations, perhaps after some time."""
        if self.random.random() < 0.3:
            self.now += timedelta(hours=self.random.randint(1, 20))
            await self.clock.set(self.now)
        for wallet in self.wallets:  # each is touched by every call, so that all are settled
            self.settle(wallet)
        touch = [op("consume", wallet.wallet_id, "1000000") for wallet in self.wallets]
        mode = self.random.choice(("single", "single", "atomic", "dry_run"))
        saved = deepcopy((self.wallets, self.lines, self.debits, self.deposits))
        operations: list[Op] = []
        expected: list[str] = []
        for _ in range(self.random.randint(1, 5)):
            operation, apply = self.step()
            operations.append(operation)
            expected.append(apply())
            if mode == "atomic" and expected[-1] != "posted":
                break
        failed = mode == "atomic" and expected[-1] != "posted"
        if failed or mode == "dry_run":
            self.wallets, self.lines, self.debits, self.deposits = saved
        if failed:
            expected = ["batch_aborted"] * (len(expected) - 1) + expected[-1:]
        elif mode == "dry_run":
            expected = ["dry_run" if each == "posted" else each for each in expected]
        flags = {mode: True} if mode != "single" else {}
        plain = {"atomic": False, "dry_run": False, "resent": False}
        outcomes = await self.kernel.post(
            {"operations": touch} | plain, {"operations": operations} | plain | flags
        )
        assert [each.status_or_code for each in outcomes[1]] == expected, operations
        await self.compare()

    async def compare(self) -> None:
        for wallet in self.wallets:
            assert await self.kernel.balance(wallet.wallet_id) == wallet.balance
            for line in self.lines[wallet.wallet_id]:
                assert await crossings(self.kernel, line.alert) == line.crossed
                now = json.loads(await self.kernel.value(STORED, line.alert["alert_id"]))
                assert now["state"] == line.state
                assert Decimal(now["threshold"]) == line.height()
                if line.percent is not None:
                    assert Decimal(now["granted"]) == line.granted


@pytest.mark.parametrize("seed", range(3))
async def test_alerts_do_what_the_model_says(kernel: Kernel, clock: SettableClock, seed: int) -> None:
    run = Run(kernel, clock, seed)
    await run.begin()
    for number in range(130):
        await run.go()
        if number % 10 == 0:
            assert await faults(kernel) == []
    assert await faults(kernel) == []
    assert json.loads(await kernel.value("select wallet_api.verify_wallets()"))["faults"] == []
    crossed = [each for lines in run.lines.values() for line in lines for each, _ in line.crossed]
    assert min(crossed.count(each) for each in TYPES.values()) > 10
