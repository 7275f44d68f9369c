"""Random calls about wallets with rules and top-ups, against the model, with the clock moving."""

import json
import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import TestDatabase
from support.clock import SettableClock
from support.kernel.harness import Kernel, op, unit
from support.soak import FACTOR

from .top_up_checks import NOON, deposit, faults, pay, request, rule_of, start, top_ups
from .top_ups_model import NEVER, UNDER_WAY, Rule, TopUp, Wallet

STATES = {
    *(
        "created",
        "charging",
        "pending",
        "charged",
        "completed",
        "declined",
        "failed",
        "cancelled",
        "refunded",
    ),
    *("rule None", "rule charge_limit", "rule declined", "rule failed"),
}
"""What the runs of the suite reach, of top-ups and of rules; larger ones reach every reason of a pause."""


@pytest.fixture
async def kernel(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Kernel]:
    del clock
    opened = await Kernel.open(timed_postgres.dsn)
    yield opened
    await opened.close()


def stamp(moment: datetime | None) -> str | None:
    return None if moment in (None, NEVER) else f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


class Run:
    """One search: the database and the model side by side."""

    def __init__(self, kernel: Kernel, clock: SettableClock, seed: int) -> None:
        self.kernel = kernel
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311  # a test's data
        self.now = NOON
        self.wallets: list[Wallet] = []
        self.seed = seed
        self.seen: set[str] = set()

    async def begin(self) -> None:
        await self.clock.set(self.now)
        for _ in range(2):
            self.wallets.append(Wallet(await self.kernel.wallet("100"), Decimal(100)))

    def amount(self, most: int = 40) -> Decimal:
        return Decimal(self.random.randint(1, most * 4)) / 4

    async def post(self, wallet: Wallet) -> None:
        """Some operations in one call, which may be one that changes nothing."""
        mode = self.random.choice(("single", "single", "atomic", "dry_run"))
        is_settled = wallet.settle(self.now)
        saved, operations, posted, refused = wallet.balance, [], False, False
        for _ in range(self.random.randint(1, 3)):
            amount = self.amount()
            kind = self.random.choice((*["consume"] * 5, "deposit"))
            operations.append(op(kind, wallet.wallet_id, str(amount)))
            if kind == "deposit" or (wallet.status == "active" and wallet.balance >= amount):
                wallet.balance += amount if kind == "deposit" else -amount
                posted = True
            else:
                refused = True
        if mode == "dry_run" or (mode == "atomic" and refused):
            wallet.balance, posted = saved, False
        flags = {mode: True} if mode != "single" else {}
        await self.kernel.post(unit(*operations, **flags))
        if is_settled or posted:
            wallet.trigger(self.now)

    async def set_rule(self, wallet: Wallet) -> None:
        threshold = self.amount()
        target = threshold + self.amount() if self.random.random() < 0.5 else None
        amount = None if target is not None else self.amount()
        least = amount if amount is not None else (target or Decimal(0)) - threshold
        rule = Rule(
            threshold,
            target,
            amount,
            self.random.randint(1, 4),
            self.random.choice((None, least, least * 2, least * 3)),
            self.random.choice((60, 3600, 86_400)),
            self.random.randint(1, 2),
            self.random.choice((1, 60, 3600)),
            self.now,
        )
        members = {
            name: str(value) if isinstance(value, Decimal) else value
            for name in ("threshold", "target", "amount", "max_amount", "max_charges", "window_s")
            if (value := getattr(rule, name)) is not None
        }
        members |= {"max_declines": rule.max_declines, "backoff_s": rule.backoff_s, "payment_method": "pm"}
        query = """select wallet_api.replace_top_up_rule($1, null, $2, '{"client_id": "admin"}')"""
        await self.kernel.value(query, wallet.wallet_id, json.dumps(members))
        wallet.rule = rule
        wallet.trigger(self.now)

    async def advance(self, wallet: Wallet) -> None:
        """One step of a top-up: most often of the one that is under way, sometimes of any."""
        shown = await top_ups(self.kernel, wallet.wallet_id)
        pairs = list(zip(wallet.top_ups, [each["top_up_id"] for each in shown], strict=True))
        if not pairs:
            return
        open_ones = [pair for pair in pairs if pair[0].state in UNDER_WAY]
        top_up, top_up_id = self.random.choice(
            open_ones if open_ones and self.random.random() < 0.8 else pairs
        )
        if top_up.state == "created":
            is_allowed = self.random.random() < 0.8
            refusal = None if is_allowed else '{"code": "forbidden", "detail": "x"}'
            await start(self.kernel, top_up_id, refusal)
            wallet.start(top_up, self.now, is_allowed=is_allowed)
        elif top_up.state == "charged" and self.random.random() < 0.8:
            await self.end(wallet, top_up, top_up_id)
        else:
            status = self.random.choice(
                (*("pending", "succeeded", "succeeded", "succeeded"), *("failed", "failed", "refunded"))
            )
            await pay(self.kernel, top_up_id, status)
            wallet.pay(top_up, status, self.now)

    async def end(self, wallet: Wallet, top_up: TopUp, top_up_id: str) -> None:
        if self.random.random() < 0.9:
            await deposit(self.kernel, top_up_id)
            wallet.deposit(top_up, self.now)
        else:
            failure = '{"code": "wallet_closed", "detail": "x"}'
            await self.kernel.value("select wallet_api.fail_top_up($1, $2)", top_up_id, failure)
            wallet.fail(top_up)

    async def go(self) -> None:  # one case for each call
        """One call, perhaps after some time."""
        if self.random.random() < 0.5:
            self.now += timedelta(seconds=self.random.choice((1, 30, 60, 600, 3600, 90_000)))
            await self.clock.set(self.now)
        wallet = self.random.choice(self.wallets)
        kinds = ("post", "advance", "rule", "delete", "request", "status", "settle")
        (kind,) = self.random.choices(kinds, (40, 45, 14, 1, 4, 3, 6))
        if kind in ("rule", "delete", "request", "settle"):
            await self.settle()  # the first three settle by themselves, before they look
        match kind:
            case "post":
                await self.post(wallet)
            case "advance":
                await self.advance(wallet)
            case "rule":
                await self.set_rule(wallet)
            case "delete" if wallet.rule is not None:
                await self.kernel.value("select wallet_api.delete_top_up_rule($1, null)", wallet.wallet_id)
                wallet.rule = None
            case "request" if wallet.status == "active" and not wallet.is_busy:
                amount = self.amount()
                await request(self.kernel, wallet.wallet_id, str(amount))
                wallet.top_ups.append(TopUp("request", amount))
            case "status":
                wallet.status = "frozen" if wallet.status == "active" else "active"
                query = "update wallet.wallets set status = $2 where wallet_id = $1"
                await self.kernel.pool.execute(query, wallet.wallet_id, wallet.status)
            case _:
                pass

    async def settle(self) -> None:
        """What is due on all wallets takes effect."""
        await self.kernel.value("select wallet_api.settle_due()")
        for each in self.wallets:
            if each.settle(self.now):
                each.trigger(self.now)

    async def compare(self) -> None:
        for wallet in self.wallets:
            assert await self.kernel.balance(wallet.wallet_id) == wallet.balance
            shown = await top_ups(self.kernel, wallet.wallet_id)
            assert [(each["trigger"], each["state"], Decimal(each["amount"])) for each in shown] == [
                (each.trigger, each.state, each.amount) for each in wallet.top_ups
            ]
            self.seen |= {each.state for each in wallet.top_ups}
            row: Any = await self.kernel.pool.fetchrow(
                "select r.*, w.marks from billing.top_up_rules r join wallet.wallets w using (wallet_id)"
                " where wallet_id = $1",
                wallet.wallet_id,
            )
            assert (row is not None and row["is_set"]) == (wallet.rule is not None)
            if wallet.rule is not None:
                until = None if row["pause_reason"] is None else row["paused_until"]
                found = (row["pause_reason"], row["declines"], row["marks"])
                assert found == (wallet.rule.reason, wallet.rule.declines, 16)
                if wallet.rule.until not in (None, NEVER):
                    assert stamp(until) == stamp(wallet.rule.until)
                self.seen.add(f"rule {wallet.rule.reason}")
        assert await faults(self.kernel) == []


@pytest.mark.soak
async def test_top_ups_do_what_the_model_says(kernel: Kernel, clock: SettableClock) -> None:
    seen: set[str] = set()
    for seed in range(3 * FACTOR):
        run = Run(kernel, clock, seed if FACTOR == 1 else random.randrange(10**9))  # noqa: S311  # a test's data
        await run.begin()
        for number in range(140):
            try:
                await run.go()
                await run.compare()
            except AssertionError as error:
                raise AssertionError(f"call {number} of {run.seed}: {error}") from error
        await rule_of_each(run)
        seen |= run.seen
    assert seen >= STATES


async def rule_of_each(run: Run) -> None:
    """A read lets what is due take effect."""
    for wallet in run.wallets:
        if wallet.rule is not None:
            shown = await rule_of(run.kernel, wallet.wallet_id)
            if wallet.settle(run.now):
                wallet.trigger(run.now)
            assert shown["pause_reason"] == wallet.rule.reason or shown["pause_reason"] == "charge_limit"
