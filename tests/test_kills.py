"""The service, workers and PostgreSQL are killed under load: nothing is lost or done twice, and every webhook arrives.

``scripts/soak 20 tests/test_kills.py -rP`` makes twenty rounds, at other moments each time, and shows what it counted.
docs/reliability.md has the figures.
"""

import asyncio
import json
import random
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError
from support.database_location import connect
from support.killed_load import Callers, EventStreamReader, PageReader
from support.killed_processes import PAUSE_S, Processes, running_processes
from support.soak import FACTOR, SOAKS
from support.webhook_receiver import Receiver, open_receiver

from wallet_service.ledger.verify import verify
from wallet_service.platform.auth.keys import create_key, list_keys
from wallet_service.rooms import ROOMS

ROUNDS = FACTOR if SOAKS else 2
KILLED = ("service", "worker", "postgres")
LONGEST_S = 240
"""For the kills and restarts of a round, and for what remains to be done afterwards."""

FILTERS = (None, ["wallet.created", "wallet.updated"])
"""Event types of the endpoints of webhooks."""

_REMAINS = """
select (select last_number from delivery.numbering),
  (select count(*) from platform.jobs where type = 'deposit_once' and status in ('queued', 'running')),
  (select count(*) from platform.outbox), (select count(*) from delivery.webhook_deliveries where state = 'pending'),
  (select count(*) from delivery.webhook_deliveries)
"""


class Endpoint:
    """An endpoint of webhooks.

    Args:
        types: of the events that it wants; None: all.
        receiver: what has arrived.
        secret: with which it is signed.
    """

    def __init__(self, types: list[str] | None, receiver: Receiver, secret: str) -> None:
        self._types = types
        self._secret = secret
        self._not_verified: list[str] = []
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._holds = asyncio.Event()
        self.receiver = receiver
        receiver.handler = self._receive

    async def _receive(self, request: web.Request) -> web.Response:
        """Verify it at once: a signature is valid for five minutes."""
        try:
            Webhook(self._secret).verify(await request.text(), dict(request.headers))
        except WebhookVerificationError:
            self._not_verified.append(request.headers["webhook-id"])
        self._holds.set()
        await self._is_open.wait()
        return web.Response(status=204)

    async def hold(self) -> None:
        """Answer no more; returns when a message has arrived that is not answered."""
        self._is_open.clear()
        self._holds.clear()
        await self._holds.wait()

    def go_on(self) -> None:
        """Answer again."""
        self._is_open.set()

    def wants(self, event: dict[str, Any]) -> bool:
        """Whether it gets the event."""
        return self._types is None or event["type"] in self._types

    def check(self, events: Iterable[dict[str, Any]]) -> None:
        """Each event that it wants has arrived, always with the same id and bytes, in the order of its wallet."""
        wanted = {event["id"]: event for event in events if self.wants(event)}
        assert set(self.receiver.ids) == set(wanted)
        assert self._not_verified == []
        bodies: dict[str, str] = {}
        latest: defaultdict[str, int] = defaultdict(int)
        for its_id, (_, body) in zip(self.receiver.ids, self.receiver.seen, strict=True):
            assert bodies.setdefault(its_id, body) == body
            event = json.loads(body)
            assert event == wanted[its_id]
            if (wallet := event.get("walletid")) is not None:
                assert int(event["sequence"]) >= latest[wallet], "an event of a wallet after a later one"
                latest[wallet] = int(event["sequence"])


