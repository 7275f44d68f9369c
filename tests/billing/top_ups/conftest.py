"""The application with a worker and a stand-in for the payment service, on a database of the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import Api, Client, open_api
from support.database_location import DatabaseLocation
from support.stand_in import StandIn, stand_in

from wallet_service.billing.top_ups.schemas import TopUp
from wallet_service.platform.jobs.lifespan import running_worker

from .top_up_checks import ORDER, in_order

SECRET = "whsec_bm90aWNlcy1vZi10aGUtcGF5bWVudC1zZXJ2aWNl"
RULE: dict[str, Any] = {"threshold": "20", "target": "100", "payment_method": "pm-1"}
LONGEST_S = 60
ENDED = ("completed", "declined", "failed", "cancelled", "refunded")


@pytest.fixture
async def upstreams() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running


@dataclass
class Shop:
    """The service and the payment service.

    Attributes:
        api: the service.
        upstreams: the payment service.
        stack: ends the worker.
        database: as superuser.
    """

    api: Api
    upstreams: StandIn
    stack: AsyncExitStack
    database: asyncpg.Connection

    @property
    def admin(self) -> Client:
        return self.api.admin

    async def work(self) -> None:
        """Start the worker; it is stopped at the end of the test."""
        app = self.api.app
        await self.stack.enter_async_context(running_worker(app.state, app.state.settings))

    async def set_rule(self, wallet_id: str, **members: Any) -> dict[str, Any]:
        answer = await self.admin.send("PUT", f"/wallets/{wallet_id}/top-up-rule", RULE | members)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rule(self, wallet_id: str) -> dict[str, Any]:
        answer = await self.admin.get(f"/wallets/{wallet_id}/top-up-rule")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def top_ups(self, wallet_id: str) -> list[dict[str, Any]]:
        """The top-ups of a wallet, the oldest first."""
        answer = await self.admin.get(f"/wallets/{wallet_id}/top-ups")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        for each in found:
            TopUp.model_validate(each)
        return in_order(found, await self.database.fetch(ORDER))

    async def until(self, wallet_id: str, *states: str) -> list[dict[str, Any]]:
        """Wait until the top-ups of a wallet have these states, the oldest first, and return them."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(LONGEST_S):
            while True:
                found = await self.top_ups(wallet_id)
                if tuple(each["state"] for each in found) == states:
                    return found
                await asyncio.sleep(0.02)

    async def request(self, wallet_id: str, amount: str = "50", **members: Any) -> dict[str, Any]:
        body = {"amount": amount, "payment_method": "pm-1"} | members
        answer = await self.admin.post(f"/wallets/{wallet_id}/top-ups", body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def events(self, wallet_id: str) -> list[str]:
        """The types of the events of a wallet's top-ups and rule, in their order."""
        rows = await self.database.fetch(
            """select a.action from platform.audit_entries a
               where a.event_id is not null and a.action like 'top%' and a.object_id in (select $1::text
                 union all select t.top_up_id::text from billing.top_ups t where t.wallet_id::text = $1)
               order by a.sequence""",
            wallet_id,
        )
        return [row[0] for row in rows]

    def charged(self) -> list[dict[str, Any]]:
        """What the payment service has taken."""
        return [each for each in self.upstreams.payments.values() if each["status"] == "succeeded"]


async def open_shop(
    made: TestDatabase, location: DatabaseLocation, upstreams: StandIn, stack: AsyncExitStack
) -> Shop:
    database = await asyncpg.connect(made.dsn)
    stack.push_async_callback(database.close)
    api = await stack.enter_async_context(
        open_api(
            location,
            payment_url=upstreams.url,
            top_ups_payment_events_secret=SECRET,
            worker_poll_ms=50,
            worker_grace_ms=0,
        )
    )
    return Shop(api, upstreams, stack, database)


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def shop(made: TestDatabase, locate_database: Locate, upstreams: StandIn) -> AsyncIterator[Shop]:
    """On both drivers."""
    async with AsyncExitStack() as stack:
        yield await open_shop(made, await locate_database(made), upstreams, stack)


@pytest.fixture
async def local_shop(made: TestDatabase, upstreams: StandIn) -> AsyncIterator[Shop]:
    """On one driver, for rules that do not depend on it."""
    async with AsyncExitStack() as stack:
        yield await open_shop(made, made.service_dsn, upstreams, stack)


@pytest.fixture
async def timed_shop(
    timed_postgres: TestDatabase, timed_location: DatabaseLocation, upstreams: StandIn
) -> AsyncIterator[Shop]:
    """On ``timed_postgres``, whose time a test sets with ``clock``."""
    async with AsyncExitStack() as stack:
        yield await open_shop(timed_postgres, timed_location, upstreams, stack)
