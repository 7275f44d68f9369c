"""A stranger's walk through money management, by the Python client alone: each figure is exact, on both drivers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
from conftest import FreshApi, FreshDatabase, Locate
from support.api import Api, new_user, open_api
from support.sdk import in_process
from wallet_client import AsyncWalletClient, NewPart
from wallet_client.exchange import NewRate
from wallet_client.models import Job, Transaction
from wallet_client.parts import Part

from wallet_service.ledger.verify import verify
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.rooms import ROOMS

CARRIED = {
    # G11: 100.00 a month, of which 40, 190, 20 and 0 are spent: available and left in each month.
    ("none", None): ("100 100 100 100", "60 -90 80 100"),
    ("surplus", None): ("100 160 100 180", "60 -30 80 180"),
    ("full", None): ("100 160 70 150", "60 -30 50 150"),
    ("full", "50"): ("100 150 60 140", "60 -40 40 140"),
}


@dataclass
class Stranger:
    """A user with a book in euros, who has nothing but the client."""

    api: Api
    client: AsyncWalletClient
    user_id: str
    categories: dict[str, str]

    @classmethod
    async def of(cls, api: Api, client: AsyncWalletClient) -> "Stranger":
        user_id = new_user()
        await client.books.create("EUR", user_id=user_id, time_zone="Europe/Berlin")
        listed = [each async for each in client.categories.list(user_id=user_id)]
        return cls(
            api, client, user_id, {each.system_key: each.label_id for each in listed if each.system_key}
        )

    async def wallet(self, currency: str, name: str) -> str:
        made = await self.client.wallets.create(
            user_id=self.user_id, currency=currency, name=name, keeping="mirrored"
        )
        return made.wallet_id

    async def note(
        self, kind: Any, amount: str, category: str | None, day: str, **members: Any
    ) -> Transaction:
        return await self.client.parts.note(
            kind,
            amount,
            user_id=None if "wallet_id" in members else self.user_id,  # a wallet has its owner
            category_id=None if category is None else self.categories[category],
            effective_at=f"{day}T12:00:00Z",
            **members,
        )

    async def parts(self, **wanted: Any) -> list[Part]:
        return [each async for each in self.client.parts.list(user_id=self.user_id, **wanted)]

    async def entry(self, entry: Transaction) -> list[tuple[str, str | None, Decimal]]:
        """The parts of an entry: root, category and amount."""
        assert entry.wallet_version is not None
        found = await self.client.parts.get(entry.wallet_id, entry.wallet_version)
        keys = {label_id: key for key, label_id in self.categories.items()}
        return [(each.root, keys.get(each.category_id), each.amount) for each in found.parts]

    async def spent(self, on: str, category: str | None = None) -> Decimal:
        """What a month came to by a budget of a category, or of all expenses."""
        chosen = () if category is None else (self.categories[category],)
        budget = await self.client.budgets.create(
            f"{category} {on}",
            1000,
            "monthly",
            "2024-01-01",
            user_id=self.user_id,
            category_ids=chosen,
            tiers=(),
        )
        details = await self.client.budgets.details(budget.budget_id, on=on)
        assert details.complete
        assert details.pending_entries == 0
        return details.spent

    async def ended(self, job: Job) -> Job:
        async with running_worker(self.api.app.state, self.api.app.state.settings):
            done = await self.client.jobs.wait(job.job_id, poll_s=0.05)
        assert done.status == "succeeded", done
        return done

    async def verify(self) -> None:
        """Parts sum to balances, sums of days to parts."""
        lines: list[str] = []
        walks = [walk for room in ROOMS for walk in room.verify_walks]
        assert await verify(self.api.app.state.database, lines.append, walks), lines


def total(parts: Sequence[Part]) -> Decimal:
    return sum((each.amount for each in parts), Decimal(0))


async def test_a_stranger_runs_a_book(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    async with in_process(api) as client:
        me = await Stranger.of(api, client)
        checking, dollars = await me.wallet("EUR", "checking"), await me.wallet("USD", "dollars")
        market = await income_and_expenses(me, checking)
        await a_split_and_its_refund(me, market)
        await conversions(me, checking, dollars)
        await budgets(me)
        await a_merge(me)
        await rules(me, checking)
        await me.verify()


async def income_and_expenses(me: Stranger, checking: str) -> Transaction:
    pay = await me.note("income", "3200.00", "salary", "2024-01-02", note="January")
    market = await me.note("expense", "84.37", None, "2024-01-05", description="market")
    assert (pay.transaction_type, pay.wallet_id, market.transaction_type) == ("deposit", checking, "withdraw")
    assert market.balance_after == Decimal("3115.63")
    assert await me.entry(pay) == [("income", "salary", Decimal("3200.00"))]
    assert await me.entry(market) == [("expense", "uncategorised_expense", Decimal("-84.37"))]
    assert [each.note for each in await me.parts(type="income")] == ["January"]
    return market


async def a_split_and_its_refund(me: Stranger, market: Transaction) -> None:
    assert market.wallet_version is not None
    halves = [
        NewPart("-60.00", me.categories["groceries"]),
        NewPart("-24.37", me.categories["household"], note="soap"),
    ]
    split = await me.client.parts.set(market.wallet_id, market.wallet_version, halves)
    wanted = [("expense", "groceries", Decimal("-60.00")), ("expense", "household", Decimal("-24.37"))]
    assert await me.entry(market) == wanted
    assert split.run_id is not None
    undone = await me.client.parts.undo(split.run_id)
    assert (undone.restored, undone.kept) == (1, ())
    assert await me.entry(market) == [("expense", "uncategorised_expense", Decimal("-84.37"))]
    await me.client.parts.undo(undone.undo_run_id)
    assert await me.entry(market) == wanted

    back = await me.client.transactions.refund(
        market.transaction_id, "28.12", effective_at="2024-04-05T12:00:00Z"
    )
    assert await me.entry(back) == [
        ("expense", "groceries", Decimal("20.00")),
        ("expense", "household", Decimal("8.12")),
    ]
    assert (await me.spent("2024-01-31"), await me.spent("2024-04-30")) == (
        Decimal("84.37"),
        Decimal("-28.12"),
    )


async def conversions(me: Stranger, checking: str, dollars: str) -> None:
    client = me.client
    await client.exchange.set_rates([NewRate("EUR", "USD", date(2024, 2, 20), "1.0802")])
    shown = await client.exchange.convert("200.00", "EUR", "USD", day="2024-02-21")
    assert (shown.converted, shown.rated_on) == (Decimal("216.04"), date(2024, 2, 20))
    missing = await client.exchange.convert("100.00", "USD", "RUB", day="2024-02-20")
    assert (missing.converted, missing.complete, missing.unconverted) == (None, False, ("USD",))

    at = "2024-02-20T12:00:00Z"
    rated = await client.exchange.post(checking, dollars, "200.00", effective_at=at)
    bank = await client.exchange.post(checking, dollars, "200.00", to_amount="216.34", effective_at=at)
    assert (rated.conversion.to_amount, rated.conversion.remainder) == (Decimal("216.04"), 0)
    assert (bank.conversion.to_amount, bank.conversion.rated_on) == (Decimal("216.34"), None)
    moved = await me.parts(type="transfer")
    assert sorted((each.currency, each.amount) for each in moved) == [
        ("EUR", Decimal("-200.00")),
        ("EUR", Decimal("-200.00")),
        ("USD", Decimal("216.04")),
        ("USD", Decimal("216.34")),
    ]
    assert await me.spent("2024-02-29") == 0, "a conversion is no expense"
    await me.note("expense", "32.38", "software", "2024-02-20", wallet_id=dollars)
    assert await me.spent("2024-02-29") == Decimal("29.98"), "32.38 / 1.0802 = 29.976"
    balances = [(await client.wallets.get(each)).balance for each in (checking, dollars)]
    assert balances == [Decimal("2743.75"), Decimal("400.00")]


async def budgets(me: Stranger) -> None:
    for amount, day in (("40.00", "2024-01-10"), ("190.00", "2024-02-10"), ("20.00", "2024-03-10")):
        await me.note("expense", amount, "restaurants", day)
    for (carry, cap), wanted in CARRIED.items():
        budget = await me.client.budgets.create(
            f"{carry} {cap}",
            "100.00",
            "monthly",
            "2024-01-01",
            user_id=me.user_id,
            category_ids=[me.categories["restaurants"]],
            carry=carry,  # type: ignore[arg-type]  # the keys of CARRIED are plain text
            carry_cap=cap,
        )
        now = await me.client.budgets.details(budget.budget_id, on="2024-04-30")
        months = [*reversed(now.history), now]
        available = [each.available for each in months]
        left = [each.left for each in months]
        assert (available, left) == tuple([*map(Decimal, figures.split())] for figures in wanted)
        progress = await me.client.budgets.progress(user_id=me.user_id, on="2024-02-29")
        (found,) = [each for each in progress.items if each.budget_id == budget.budget_id]
        assert (found.spent, found.reached) == (190, [75, 90, 100])


async def a_merge(me: Stranger) -> None:
    groceries, household = me.categories["groceries"], me.categories["household"]
    assert total(await me.parts(category_id=groceries)) == Decimal("-40.00")
    await me.client.categories.merge(household, groceries)
    assert total(await me.parts(category_id=groceries)) == Decimal("-56.25")
    assert await me.spent("2024-01-31", "groceries") == Decimal("84.37")
    assert await me.spent("2024-04-30", "groceries") == Decimal("-28.12")
    await me.client.categories.unmerge(household)
    assert total(await me.parts(category_id=groceries)) == Decimal("-40.00")
    assert total(await me.parts(category_id=household)) == Decimal("-16.25")


async def rules(me: Stranger, checking: str) -> None:
    client, unknown = me.client, me.categories["uncategorised_expense"]
    before = [
        await client.parts.note(
            "expense", amount, wallet_id=checking, description=text, effective_at="2024-03-20T12:00:00Z"
        )
        for amount, text in (("30.00", "LIDL 4711"), ("10.01", "Lidl Berlin"), ("5.00", "Aldi"))
    ]
    rule: dict[str, Any] = {
        "name": "Lidl",
        "conditions": [{"field": "description", "op": "contains", "value": "lidl"}],
        "actions": {
            "split": [
                {"percent": "70", "category_id": me.categories["groceries"]},
                {"remainder": True, "category_id": me.categories["household"]},
            ]
        },
    }
    tried = await client.rules.test(rule, user_id=me.user_id)
    assert (tried.held, tried.changed, tried.pending_entries) == (2, 2, 0)
    made = await client.rules.create(
        rule["name"], rule["conditions"], actions=rule["actions"], user_id=me.user_id
    )
    dry = await me.ended(await client.rules.apply(user_id=me.user_id))
    assert dry.result is not None
    assert (dry.result["changed"], dry.result["run_id"]) == (2, None)
    assert len(await me.parts(category_id=unknown)) == 3, "a dry run writes nothing"

    done = await me.ended(await client.rules.apply(user_id=me.user_id, dry_run=False))
    assert done.result is not None
    assert done.result["changed"] == 2
    assert await me.entry(before[0]) == [
        ("expense", "groceries", Decimal("-21.00")),
        ("expense", "household", Decimal("-9.00")),
    ]
    assert total(await me.parts(text="lidl", category_id=me.categories["groceries"])) == Decimal("-28.01")
    new = await client.withdraw(checking, "100.00", description="lidl", effective_at="2024-03-21T12:00:00Z")
    assert (await me.entry(new))[0] == ("expense", "groceries", Decimal("-70.00"))

    undone = await client.parts.undo(done.result["run_id"])
    assert (undone.restored, undone.kept) == (2, ())
    assert len(await me.parts(category_id=unknown)) == 3
    assert (await me.entry(new))[0] == ("expense", "groceries", Decimal("-70.00"))
    await client.rules.delete(made.rule_id)


async def test_a_refund_in_another_month(fresh_api: FreshApi) -> None:
    """G16: 60.00 restaurant in May, 40.00 back in June, rent 800.00 in June."""
    api = await fresh_api()
    async with in_process(api) as client:
        me = await Stranger.of(api, client)
        await me.wallet("EUR", "checking")
        meal = await me.note("expense", "60.00", "restaurants", "2024-05-20")
        await me.note("expense", "800.00", "rent", "2024-06-01")
        await client.transactions.refund(meal.transaction_id, "40.00", effective_at="2024-06-10T12:00:00Z")
        assert await me.spent("2024-05-31", "restaurants") == Decimal("60.00")
        assert await me.spent("2024-06-30", "restaurants") == Decimal("-40.00")
        assert await me.spent("2024-06-30") == Decimal("760.00")
        await me.verify()


async def test_what_was_bought_and_refunded_is_no_income(fresh_api: FreshApi) -> None:
    """G17: salary 50,000, spend 30,000, 5,000 bought and refunded: 40.0 % is saved."""
    api = await fresh_api()
    async with in_process(api) as client:
        me = await Stranger.of(api, client)
        await me.wallet("EUR", "checking")
        await me.note("income", "50000", "salary", "2024-05-01")
        await me.note("expense", "30000", "rent", "2024-05-02")
        bought = await me.note("expense", "5000", "electronics", "2024-05-03")
        await client.transactions.refund(bought.transaction_id, effective_at="2024-05-04T12:00:00Z")
        month = {"from_day": date(2024, 5, 1), "to_day": "2024-06-01"}
        income, expense = [total(await me.parts(type=root, **month)) for root in ("income", "expense")]
        assert (income, expense) == (50000, -30000)
        assert await me.spent("2024-05-31") == 30000
        assert 100 * (income + expense) / income == 40
        await me.verify()


async def test_what_was_posted_is_catalogued_before_it_is_read(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    async with open_api(await locate_database(made)) as api, in_process(api) as client:
        me = await Stranger.of(api, client)
        wallet_id = await me.wallet("EUR", "checking")
        await client.deposit(wallet_id, "10.00")
        async with asyncio.timeout(60):
            # The service catalogues in the background; only the table says when.
            while not (amounts := await connection.fetch("select amount from finance.parts")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert [each["amount"] for each in amounts] == [10]
    await connection.close()
