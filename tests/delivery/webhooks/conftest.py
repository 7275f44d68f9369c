"""A receiver, and an application with workers on a database of the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import FreshApi, TestDatabase
from support.api import Api, open_api
from support.clock import SettableClock
from support.webhook_receiver import Receiver, open_receiver

from wallet_service.delivery.webhooks.deliveries import Deliveries
from wallet_service.platform.vault.keys import generate_key

LONGEST_S = 60
LOCAL = "127.0.0.0/8"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def working(api: Api) -> AsyncIterator[None]:
    """The worker's loop on the state of an application."""
    stopping = asyncio.Event()
    task = asyncio.create_task(Deliveries(api.app.state.webhook_deliveries, stopping).run())
    try:
        yield
    finally:
        stopping.set()
        await task


@dataclass
class Hooks:
    """An application, and its operator's endpoints."""

    api: Api

    async def create(self, url: str, **members: Any) -> dict[str, Any]:
        """A new endpoint, with its secret."""
        answer = await self.api.admin.post("/webhooks", {"url": url} | members)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def get(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        answer = await self.api.admin.get(f"/webhooks/{endpoint['endpoint_id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def deliveries(self, endpoint: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        """The newest 100, oldest first."""
        path = f"/webhooks/{endpoint['endpoint_id']}/deliveries"
        answer = await self.api.admin.get(path, limit=100, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"][::-1]

    async def delivery(self, endpoint: dict[str, Any], number: int) -> dict[str, Any]:
        answer = await self.api.admin.get(f"/webhooks/{endpoint['endpoint_id']}/deliveries/{number}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until_states(self, endpoint: dict[str, Any], *states: str) -> list[dict[str, Any]]:
        """Wait until the deliveries have these states, and return them."""
        found: list[dict[str, Any]] = []

        async def has_them() -> bool:
            nonlocal found
            found = await self.deliveries(endpoint)
            return [each["state"] for each in found] == list(states)

        await until(has_them)
        return found


@dataclass
class Timed:
    """An application whose time the test sets.

    Attributes:
        now: the time of the ledger.
        dsn: of its database.
    """

    hooks: Hooks
    clock: SettableClock
    now: datetime
    dsn: str

    async def advance(self, by: timedelta) -> None:
        """Advance the time."""
        await self.clock.advance(by)
        self.now += by

    def due(self, delivery: dict[str, Any]) -> timedelta:
        """How long from its last attempt, which was just now, until the next one."""
        return datetime.fromisoformat(delivery["due_at"]) - self.now

    async def until_attempts(self, endpoint: dict[str, Any], count: int) -> None:
        """Wait until its first delivery has had so many attempts."""

        async def has_them() -> bool:
            found = await self.hooks.deliveries(endpoint)
            return bool(found) and found[0]["attempts"] >= count

        await until(has_them)


NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
async def timed(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Timed]:
    """On one driver."""
    await clock.set(NOW)
    settings = {"webhooks_allowed_networks": LOCAL, "credential_keys": generate_key("k1")}
    async with open_api(timed_postgres.service_dsn, **settings) as api:
        yield Timed(Hooks(api), clock, NOW, timed_postgres.service_dsn)


@pytest.fixture
async def hooks(fresh_api: FreshApi) -> Hooks:
    """On both drivers."""
    return Hooks(await fresh_api(webhooks_allowed_networks=LOCAL, credential_keys=generate_key("k1")))