class Trial:
    """Rounds of load and kills on the same processes."""

    def __init__(self, processes: Processes, seed: int) -> None:
        self.processes = processes
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.callers = Callers(processes, self.chance)
        self.pages = PageReader(self.callers)
        self.stream: EventStreamReader
        self.endpoints: list[Endpoint] = []

    async def prepare(self, stack: AsyncExitStack) -> None:
        """Create the endpoints, wallets and the creator of jobs. The readers begin with the first event."""
        stack.push_async_callback(self.callers.close)
        for types in FILTERS:
            receiver = await stack.enter_async_context(open_receiver())
            members = {} if types is None else {"event_types": types}
            made = await self.callers.post("/webhooks", {"url": receiver.url, **members})
            self.endpoints.append(Endpoint(types, receiver, made["secret"]))
        database = await connect(self.processes.server.service_dsn)
        await create_key(database, "creator", ["deposits:write"])
        key_id = (await list_keys(database))[-1]["key_id"]
        await database.close()
        first = await self.callers.get("/events", limit=1)
        self.stream = EventStreamReader(self.processes, first["next_cursor"], first["items"])
        await self.callers.prepare({"client_id": "creator", "key_id": key_id})

    async def kill_each(self, group: asyncio.TaskGroup) -> list[str]:
        """Kill each process once, in any order, some at the same moment. Returns the order.

        The service and PostgreSQL have requests under way, the worker has a job and a webhook.
        """
        order = self.chance.sample(KILLED, len(KILLED))
        restarts: list[asyncio.Task[None]] = []
        for name in order:
            if not restarts or self.chance.random() < 0.7:
                await self.callers.answered(self.chance.randint(10, 60))
            if name == "worker":
                await self.endpoints[0].hold()
                await self.until_a_job_runs()
            await asyncio.sleep(self.chance.random() * 0.03)
            restarts.append(group.create_task(self.processes.kill(name)))
            await asyncio.sleep(0)  # it is killed now
            self.endpoints[0].go_on()
        await asyncio.gather(*restarts)
        await self.callers.answered(20)
        return order

    async def until_a_job_runs(self) -> None:
        """Return when a worker has a job that it has not ended; that worker is killed next."""
        query = (
            "select worker from platform.jobs where status = 'running' and lease_until > clock_timestamp()"
            " order by updated_at desc limit 1"
        )
        while (name := await self.processes.ask(lambda connection: connection.fetchval(query))) is None:  # noqa: ASYNC110 - of the database
            await asyncio.sleep(PAUSE_S)
        self.processes.aim_at(name)

    async def until_done(self) -> None:
        """Return when no job, event or webhook waits, and both readers have read to the end."""
        remains: dict[str, int] = {"all": 1}
        try:
            async with asyncio.timeout(LONGEST_S):
                while any(count > 0 for count in remains.values()):
                    await asyncio.sleep(PAUSE_S)
                    remains = await self.processes.ask(self._remains)
        except TimeoutError:
            raise AssertionError(f"not done after {LONGEST_S} s: {remains}") from None

    async def _remains(self, connection: asyncpg.Connection) -> dict[str, int]:
        """What is still to be done; below zero where something was done too often, which ``check`` reports."""
        last, jobs, outbox, pending, made = await connection.fetchrow(_REMAINS)
        wanted = sum(endpoint.wants(event) for event in self.pages.events for endpoint in self.endpoints)
        return {
            "jobs": jobs,
            "events without a number": outbox,
            "events that pages do not have": last - len(self.pages.events),
            "events that the stream does not have": last - len(self.stream.events),
            "webhooks that wait": pending,
            "webhooks to be made": wanted - made,
        }

    async def check(self) -> None:
        """Everything that was answered exists, once, with its events, entries of the audit trail and webhooks."""
        await self.processes.ask(self._check_postings)
        await self.processes.ask(self._check_events)
        for endpoint in self.endpoints:
            endpoint.check(self.pages.events)
        driver = await connect(self.processes.server.service_dsn)
        lines: list[str] = []
        walks = [walk for room in ROOMS for walk in room.verify_walks]
        assert await verify(driver, lines.append, walks), lines
        await driver.close()

    async def _check_postings(self, connection: asyncpg.Connection) -> None:
        sent, job_wallet = self.callers.sent, self.callers.job_wallet
        rows = await connection.fetch(
            "select transaction_id::text, wallet_id::text from wallet.wallet_transactions"
        )
        others = {row["transaction_id"] for row in rows if row["wallet_id"] != job_wallet}
        assert _once(sent.transactions) == others
        jobs = await connection.fetch(
            "select job_id::text, status, result from platform.jobs where type = 'deposit_once'"
        )
        assert _once(sent.jobs) == {job["job_id"] for job in jobs}
        assert {job["status"] for job in jobs} == {"succeeded"}
        posted = [row["transaction_id"] for row in rows if row["wallet_id"] == job_wallet]
        assert _once(posted) == _once(json.loads(job["result"])["transaction_id"] for job in jobs)
        keys = await connection.fetch("select key from wallet.idempotency where client_id = 'creator'")
        assert {row["key"] for row in keys} == {f"job:{job}" for job in sent.jobs}

    async def _check_events(self, connection: asyncpg.Connection) -> None:
        events, sent = self.pages.events, self.callers.sent
        assert [int(event["sequence"]) for event in events] == [*range(1, len(events) + 1)]
        assert self.stream.events == events
        _once(event["id"] for event in events)
        versions: defaultdict[str, list[int]] = defaultdict(list)
        for event in events:
            if event["type"] == "transaction.posted":
                versions[event["walletid"]].append(int(event["walletversion"]))
        rows = await connection.fetch(
            "select wallet_id::text, array_agg(wallet_version order by wallet_version) as versions"
            " from wallet.wallet_transactions group by wallet_id"
        )
        assert versions == {row["wallet_id"]: row["versions"] for row in rows}
        assert _once(_after(events, "wallet.created", "wallet_id")) == _once(sent.created)
        assert _once(_after(events, "wallet.updated", "name")) == _once(sent.names)
        entries = await connection.fetch(
            "select event_id::text, action from platform.audit_entries where event_id is not null"
        )
        changes = {(event["id"], event["type"]) for event in events if event["type"] != "transaction.posted"}
        assert _once((entry["event_id"], entry["action"]) for entry in entries) == changes

    async def count(self) -> Counter[str]:
        """What has been counted since the start."""
        query = "select coalesce(sum(attempts) - count(*), 0)::integer from platform.jobs where type = 'deposit_once'"
        workers = "select count(distinct worker) from platform.jobs where status = 'succeeded'"
        received = [its_id for endpoint in self.endpoints for its_id in endpoint.receiver.ids]
        unlike = sum(len(set(endpoint.receiver.ids)) for endpoint in self.endpoints)
        return Counter(
            **self.callers.sent.counts,
            postings=len(self.callers.sent.transactions),
            jobs=len(self.callers.sent.jobs),
            repeated_attempts_of_jobs=await self.processes.ask(lambda connection: connection.fetchval(query)),
            workers_that_ended_jobs=await self.processes.ask(lambda connection: connection.fetchval(workers)),
            events=len(self.pages.events),
            streams=self.stream.opened,
            webhooks=len(received),
            repeated_webhooks=len(received) - unlike,
        )


