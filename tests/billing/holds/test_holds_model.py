"""Random operations on wallets with holds and grants, against the model, with the clock moving."""

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
from support.kernel.harness import Kernel, Op, op, refund

from .model import ZERO, Debit, Grant, Hold, Wallet

START = datetime(2030, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
ACCOUNTS = ("revenue:usage", "revenue:usage:gpt", "external:withdrawals")
Step = tuple[Op, Callable[[], str]]


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

    async def begin(self) -> None:
        for limit in ("0", "0", "7"):
            wallet_id = await self.kernel.wallet("0", credit_limit=limit)
            self.wallets.append(Wallet(wallet_id, Decimal(limit)))

    def amount(self, most: int = 12) -> Decimal:
        return Decimal(self.random.randint(1, most * 4)) / 4

    def hours(self, most: int) -> timedelta:
        return timedelta(hours=self.random.randint(1, most))

    def step(self) -> Step:
        index = self.random.randrange(len(self.wallets))
        kind = self.random.choice(
            ("grant", "grant", "deposit", "deposit", "consume", "refund")
            + ("hold",) * 4
            + ("capture",) * 5
            + ("void", "extend", "extend", "increase", "increase")
        )
        makers: dict[str, Callable[[int], Step | None]] = {
            "grant": self.grant,
            "deposit": self.deposit,
            "consume": self.consume,
            "refund": self.refund,
            "hold": self.hold,
        }
        step = makers[kind](index) if kind in makers else self.change(kind, index)
        return step or self.deposit(index)

    def grant(self, index: int) -> Step:
        ends = NEVER if self.random.random() < 0.3 else self.now + self.hours(40)
        pays = self.random.choice((None, None, None, ACCOUNTS[1:2], ACCOUNTS[:2]))
        terms: dict[str, Any] = {
            "source": "promotion",
            "priority": self.random.randint(0, 2),
            "is_transferable": self.random.random() < 0.4,
        }
        if ends != NEVER:
            terms["expires_at"] = ends.isoformat()
        if pays is not None:
            terms["pays"] = list(pays)
        amount = self.amount(20)
        operation = op("grant", self.wallets[index].wallet_id, str(amount), terms=terms)

        def apply() -> str:
            wallet = self.wallets[index]
            made = Grant(
                operation["transaction_id"],
                amount,
                terms["priority"],
                self.now,
                ends,
                pays,
                terms["is_transferable"],
                amount,
            )
            wallet.grants.append(made)
            wallet.balance += amount
            return "posted"

        return operation, apply

    def deposit(self, index: int) -> Step:
        amount = self.amount(20)

        def apply() -> str:
            self.wallets[index].balance += amount
            return "posted"

        return op("deposit", self.wallets[index].wallet_id, str(amount)), apply

    def note(self, operation: Op, found: Debit | str) -> str:
        if isinstance(found, str):
            return found
        self.debits[operation["transaction_id"]] = found
        return "posted"

    def consume(self, index: int) -> Step:
        amount, account = self.amount(), self.random.choice(ACCOUNTS)
        operation = op("consume", self.wallets[index].wallet_id, str(amount), counter_account=account)
        return operation, lambda: self.note(operation, self.wallets[index].debit(amount, account, self.now))

    def refund(self, _: int) -> Step | None:
        if not self.debits:
            return None
        name, amount = self.random.choice(list(self.debits)), self.amount()
        operation = refund(name, str(amount))

        def apply() -> str:
            debit = self.debits[name]
            if debit.refunded + amount > debit.amount:
                return "refund_exceeds"
            debit.wallet.give_back(debit, amount, self.now, operation["transaction_id"])
            return "posted"

        return operation, apply

    def hold(self, index: int) -> Step:
        amount, account, ends = self.amount(20), self.random.choice(ACCOUNTS), self.now + self.hours(50)
        operation = op(
            "hold",
            self.wallets[index].wallet_id,
            str(amount),
            counter_account=account,
            terms={"expires_at": ends.isoformat()},
        )

        def apply() -> str:
            made = Hold(operation["transaction_id"], account, self.now, ends)
            return self.wallets[index].keep(made, amount, self.now)

        return operation, apply

    def change(self, kind: str, index: int) -> Step | None:
        wallet = self.wallets[index]
        living = [hold for hold in wallet.holds if hold.state == "open"]
        among = living if living and self.random.random() < 0.9 else wallet.holds
        if not among:
            return None
        place = wallet.holds.index(self.random.choice(among))
        terms: dict[str, Any] = {"hold_id": wallet.holds[place].hold_id}
        amount = self.amount() if kind in ("capture", "increase") else None
        account = None
        ends = self.now + self.hours(60)
        if kind == "extend":
            terms["expires_at"] = ends.isoformat()
        elif kind == "capture":
            terms["overage"] = self.random.choice(("refuse", "take_available", "allow_to_limit"))
            terms["final"] = self.random.random() < 0.2
            account = self.random.choice((None, None, *ACCOUNTS))
        text = None if amount is None else str(amount)
        operation = op(f"hold_{kind}", wallet.wallet_id, text, counter_account=account, terms=terms)

        def apply() -> str:
            of = self.wallets[index]
            hold = of.holds[place]
            if hold.state != "open":
                return "hold_ended"
            match kind:
                case "void":
                    hold.voided = hold.rest
                    of.release(hold, "voided", self.now)
                case "extend":
                    if ends <= hold.expires_at or ends > hold.created_at + timedelta(days=30):
                        return "validation_failed"
                    hold.expires_at = ends
                case "increase":
                    return of.keep(hold, amount or ZERO, self.now)
                case _:
                    return self.note(
                        operation,
                        of.capture(
                            hold,
                            amount or ZERO,
                            account or hold.account,
                            terms["overage"],
                            self.now,
                            final=terms["final"],
                        ),
                    )
            return "posted"

        return operation, apply

    async def freeze(self) -> None:
        """Freeze a wallet, or end that."""
        wallet = self.random.choice(self.wallets)
        wallet.is_frozen = not wallet.is_frozen
        await self.kernel.pool.execute(
            "update wallet.wallets set status = $2 where wallet_id = $1",
            wallet.wallet_id,
            "frozen" if wallet.is_frozen else "active",
        )

    async def go(self) -> None:
        """One call: some operations, in units, perhaps after some time."""
        if self.random.random() < 0.3:
            self.now += timedelta(hours=self.random.randint(1, 15))
            await self.clock.set(self.now)
        if self.random.random() < 0.05 or any(wallet.is_frozen for wallet in self.wallets):
            await self.freeze()
        for wallet in self.wallets:  # each is touched by every call, so that all are settled
            wallet.settle(self.now)
        operations: list[Op] = []
        expected: list[str] = []
        touch = [op("deposit", wallet.wallet_id, "0.000001") for wallet in self.wallets]
        mode = self.random.choice(("single", "single", "atomic", "dry_run"))
        saved = deepcopy((self.wallets, self.debits))
        for _ in range(self.random.randint(2, 7)):
            operation, apply = self.step()
            operations.append(operation)
            expected.append(apply())
            if mode == "atomic" and expected[-1] != "posted":
                break
        flags = {mode: True} if mode != "single" else {}
        failed = mode == "atomic" and expected[-1] != "posted"
        if failed or mode == "dry_run":
            self.wallets, self.debits = saved
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
            rows = await self.kernel.rows(
                "select balance, locked_balance from wallet.wallets where wallet_id = $1", wallet.wallet_id
            )
            assert rows == [{"balance": wallet.balance, "locked_balance": wallet.locked}]
            rows = await self.kernel.rows(
                "select coalesce(original_grant_id, grant_id)::text as name, amount, remaining, reserved, expired,"
                " overdrawn from billing.grants where wallet_id = $1",
                wallet.wallet_id,
            )
            assert sorted(tuple(row.values()) for row in rows) == sorted(
                (
                    each.original or each.grant_id,
                    each.amount,
                    each.remaining,
                    each.reserved,
                    each.expired,
                    each.overdrawn,
                )
                for each in wallet.grants
            )
            rows = await self.kernel.rows(
                "select hold_id::text, state, authorised, captured, voided, expired, overage"
                " from billing.holds where wallet_id = $1",
                wallet.wallet_id,
            )
            assert sorted(tuple(row.values()) for row in rows) == sorted(
                (
                    each.hold_id,
                    each.state,
                    each.authorised,
                    each.captured,
                    each.voided,
                    each.expired,
                    each.overage,
                )
                for each in wallet.holds
            )


@pytest.mark.parametrize("seed", range(3))
async def test_the_kernel_does_what_the_model_does(kernel: Kernel, clock: SettableClock, seed: int) -> None:
    run = Run(kernel, clock, seed)
    await run.begin()
    for _ in range(140):
        await run.go()
    for walk in ("verify_wallets", "verify_holds", "verify_locked", "verify_keys"):
        assert json.loads(await kernel.value(f"select wallet_api.{walk}()"))["faults"] == []
    posted = [debit for debit in run.debits.values() if debit.parts]
    assert len(posted) > 5, "the search reaches grants"
