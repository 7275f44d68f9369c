"""A user with a book, mirrored wallets and entries with categories, for tests of budgets."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
from conftest import TestDatabase
from support.api import Api, Client, open_api
from support.clock import SettableClock

from wallet_service.finance.budgets.schemas import Budget

TODAY = date(2024, 4, 20)


def budget_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    Budget.model_validate(found)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    return found


@dataclass
class Home:
    """A user's book at noon of a day that the test sets."""

    api: Api
    client: Client
    connection: asyncpg.Connection
    clock: SettableClock
    book_id: str
    categories: Mapping[str, str]
    wallets: dict[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def on(cls, made: TestDatabase, **book: Any) -> AsyncIterator["Home"]:
        """A new one in euros, on TODAY, in a database of the test."""
        connection = await asyncpg.connect(made.dsn)
        clock = SettableClock(connection)
        await clock.install()
        async with open_api(made.service_dsn) as api:
            yield await cls.of(api, connection, clock, **book)
        await connection.close()

    @classmethod
    async def of(cls, api: Api, connection: asyncpg.Connection, clock: SettableClock, **book: Any) -> "Home":
        """A new one, at an application whose clock can be set."""
        await clock.set(datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC))
        client = api.user()
        made = (await client.post("/books", {"base_currency": "EUR"} | book)).json()
        listed = (await client.get("/categories", limit=100)).json()["items"]
        home = cls(
            api,
            client,
            connection,
            clock,
            made["book_id"],
            {each["system_key"]: each["label_id"] for each in listed},
        )
        await home.add_wallet("EUR")
        return home

    async def add_wallet(self, currency: str, name: str | None = None) -> str:
        """A mirrored wallet, known by its name, which is its currency unless one is given."""
        name = name or currency
        wallet = await self.client.wallet(currency=currency, name=name, keeping="mirrored")
        self.wallets[name] = wallet["wallet_id"]
        return wallet["wallet_id"]

    async def set_day(self, day: str) -> None:
        """Noon of this day."""
        await self.clock.set(datetime.fromisoformat(f"{day}T12:00:00+00:00"))

    async def book(self, day: str, amount: str, category: str, wallet: str = "EUR") -> None:
        """An entry of this day, which is income if the amount is positive by sign, whatever its category."""
        number = Decimal(amount)
        path = f"/wallets/{self.wallets[wallet]}/{'deposit' if number > 0 else 'withdraw'}"
        body = {
            "amount": f"{abs(number)}",
            "effective_at": f"{day}T12:00:00Z",
            "parts": [{"category_id": self.category(category)}],
        }
        answer = await self.client.post(path, body)
        assert answer.status_code == 201, answer.text

    def category(self, name: str) -> str:
        """A category by its system key, or its id."""
        return self.categories.get(name, name)

    async def spend(self, day: str, amount: str, category: str = "groceries", wallet: str = "EUR") -> None:
        """An expense; a negative one is a refund."""
        await self.book(day, f"{-Decimal(amount)}", category, wallet)

    async def add_category(self, name: str, under: str) -> str:
        """A category under another one."""
        body = {"name": name, "parent_id": self.category(under)}
        answer = await self.client.post("/categories", body)
        assert answer.status_code == 201, answer.text
        return answer.json()["label_id"]

    async def add(self, amount: str = "100.00", **members: Any) -> dict[str, Any]:
        """A budget, monthly from January unless told otherwise."""
        body = {"name": "Budget", "amount": amount, "period": "monthly", "start_date": "2024-01-01"} | members
        return budget_of(await self.client.post("/budgets", body), 201)

    async def change(self, budget: Mapping[str, Any], **members: Any) -> dict[str, Any]:
        """Set a budget as it is, but for these members."""
        own = ("budget_id", "book_id", "version", "created_at", "updated_at")
        body = {name: value for name, value in budget.items() if name not in own} | members
        return budget_of(await self.client.send("PUT", f"/budgets/{budget['budget_id']}", body))

    async def progress(self, on: str | None = None) -> dict[str, dict[str, Any]]:
        """The progress of all budgets by their ids."""
        answer = await self.client.get("/budgets/progress", **({} if on is None else {"on": on}))
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["pending_entries"] == 0
        return {each["budget_id"]: each for each in found["items"]}

    async def of_budget(self, budget: Mapping[str, Any], on: str | None = None) -> dict[str, Any]:
        """The progress of a budget."""
        return (await self.progress(on))[budget["budget_id"]]

    async def details(self, budget: Mapping[str, Any], on: str | None = None) -> dict[str, Any]:
        """The details of a budget."""
        path = f"/budgets/{budget['budget_id']}/details"
        answer = await self.client.get(path, **({} if on is None else {"on": on}))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rate(self, base: str, quote: str, day: str, rate: str) -> None:
        """A rate of the service."""
        await self.connection.execute(
            "insert into finance.rates (base, quote, day, rate, source, updated_at)"
            " values ($1, $2, $3, $4, 'test', now())",
            base,
            quote,
            date.fromisoformat(day),
            Decimal(rate),
        )

    async def catalogue(self) -> None:
        """Catalogue what is pending, as the service does after postings."""
        await self.api.app.state.cataloguing.catalogue(self.book_id)

    async def reached(self) -> list[tuple[str, int]]:
        """The events budget.reached, in their order: the first day of the period, and the tier."""
        rows = await self.connection.fetch(
            "select after from platform.outbox where event_type = 'budget.reached' order by sequence"
        )
        found = [json.loads(row["after"]) for row in rows]
        return [(each["from"], each["tier"]) for each in found]