def _once(values: Iterable[Any]) -> set[Any]:
    """The values, of which none may come twice."""
    counted = Counter(values)
    assert [value for value, times in counted.items() if times > 1] == []
    return set(counted)


def _after(events: Iterable[dict[str, Any]], kind: str, member: str) -> list[Any]:
    return [event["data"]["after"][member] for event in events if event["type"] == kind]


def _figures(
    number: int, order: list[str], load_s: float, rest_s: float, before: Counter[str], now: Counter[str]
) -> str:
    """A line about a round."""
    figures = " ".join(f"{name}={now[name] - before[name]}" for name in sorted(now))
    return f"round {number} {'+'.join(order)} load_s={load_s:.1f} rest_s={rest_s:.1f} {figures}"


@pytest.mark.first
@pytest.mark.soak
async def test_nothing_is_lost_or_doubled_when_processes_are_killed(data_dir: Path) -> None:
    seed = secrets.randbits(32) if SOAKS else 15
    print(f"seed {seed}")  # noqa: T201 - shown with -rP
    async with AsyncExitStack() as stack:
        processes = await stack.enter_async_context(running_processes(data_dir))
        trial = Trial(processes, seed)
        await trial.prepare(stack)
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(each.run()) for each in (trial.pages, trial.stream)]
            counted: Counter[str] = Counter()
            for number in range(ROUNDS):
                began = time.monotonic()
                sending = group.create_task(trial.callers.run())
                async with asyncio.timeout(LONGEST_S):
                    order = await trial.kill_each(group)
                trial.callers.stop()
                await sending
                sent = time.monotonic()
                await trial.until_done()
                done = time.monotonic()
                await trial.check()
                now = await trial.count()
                print(_figures(number + 1, order, sent - began, done - sent, counted, now))  # noqa: T201 - shown with -rP
                counted = now
            for reader in readers:
                reader.cancel()
