"""All rooms of billing on the same wallets: random operations at once, with the clock moving, and everything agrees.

Each room has a model of its own, call by call. Here the order in which calls are decided is not known; what must hold
after any order is read back: verify of every room, explanations, and the summary beside the trial balance.
"""

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api
from support.clock import SettableClock
from support.soak import FACTOR, SOAKS

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify
from wallet_service.platform.database.gateway import Json
from wallet_service.rooms import ROOMS

START = datetime(2031, 3, 28, tzinfo=UTC)
ACCOUNTS = ("revenue:usage", "revenue:usage:gpt", "revenue:usage:tts")
WALLETS, AT_ONCE, OPERATIONS = 4, 4, 10
STEPS = 2_000 * FACTOR
"""Operations of one search."""

REFUSALS = {
    "insufficient_funds",
    "grants_not_usable",
    "limit_exceeded",
    "grant_ended",
    "grant_not_found",
    "hold_ended",
    "hold_exceeded",
    "hold_not_found",
    "refund_exceeds",
    "not_refundable",
    "batch_aborted",
    "transaction_not_found",
    "validation_failed",
    "grant_limit",
    "hold_limit",
}
"""Codes by which operations of the search are refused; any other is a fault."""


class Search:
    """Random operations on a few wallets."""

    def __init__(self, api: Api, clock: SettableClock, seed: int) -> None:
        self.api = api
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311 - a test's data
        self.now = START
        self.moments: list[datetime] = []
        self.wallets: list[str] = []
        self.grants: list[tuple[str, str]] = []
        self.holds: list[tuple[str, str]] = []
        self.schedules: list[tuple[str, str]] = []
        self.spent: list[str] = []
        self.seen: Counter[str] = Counter()

    async def begin(self) -> None:
        """Wallets with limits, alerts and a schedule of grants."""
        await self.clock.set(START)
        admin = self.api.admin
        for place in range(WALLETS):
            wallet = await admin.wallet("50", currency="CREDIT", credit_limit="20" if place == 1 else "0")
            name = wallet["wallet_id"]
            self.wallets.append(name)
            if place != 3:
                limits = [
                    {"period": "day", "time_zone": "Europe/Berlin", "amount": "120"},
                    {
                        "period": "rolling",
                        "window_s": 7200,
                        "amount": "60",
                        "counter_account": "revenue:usage:*",
                    },
                ]
                answer = await admin.send(
                    "PUT", f"/wallets/{name}/limits", {"limits": limits}, headers={"If-Match": '"0"'}
                )
                assert answer.status_code == 200, answer.text
            for threshold in ({"amount": "30"}, {"percent": 50}):
                answer = await admin.post(f"/wallets/{name}/alerts", threshold)
                assert answer.status_code == 201, answer.text
            schedule = {
                "amount": "40",
                "source": "plan",
                "day_of_month": 31,
                "time_zone": "Europe/Berlin",
                "rollover": ("none", "all", "percent", "cap")[place],
            } | ({"rollover_value": "50"} if place > 1 else {})
            answer = await admin.post(f"/wallets/{name}/grant-schedules", schedule)
            assert answer.status_code == 201, answer.text
            self.schedules.append((name, answer.json()["schedule_id"]))

    def amount(self, most: int = 15) -> str:
        return str(Decimal(self.random.randint(1, most * 4)) / 4)

    def operation(self) -> dict[str, Any]:  # noqa: PLR0911 - one case for each kind of operation
        wallet = self.random.choice(self.wallets)
        kinds = (
            "deposit",
            "consume",
            "consume",
            "withdraw",
            "transfer",
            "refund",
            "grant",
            "grant",
            "grant_void",
        )
        kind = self.random.choice((*kinds, "hold", "hold", "hold_capture", "hold_capture", "hold_change"))
        named: dict[str, Any] = {"transaction_id": new_id(), "client_id": "search", "wallet_id": wallet}
        match kind:
            case "grant":
                return named | {"type": "grant", "amount": self.amount(), "terms": self.terms()}
            case "grant_void" if self.grants:
                of, grant = self.random.choice(self.grants[-30:])
                return named | {"type": "grant_void", "wallet_id": of, "terms": {"grant_id": grant}}
            case "hold":
                terms = {"expires_in_s": self.random.randint(60, 100_000)}
                account = self.random.choice(ACCOUNTS)
                return named | {
                    "type": "hold", "amount": self.amount(), "counter_account": account, "terms": terms
                }  # fmt: skip
            case "hold_capture" if self.holds:
                of, hold = self.random.choice(self.holds[-30:])
                terms = {
                    "hold_id": hold,
                    "final": self.random.random() < 0.3,
                    "overage": self.random.choice(("refuse", "take_available", "allow_to_limit")),
                    "type": "consume",
                }
                return named | {"type": kind, "wallet_id": of, "amount": self.amount(8), "terms": terms}
            case "hold_change" if self.holds:
                of, hold = self.random.choice(self.holds[-30:])
                kind = self.random.choice(("hold_void", "hold_extend", "hold_increase"))
                terms = {"hold_id": hold}
                if kind == "hold_extend":
                    terms |= {"expires_in_s": self.random.randint(60, 100_000)}
                amount = {"amount": self.amount(5)} if kind == "hold_increase" else {}
                return named | {"type": kind, "wallet_id": of, "terms": terms} | amount
            case "refund" if self.spent:
                of = self.random.choice(self.spent[-50:])
                del named["wallet_id"]
                return named | {"type": "refund", "original_transaction_id": of, "amount": self.amount(4)}
            case "transfer":
                other = self.random.choice([each for each in self.wallets if each != wallet])
                return named | {"type": "transfer", "to_wallet_id": other, "amount": self.amount(6)}
            case "consume" | "withdraw":
                account = {"counter_account": self.random.choice(ACCOUNTS)} if kind == "consume" else {}
                return named | {"type": kind, "amount": self.amount()} | account
            case _:
                return named | {"type": "deposit", "amount": self.amount()}

    def terms(self) -> dict[str, Any]:
        """Of a grant."""
        terms: dict[str, Any] = {
            "source": self.random.choice(("purchase", "promotion")),
            "priority": self.random.randint(0, 2),
            "is_transferable": self.random.random() < 0.3,
            "refund_grace_s": self.random.choice((0, 7200)),
            "notice_s": 3600,
        }
        if terms["source"] == "purchase":
            terms |= {"unit_cost": "0.0125", "cost_currency": "USD"}
        if self.random.random() < 0.7:
            terms["expires_in_s"] = self.random.randint(60, 200_000)
        if self.random.random() < 0.3:
            terms["effective_at"] = (self.now + timedelta(hours=self.random.randint(1, 30))).isoformat()
        if self.random.random() < 0.3:
            terms["pays"] = list(self.random.sample(ACCOUNTS, 2))
        return terms

    async def call(self) -> None:
        """One unit of operations."""
        operations = [self.operation() for _ in range(self.random.randint(1, OPERATIONS))]
        flags = {"atomic": False, "dry_run": False, "resent": False}
        mode = self.random.choice(("atomic", "dry_run", None, None, None))
        if mode is not None:
            flags[mode] = True
        answer = await self.api.app.state.database.call(
            "post_transactions", units=Json(json.dumps([{"operations": operations, **flags}]))
        )
        for operation, outcome in zip(operations, json.loads(answer)[0], strict=True):
            found = outcome.get("code") or outcome["status"]
            self.seen[f"{operation['type']} {found}"] += 1
            assert found in REFUSALS | {"posted", "dry_run", "busy"}, (operation, outcome)
            if found == "posted":
                self.note(operation)

    async def change_schedule(self) -> None:
        """Schedules of grants come, change, stop and go while operations are posted."""
        kind = self.random.choice(("create", "change", "stop", "delete"))
        rollover: dict[str, Any] = self.random.choice(
            ({"rollover": "none"}, {"rollover": "all"}, {"rollover": "percent", "rollover_value": "12.5"})
        )
        admin, wanted = self.api.admin, 200
        if kind == "create" or not self.schedules:
            kind, wallet, wanted = "create", self.random.choice(self.wallets), 201
            day = (self.now + timedelta(days=self.random.randint(0, 3))).day
            schedule = {"amount": self.amount(), "source": "plan", "day_of_month": day, **rollover}
            answer = await admin.post(f"/wallets/{wallet}/grant-schedules", schedule)
            if answer.status_code == wanted:
                self.schedules.append((wallet, answer.json()["schedule_id"]))
        else:
            place = self.random.randrange(len(self.schedules))
            wallet, name = self.schedules.pop(place) if kind == "delete" else self.schedules[place]
            changes = (
                {"ends_at": self.now.isoformat()} if kind == "stop" else {"amount": self.amount(), **rollover}
            )
            if kind == "delete":
                wanted = 204
                answer = await admin.send("DELETE", f"/wallets/{wallet}/grant-schedules/{name}")
            else:
                answer = await admin.send("PATCH", f"/wallets/{wallet}/grant-schedules/{name}", changes)
        assert answer.status_code == wanted, (kind, answer.text)
        self.seen[f"schedule {kind}"] += 1

    def note(self, operation: dict[str, Any]) -> None:
        """Later operations can name it."""
        name = operation["transaction_id"]
        match operation["type"]:
            case "grant":
                self.grants.append((operation["wallet_id"], name))
            case "hold":
                self.holds.append((operation["wallet_id"], name))
            case "consume" | "transfer" | "hold_capture" | "deposit" | "withdraw":
                self.spent.append(name)

    async def check(self) -> None:
        """What must hold after any order."""
        database = self.api.app.state.database
        while json.loads(await database.call("number_events"))["more"]:
            pass
        lines: list[str] = []
        walks = [walk for room in ROOMS for walk in room.verify_walks]
        assert await verify(database, lines.append, walks), "\n".join(lines)
        admin = self.api.admin
        for wallet in self.wallets:
            found = (await admin.get(f"/wallets/{wallet}/explain")).json()
            read = await admin.read(wallet)
            signed = (
                Decimal(each["amount"]) * (1 if each["direction"] == "credit" else -1)
                for each in found["movements"]
            )
            balance = Decimal(found["balance"])
            assert Decimal(found["opening_balance"]) + sum(signed) == balance == Decimal(read["balance"])
            assert Decimal(found["granted"]) + Decimal(found["not_granted"]) == balance
            if len(found["grants"]) < 100:  # it shows so many
                left = sum(Decimal(each["remaining"]) for each in found["grants"])
                assert left == Decimal(found["granted"])
            if len(found["holds"]) < 100:
                kept = sum(Decimal(each["remaining"]) for each in found["holds"])
                assert kept == Decimal(found["locked_balance"])
            assert found["locked_balance"] == read["locked_balance"]
            assert balance - Decimal(read["locked_balance"]) == Decimal(found["available_balance"])
        (of_credit,) = (await admin.get("/billing/summary")).json()["currencies"]
        (trial,) = (await admin.get("/ledger/trial-balance")).json()["currencies"]
        wanted = {each["account"]: Decimal(each["balance"]) for each in trial["lines"]}
        assert Decimal(of_credit["closing_balance"]) == wanted.pop("wallets")
        assert {each["account"]: Decimal(each["amount"]) for each in of_credit["accounts"]} == wanted
        if self.now > START:
            await self.check_periods(of_credit)

    async def check_periods(self, whole: dict[str, Any]) -> None:
        """Two periods that join add up to the whole, and what was left between them is what explanations count."""
        edge = self.random.choice((self.random.choice(self.moments), START + (self.now - START) * 0.37))
        before, after = await self.summary(to=edge), await self.summary(**{"from": edge})
        assert before["closing_balance"] == after["opening_balance"]
        for name in ("granted", "purchased", "deposited", "consumed", "refunded", "expired", "voided"):
            assert Decimal(before[name]) + Decimal(after[name]) == Decimal(whole[name]), (name, edge)
        for name in ("used", "expired"):
            sums = [sum(Decimal(cost[name]) for cost in each["costs"]) for each in (before, after, whole)]
            assert sums[0] + sums[1] == sums[2], (name, edge)
        at = (edge - timedelta(microseconds=1)).isoformat()
        past = [
            (await self.api.admin.send("GET", f"/wallets/{each}/explain", query={"at": at})).json()
            for each in self.wallets
        ]
        for name, shown in (("granted", "outstanding_granted"), ("balance", "closing_balance")):
            assert sum(Decimal(each[name]) for each in past) == Decimal(before[shown]), (name, edge)

    async def summary(self, **period: datetime) -> dict[str, Any]:
        """The summary of a period."""
        query = {name: moment.isoformat() for name, moment in period.items()}
        answer = await self.api.admin.send("GET", "/billing/summary", query=query)
        (of_credit,) = answer.json()["currencies"]
        return of_credit

    async def run(self) -> None:
        await self.begin()
        done = rounds = 0
        while done < STEPS:
            rounds += 1
            if self.random.random() < 0.4:
                self.now += timedelta(minutes=self.random.randint(1, 40 * 60))
                await self.clock.set(self.now)
                self.moments.append(self.now)
            before = self.seen.total()
            calls = [self.call() for _ in range(AT_ONCE)]
            if self.random.random() < 0.3:
                calls.append(self.change_schedule())
            await asyncio.gather(*calls)
            done += self.seen.total() - before
            if rounds % 20 == 0:
                await self.check()
        await self.check()


@pytest.mark.soak
async def test_everything_agrees_after_any_order(timed_api: Api, clock: SettableClock) -> None:
    search = Search(timed_api, clock, random.randrange(1 << 30) if SOAKS else 7)  # noqa: S311
    await search.run()
    for kind in ("grant", "grant_void", "hold", "hold_capture", "hold_void", "hold_extend", "hold_increase"):
        assert search.seen[f"{kind} posted"], search.seen
    for kind in ("create", "change", "stop", "delete"):
        assert search.seen[f"schedule {kind}"], search.seen
    for code in ("limit_exceeded", "grants_not_usable", "insufficient_funds", "hold_ended", "grant_ended"):
        assert any(name.endswith(code) for name in search.seen), search.seen
