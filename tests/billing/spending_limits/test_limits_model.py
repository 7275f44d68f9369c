"""Random operations on wallets with limits, against the model, with the clock moving."""

import json
import random
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import TestDatabase
from support.clock import SettableClock
from support.kernel.harness import Kernel, Op, op, refund, transfer, unit

from .limits_model import ZERO, Limit, Wallet

# Each with what makes its days uneven: clocks set forward, set back, and set back over midnight.
STARTS = {
    "Europe/Berlin": datetime(2030, 3, 30, 20, tzinfo=UTC),
    "America/New_York": datetime(2030, 11, 2, 20, tzinfo=UTC),
    "America/Havana": datetime(2030, 11, 2, 20, tzinfo=UTC),
}
ACCOUNTS = ("revenue:usage", "revenue:usage:gpt", "revenue:usage:tts")
LIMITED = (None, None, "revenue:usage", "revenue:usage:*", "revenue:*", "external:withdrawals", "wallets")


@pytest.fixture
async def kernel(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Kernel]:
    del clock
    opened = await Kernel.open(timed_postgres.dsn)
    yield opened
    await opened.close()


def written(limit: Limit) -> dict[str, Any]:
    """A limit as a request has it."""
    members = {
        "period": limit.period,
        "amount": str(limit.amount),
        "time_zone": limit.time_zone,
        "window_s": limit.window_s,
        "counter_account": limit.account,
    }
    return {name: value for name, value in members.items() if value is not None}


