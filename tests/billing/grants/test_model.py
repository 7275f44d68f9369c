"""Random operations on wallets with grants, against the model, with the clock moving."""

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
from support.kernel.harness import Kernel, Op, op, refund, transfer

from .model import NEVER, ZERO, Debit, Grant, Wallet

START = datetime(2030, 1, 1, tzinfo=UTC)
ACCOUNTS = ("revenue:usage", "revenue:usage:gpt", "revenue:usage:tts")


@pytest.fixture
async def kernel(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Kernel]:
    await clock.set(START)
    opened = await Kernel.open(timed_postgres.dsn)
    yield opened
    await opened.close()


class Run:
    """One search: the kernel and the model side by side."""

    def __init__(self, kernel: Kernel, clock: SettableClock, seed: int) -> None:
        self.kernel = kernel
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311 - a test's data
        self.now = START
        self.wallets: list[Wallet] = []
        self.debits: dict[str, Debit] = {}
        self.transfers: dict[str, tuple[Debit, Wallet]] = {}
        self.granted: dict[str, tuple[Wallet, Grant, list[Decimal]]] = {}

    async def begin(self) -> None:
        for limit in ("0", "0", "7"):
            wallet_id = await self.kernel.wallet("0", credit_limit=limit)
            self.wallets.append(Wallet(wallet_id, Decimal(limit)))

    def amount(self, most: int = 12) -> Decimal:
        return Decimal(self.random.randint(1, most * 4)) / 4

    def grant(self, wallet: Wallet) -> tuple[Op, Any]:
        wanted = self.random.choice(("now", "now", "now", "later"))
        starts = self.now + timedelta(hours=self.random.randint(1, 30)) if wanted == "later" else self.now
        ends = NEVER if self.random.random() < 0.3 else starts + timedelta(hours=self.random.randint(1, 60))
        pays = self.random.choice((None, None, ACCOUNTS[1:2], ACCOUNTS[:2]))
        terms: dict[str, Any] = {
            "source": self.random.choice(("purchase", "promotion", "plan")),
            "priority": self.random.randint(0, 2),
            "is_transferable": self.random.random() < 0.3,
            "refund_grace_s": self.random.choice((0, 0, 7200)),
        }
        if wanted == "later":
            terms["effective_at"] = starts.isoformat()
        if ends != NEVER:
            terms["expires_at"] = ends.isoformat()
        if pays is not None:
            terms["pays"] = list(pays)
        operation = op("grant", wallet.wallet_id, str(self.amount()), terms=terms)
        made = Grant(
            operation["transaction_id"],
            Decimal(operation["amount"]),
            terms["priority"],
            starts,
            ends,
            pays,
            terms["is_transferable"],
            terms["refund_grace_s"],
            operation["transaction_id"] if wanted == "now" else None,
            Decimal(operation["amount"]),
        )

        def apply() -> str:
            wallet.grants.append(made)
            if made.transaction_id:
                wallet.balance += made.amount
                self.granted[made.grant_id] = (wallet, made, [ZERO])
            return "posted"

        return operation, apply

    def step(self) -> tuple[Op, Any]:  # noqa: C901, PLR0911, PLR0915 - one case for each kind of operation
        wallet = self.random.choice(self.wallets)
        kind = self.random.choice(
            (
                "grant",
                "grant",
                "deposit",
                "deposit",
                "consume",
                "consume",
                "consume",
                "withdraw",
                "transfer",
                "refund",
                "void",
                "undo",
                "adjust",
            )
        )
        amount = self.amount()
        match kind:
            case "grant":
                return self.grant(wallet)
            case "deposit":

                def credit() -> str:
                    wallet.balance += amount
                    return "posted"

                return op("deposit", wallet.wallet_id, str(amount)), credit
            case "consume" | "withdraw":
                account = self.random.choice(ACCOUNTS) if kind == "consume" else "external:withdrawals"
                operation = op(kind, wallet.wallet_id, str(amount), counter_account=account)

                def debit() -> str:
                    made = wallet.debit(amount, account, spends=kind == "consume", now=self.now)
                    if isinstance(made, str):
                        return made
                    self.debits[operation["transaction_id"]] = made
                    return "posted"

                return operation, debit
            case "adjust":
                operation = op(
                    "adjustment",
                    wallet.wallet_id,
                    str(amount),
                    direction="debit",
                    counter_account="external:adjustments",
                    description="a correction",
                )

                def adjust() -> str:
                    made = wallet.debit(amount, None, spends=True, now=self.now)
                    return made if isinstance(made, str) else "posted"  # it can't be refunded

                return operation, adjust
            case "transfer":
                other = self.random.choice([each for each in self.wallets if each is not wallet])
                operation = transfer(wallet.wallet_id, other.wallet_id, str(amount))

                def move() -> str:
                    made = wallet.debit(amount, "wallet:", spends=False, now=self.now)
                    if isinstance(made, str):
                        return made
                    other.balance += amount
                    return "posted"

                return operation, move
            case "refund" if self.debits:
                name = self.random.choice(list(self.debits))
                operation = refund(name, str(amount))

                def back() -> str:
                    debit = self.debits[name]
                    if debit.refunded + amount > debit.amount:
                        return "refund_exceeds"
                    debit.wallet.give_back(debit, amount, self.now, operation["transaction_id"])
                    return "posted"

                return operation, back
            case "undo" if self.granted:
                name = self.random.choice(list(self.granted))
                operation = refund(name, str(amount))

                def undo() -> str:
                    of, made, refunded = self.granted[name]
                    if refunded[0] + amount > made.amount:
                        return "refund_exceeds"
                    found = of.debit(amount, made_account(made), spends=False, now=self.now, own=made)
                    if isinstance(found, str):
                        return found
                    refunded[0] += amount
                    return "posted"

                return operation, undo
            case _:
                own = [each for each in self.wallets for each in each.grants if "/" not in each.grant_id]
                if not own:
                    return self.grant(wallet)
                made = self.random.choice(own)
                of = next(each for each in self.wallets if made in each.grants)
                operation = op("grant_void", of.wallet_id, terms={"grant_id": made.grant_id})

                def void() -> str:
                    if (
                        made.ended
                        or made.expires_at <= self.now
                        or (made.transaction_id and not made.remaining)
                    ):
                        return "grant_ended"
                    free = made.remaining
                    posted = (
                        min(free, max(ZERO, of.balance + of.credit_limit)) if made.transaction_id else ZERO
                    )
                    of.balance -= posted
                    made.voided += posted if made.transaction_id else free
                    made.remaining = ZERO
                    made.ended = True
                    return "posted"

                return operation, void

    async def go(self) -> None:
        """One call: some operations, in units, perhaps after some time."""
        if self.random.random() < 0.3:
            self.now += timedelta(hours=self.random.randint(1, 20))
            await self.clock.set(self.now)
        for wallet in self.wallets:  # each is touched by every call, so that all are settled
            wallet.settle(self.now)
        operations: list[Op] = []
        expected: list[str] = []
        touch = [op("consume", wallet.wallet_id, "1000000") for wallet in self.wallets]
        mode = self.random.choice(("single", "single", "atomic", "dry_run"))
        saved = deepcopy((self.wallets, self.debits, self.granted))
        for _ in range(self.random.randint(1, 4)):
            operation, apply = self.step()
            operations.append(operation)
            expected.append(apply())
            if mode == "atomic" and expected[-1] != "posted":
                break
        flags = {mode: True} if mode != "single" else {}
        failed = mode == "atomic" and expected[-1] != "posted"
        if failed or mode == "dry_run":
            self.wallets, self.debits, self.granted = saved
        if failed:
            expected = ["batch_aborted"] * (len(expected) - 1) + expected[-1:]
        elif mode == "dry_run":
            expected = ["dry_run" if each == "posted" else each for each in expected]
        outcomes = await self.kernel.post(
            {"operations": touch, "atomic": False, "dry_run": False, "resent": False},
            {"operations": operations, "atomic": False, "dry_run": False, "resent": False} | flags,
        )
        assert [each.status_or_code for each in outcomes[1]] == expected, operations
        await self.compare()

    async def compare(self) -> None:
        for wallet in self.wallets:
            assert await self.kernel.balance(wallet.wallet_id) == wallet.balance
            rows = await self.kernel.rows(
                "select grant_id::text, original_grant_id::text, remaining, used, expired, voided, amount, ended"
                " from billing.grants where wallet_id = $1",
                wallet.wallet_id,
            )
            found = sorted(
                (
                    row["original_grant_id"] or row["grant_id"],
                    row["amount"],
                    row["remaining"],
                    row["expired"],
                    row["voided"],
                )
                for row in rows
            )
            assert found == sorted(
                (each.original or each.grant_id, each.amount, each.remaining, each.expired, each.voided)
                for each in wallet.grants
            )


def made_account(_: Grant) -> str:
    """The counter account of a refund of a grant: none of those that grants pay."""
    return "external:purchases"


@pytest.mark.parametrize("seed", range(3))
async def test_the_kernel_does_what_the_model_does(kernel: Kernel, clock: SettableClock, seed: int) -> None:
    run = Run(kernel, clock, seed)
    await run.begin()
    for _ in range(150):
        await run.go()
    net = await kernel.value(
        "select count(*) from billing.grants g where g.used <> (select coalesce(sum(u.amount - u.returned + u.moved), 0)"
        " from billing.grant_usages u where u.grant_id = g.grant_id)"
    )
    assert net == 0
    assert not await kernel.value(
        "select count(*) from billing.grants g where g.transaction_id is not null"
        " and g.remaining <> billing.read_remaining_at(g, 'infinity')"
    )
    for walk in ("verify_wallets", "verify_grants"):
        assert json.loads(await kernel.value(f"select wallet_api.{walk}()"))["faults"] == []
