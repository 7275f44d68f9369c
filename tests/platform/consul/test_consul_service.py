"""Real services behind a real Consul: how they come, stop, crash, and what their callers notice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from conftest import FreshDatabase
from filelock import FileLock
from support.api import new_user
from support.callers import NAME, WALLET, Callers, crash, ends, followed
from support.cluster import BASE
from support.consul_agent import ConsulAgent, eventually
from support.service import WAIT_S, Service, serving

KEY = "consul-test-key-" + "k" * 32
FOREVER_MS = "600000"
CALLERS = 8
DEREGISTERED_WITHIN_S = 150
"""A minute is the shortest that Consul takes, and it looks every 30 s."""


@dataclass
class Place:
    """Starts services on one database and one agent."""

    dsn: str
    folder: Path
    consul: ConsulAgent
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self, **settings: str) -> Service:
        return self.stack.enter_context(serving(self.folder, **self.settings(**settings)))

    def settings(self, **settings: str) -> dict[str, str]:
        return {
            "WALLET_DATABASE_URL": self.dsn,
            "WALLET_MIGRATE_ON_START": "false",
            "WALLET_ADMIN_KEY": KEY,
            "WALLET_CONSUL_URL": self.consul.url,
            "WALLET_CONSUL_CHECK_INTERVAL_MS": "1000",
            "WALLET_CONSUL_SYNC_INTERVAL_MS": "200",
            "WALLET_CONSUL_LEAVE_PAUSE_MS": "500",
            **settings,
        }

    def passing(self) -> set[str]:
        return {service for service, state in self.consul.states(NAME).items() if state == "passing"}


@pytest.fixture
async def place(fresh_database: FreshDatabase, own_folder: Path, consul: ConsulAgent) -> AsyncIterator[Place]:
    made = Place((await fresh_database()).service_dsn, own_folder, consul)
    with made.stack:
        yield made


def id_of(service: Service) -> str:
    return f"{NAME}-127.0.0.1-{httpx.URL(service.url).port}"


@pytest.mark.consul
async def test_a_stop_leaves_consul_first_and_goes_on_answering_until_callers_know(place: Place) -> None:
    service = await asyncio.to_thread(place.start, WALLET_CONSUL_LEAVE_PAUSE_MS=FOREVER_MS)
    await eventually(lambda: place.passing() == {id_of(service)})
    service.process.send_signal(signal.SIGTERM)
    await eventually(lambda: place.consul.states(NAME) == {})
    # Connections made now are answered: whoever has not heard of it yet loses nothing.
    async with httpx.AsyncClient(base_url=service.url) as late:
        assert (await late.get("/health/ready")).status_code == 200
    assert service.process.poll() is None
    service.process.send_signal(signal.SIGTERM)  # a second one cuts the pause short
    await eventually(ends(service))
    assert service.process.returncode == 0


@pytest.mark.consul
async def test_the_pause_ends_and_so_does_the_service(place: Place) -> None:
    service = await asyncio.to_thread(place.start)
    await eventually(lambda: place.passing() == {id_of(service)})
    assert await asyncio.to_thread(service.stop) == 0
    assert place.consul.states(NAME) == {}
    events = [line for line in service.printed.splitlines() if "consul_" in line]
    assert [event for event in events if "consul_deregistered" in event] == events[-1:]


@pytest.mark.consul
async def test_without_an_agent_it_serves_and_stops_as_ever(place: Place) -> None:
    nowhere = "http://127.0.0.1:9"
    service = await asyncio.to_thread(
        place.start,
        WALLET_CONSUL_URL=nowhere,
        WALLET_CONSUL_LEAVE_PAUSE_MS=FOREVER_MS,
        WALLET_VERIFY_USERS="true",
    )
    async with httpx.AsyncClient(base_url=service.url) as caller:
        assert (await caller.get("/health/ready")).status_code == 200
    await eventually(lambda: '"purpose": "registration"' in service.printed)
    assert await asyncio.to_thread(service.stop) == 0
    assert service.printed.count("consul_unavailable") == 2  # one for registration, one for discovery


@pytest.mark.consul
async def test_where_consul_is_required_and_unavailable_it_does_not_start(place: Place) -> None:
    settings = place.settings(WALLET_CONSUL_URL="http://127.0.0.1:9", WALLET_CONSUL_REQUIRED="true")
    service = Service(place.folder, **settings)
    assert await asyncio.to_thread(service.process.wait, WAIT_S) == 1
    assert "Consul is required (WALLET_CONSUL_REQUIRED), and unavailable" in service.errors
    assert "Traceback" not in service.printed + service.errors
    assert not service.is_ready


@pytest.mark.consul
async def test_a_crash_turns_the_check_critical_and_callers_go_elsewhere(place: Place) -> None:
    first, second = [await asyncio.to_thread(place.start) for _ in range(2)]
    async with followed(place.consul) as discovery:
        await eventually(lambda: place.passing() == {id_of(first), id_of(second)})
        await eventually(lambda: {discovery.instance(WALLET) for _ in range(4)} == {first.url, second.url})
        await crash(first)
        await eventually(lambda: place.consul.states(NAME)[id_of(first)] == "critical")
        await eventually(lambda: {discovery.instance(WALLET) for _ in range(4)} == {second.url})


@pytest.fixture
async def crashed(fresh_database: FreshDatabase, own_folder: Path, consul_program: Path) -> Place:
    """A service that crashed once in this run, whoever asks for it first, and the agent that has yet to forget it."""
    del consul_program
    record = Path(os.environ[BASE]) / "crashed"
    with FileLock(f"{record}.lock"):
        if not record.exists():
            agent = ConsulAgent()
            agent.start()
            place = Place((await fresh_database()).service_dsn, own_folder, agent)
            with place.stack:
                service = await asyncio.to_thread(place.start, WALLET_CONSUL_DEREGISTER_AFTER_MS="60000")
                await eventually(lambda: place.passing() == {id_of(service)})
                await crash(service)
            record.write_text(agent.leave())
    return Place("", own_folder, ConsulAgent(url=record.read_text()))


@pytest.mark.consul
@pytest.mark.first
async def test_what_crashed_is_critical_and_not_forgotten_at_once(crashed: Place) -> None:
    await eventually(lambda: list(crashed.consul.states(NAME).values()) == ["critical"])


@pytest.mark.consul
@pytest.mark.slow
@pytest.mark.last
async def test_what_crashed_is_forgotten_by_its_check(crashed: Place) -> None:
    """The minute and more that it takes went by while other tests ran."""
    await eventually(lambda: crashed.consul.states(NAME) == {}, DEREGISTERED_WITHIN_S)


@pytest.mark.consul
async def test_who_follows_consul_sees_no_error_when_an_instance_crashes_or_stops_under_load(
    place: Place,
) -> None:
    crashing, stopping = [await asyncio.to_thread(place.start) for _ in range(2)]
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        followed(place.consul) as discovery,
        httpx.AsyncClient(headers=headers, timeout=WAIT_S) as client,
    ):
        opening = {"user_id": new_user(), "currency": "CREDIT", "initial_balance": "1000000"}
        opened = await client.post(f"{stopping.url}/api/v1/wallets", json=opening)
        await eventually(
            lambda: {discovery.instance(WALLET) for _ in range(4)} == {crashing.url, stopping.url}
        )
        callers = Callers(discovery, client, opened.json()["wallet_id"])
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(callers.call(number))
            await callers.more(100)
            await crash(crashing)
            await callers.more(100)
            await eventually(lambda: place.consul.states(NAME)[id_of(crashing)] == "critical")
            third = await asyncio.to_thread(place.start)
            await eventually(lambda: id_of(third) in place.passing())
            await eventually(lambda: discovery.instance(WALLET) == third.url)
            assert callers.again > 0
            tried_again = callers.again
            os.kill(stopping.process.pid, signal.SIGTERM)
            await eventually(ends(stopping))
            await callers.more(100)
            callers.stopping = True
        # Whoever left Consul before closing the port costs its callers nothing at all, but for the connections that
        # it closed just as they were taken up again.
        assert callers.again - tried_again <= CALLERS
        wallet = await client.get(f"{third.url}/api/v1/wallets/{callers.wallet}/balance")
        assert Decimal(wallet.json()["balance"]) == 1_000_000 - callers.done
    assert stopping.process.returncode == 0