def stamp(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


class Run:
    """One search: the kernel and the model side by side."""

    def __init__(self, kernel: Kernel, clock: SettableClock, seed: int, zone: str) -> None:
        self.kernel = kernel
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311  # a test's data
        self.zone = zone
        self.now = STARTS[zone]
        self.wallets: list[Wallet] = []
        self.refundable: dict[str, tuple[Wallet, Decimal]] = {}
        self.seen = {"refused": 0, "posted": 0}

    async def begin(self) -> None:
        await self.clock.set(self.now)
        for _ in range(3):
            wallet_id = await self.kernel.wallet("100000")
            self.wallets.append(Wallet(wallet_id, Decimal(100000)))

    def amount(self, most: int = 12) -> Decimal:
        return Decimal(self.random.randint(1, most * 4)) / 4

    def limit(self, set_by: str) -> Limit:
        period = self.random.choice(
            ("transaction", "day", "day", "week", "month", "rolling", "rolling", "rolling")
        )
        return Limit(
            set_by,
            period,
            self.amount(12 if period == "transaction" else 60),
            self.zone if period in ("day", "week", "month") else None,
            self.random.choice((60, 3600, 7200, 86400, 172800)) if period == "rolling" else None,
            self.random.choice(LIMITED),
        )

    async def replace(self) -> None:
        """Replace the limits of one side of a wallet; some stay as they are."""
        wallet = self.random.choice(self.wallets)
        set_by = self.random.choice(("operator", "owner"))
        kept = [each for each in wallet.limits if each.set_by == set_by and self.random.random() < 0.6]
        wanted = kept + [self.limit(set_by) for _ in range(self.random.randint(0, 3))]
        wanted = list({each.key: each for each in wanted}.values())
        self.random.shuffle(wanted)
        user = await self.kernel.value(
            "select user_id from wallet.wallets where wallet_id = $1", wallet.wallet_id
        )
        answer = await self.kernel.value(
            "select wallet_api.replace_limits($1, $2, null, $3)",
            wallet.wallet_id,
            user if set_by == "owner" else None,
            json.dumps([written(each) for each in wanted]),
        )
        wallet.limits = [each for each in wallet.limits if each.set_by != set_by] + wanted
        self.check_shown(wallet, answer)

    def check_shown(self, wallet: Wallet, answer: str) -> None:
        """Compare what readers of the limits see with the model."""
        shown = json.loads(answer)["limits"]
        wanted = sorted(wallet.limits, key=lambda each: each.set_by)
        assert [
            (each["set_by"], each["period"], each["time_zone"], each["window_s"], each["counter_account"])
            for each in shown
        ] == [each.key for each in wanted]
        for limit, each in zip(wanted, shown, strict=True):
            used = sum((debit.amount for debit in limit.counted(wallet.debits, self.now)), ZERO)
            assert Decimal(each["used"]) == used, (limit, self.now)
            assert Decimal(each["remaining"]) == max(ZERO, limit.amount - used)
            assert Decimal(each["amount"]) == limit.amount
            resets = limit.reset(wallet.debits, self.now, Decimal("0.000001"))
            assert each["resets_at"] == stamp(resets), (limit, self.now)

    def step(self) -> tuple[Op, Any]:  # noqa: C901  # one case for each type
        wallet = self.random.choice(self.wallets)
        other = self.random.choice([each for each in self.wallets if each is not wallet])
        amount = self.amount()
        kind = self.random.choice(
            (
                "consume",
                "consume",
                "consume",
                "withdraw",
                "fee",
                "transfer",
                "payment",
                "refund",
                "adjustment",
                "deposit",
            )
        )
        debits: list[tuple[str, Decimal]] = []
        account = self.random.choice(ACCOUNTS)
        match kind:
            case "consume":
                operation = op(kind, wallet.wallet_id, str(amount), counter_account=account)
                debits = [(account, amount)]
            case "withdraw" | "fee":
                operation = op(kind, wallet.wallet_id, str(amount))
                debits = [("external:withdrawals" if kind == "withdraw" else "revenue:fees", amount)]
            case "transfer":
                operation = transfer(wallet.wallet_id, other.wallet_id, str(amount))
                debits = [(f"wallet:{other.wallet_id}", amount)]
            case "payment":
                parts = [(account, amount), ("revenue:fees", self.amount(2))]
                operation = op(
                    "payment",
                    entries=[
                        {
                            "wallet_id": wallet.wallet_id,
                            "direction": "debit",
                            "amount": str(part),
                            "counter_account": name,
                        }
                        for name, part in parts
                    ],
                )
                debits = parts
            case "refund" if self.refundable:
                name = self.random.choice(list(self.refundable))
                operation = refund(name)

                def back() -> str:
                    of, paid = self.refundable[name]
                    if paid == 0:
                        return "refund_exceeds"
                    of.balance += paid
                    self.refundable[name] = (of, ZERO)
                    return "posted"

                return operation, back
            case "adjustment":
                operation = op(
                    kind, wallet.wallet_id, balance=str(wallet.balance - amount), description="corrected"
                )

                def correct() -> str:
                    wallet.balance = Decimal(operation["balance"])
                    return "posted"

                return operation, correct
            case _:

                def credit() -> str:
                    wallet.balance += amount
                    return "posted"

                return op("deposit", wallet.wallet_id, str(amount)), credit

        def debit() -> str | tuple[str, dict[str, Any]]:
            refused = wallet.refusal(debits, self.now)
            if refused is not None:
                limit, used = refused
                added = sum((part for name, part in debits if limit.covers(name)), ZERO)
                resets = (
                    limit.reset(wallet.debits, self.now, used + added - limit.amount)
                    if added <= limit.amount
                    else None
                )
                return "limit_exceeded", {
                    "set_by": limit.set_by,
                    "period": limit.period,
                    "counter_account": limit.account,
                    "used": used,
                    "resets_at": stamp(resets),
                }
            wallet.spend(debits, self.now)
            if kind == "transfer":
                other.balance += amount
            elif kind == "consume":
                self.refundable[operation["transaction_id"]] = (wallet, amount)
            return "posted"

        return operation, debit

    async def go(self) -> None:  # noqa: C901  # one call from its choice to its outcome
        """One call: some operations, perhaps after some time, perhaps after a change of limits."""
        if self.random.random() < 0.5:
            self.now += self.random.choice(
                (
                    timedelta(seconds=self.random.randint(1, 90)),
                    timedelta(minutes=self.random.randint(1, 200)),
                )
            )
            await self.clock.set(self.now)
        if self.random.random() < 0.15:
            await self.replace()
        mode = self.random.choice(("single", "single", "single", "atomic", "dry_run"))
        saved = deepcopy((self.wallets, self.refundable))
        operations: list[Op] = []
        expected: list[Any] = []
        for _ in range(self.random.randint(1, 5)):
            operation, apply = self.step()
            operations.append(operation)
            expected.append(apply())
            if mode == "atomic" and expected[-1] != "posted":
                break
        failed = mode == "atomic" and expected[-1] != "posted"
        if failed or mode == "dry_run":
            self.wallets, self.refundable = saved
        if failed:
            expected = ["batch_aborted"] * (len(expected) - 1) + expected[-1:]
        elif mode == "dry_run":
            expected = ["dry_run" if each == "posted" else each for each in expected]
        flags = {mode: True} if mode != "single" else {}
        (outcomes,) = await self.kernel.post(unit(*operations, **flags))
        for outcome, wanted in zip(outcomes, expected, strict=True):
            if isinstance(wanted, tuple):
                code, facts = wanted
                assert outcome.status_or_code == code, (outcome, wanted)
                shown = {name: outcome.facts[name] for name in facts}
                assert shown | {"used": Decimal(shown["used"])} == facts
                self.seen["refused"] += 1
            else:
                assert outcome.status_or_code == wanted, (outcome, operations)
                self.seen["posted"] += 1
        for wallet in self.wallets:
            assert await self.kernel.balance(wallet.wallet_id) == wallet.balance

    async def compare(self) -> None:
        for wallet in self.wallets:
            self.check_shown(
                wallet, await self.kernel.value("select wallet_api.get_limits($1)", wallet.wallet_id)
            )
            marks = await self.kernel.value(
                "select marks from wallet.wallets where wallet_id = $1", wallet.wallet_id
            )
            assert marks == (4 if wallet.limits else 0)
        verified = json.loads(await self.kernel.value("select wallet_api.verify_limits()"))
        assert verified["faults"] == []


@pytest.mark.parametrize(("seed", "zone"), list(enumerate(STARTS)), ids=list(STARTS))
async def test_limits_do_what_the_model_says(
    kernel: Kernel, clock: SettableClock, seed: int, zone: str
) -> None:
    run = Run(kernel, clock, seed, zone)
    await run.begin()
    for number in range(120):
        await run.go()
        if number % 5 == 0:
            await run.compare()
    await run.compare()
    assert min(run.seen.values()) > 30
