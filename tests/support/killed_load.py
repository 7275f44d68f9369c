"""Callers that send each request until it is answered, and readers of events, while processes are killed."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx

from support.api import ADMIN_KEY, ROOT, new_user
from support.kernel.harness import op, read_outcomes, unit
from support.killed_processes import PAUSE_S, Processes
from wallet_service.core.identifiers import new_id

SENDERS = 6
WALLETS = 4
PACE_S = 0.1
"""Pause of a sender after each response, so that the readers follow."""


@dataclass
class Sent:
    """What callers have sent, each until it was answered with success.

    Attributes:
        transactions: the ids that the responses name.
        created: wallets.
        names: of wallets that were changed, each given once.
        jobs: their ids.
        counts: responses with success, with ``unavailable``, and requests under way when the service was killed.
    """

    transactions: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Callers:
    """Sends requests and enqueues jobs until it is stopped.

    Args:
        processes: the service may be unavailable, and have another address afterwards.
        chance: chooses the requests.
    """

    def __init__(self, processes: Processes, chance: random.Random) -> None:
        self._processes = processes
        self._chance = chance
        self._http = httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=60)
        self._stopping = False
        self._answered = asyncio.Condition()
        self.sent = Sent()
        self.wallets: list[str] = []
        self.job_wallet = ""
        self.creator: dict[str, str] = {}

    async def close(self) -> None:
        await self._http.aclose()

    async def prepare(self, creator: dict[str, str]) -> None:
        """Create the wallets. ``creator``: of the jobs."""
        self.creator = creator
        self.wallets = [await self._wallet("1000000") for _ in range(WALLETS)]
        self.job_wallet = await self._wallet(None)

    async def run(self) -> None:
        """Send until ``stop``; returns when each request was answered with success."""
        self._stopping = False
        await asyncio.gather(
            *(self._send(self._one_of_many) for _ in range(SENDERS)),
            *(self._send(lambda place=place: self._change(self.wallets[place])) for place in range(2)),
            self._send(self._enqueue),
            self._send(self._post_and_enqueue),
        )

    def stop(self) -> None:
        """Send no more."""
        self._stopping = True

    async def answered(self, count: int) -> None:
        """Return after so many further responses with success."""
        async with self._answered:
            upto = self.sent.counts["answered"] + count
            await self._answered.wait_for(lambda: self.sent.counts["answered"] >= upto)

    async def get(self, path: str, **query: Any) -> Any:
        """The document at a path, when the service is available."""
        return (await self._until_answered("GET", path, params=query)).json()

    async def _send(self, send: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping:
            await send()
            async with self._answered:
                self.sent.counts["answered"] += 1
                self._answered.notify_all()
            await asyncio.sleep(PACE_S)

    async def _until_answered(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """The response with success; the same request is sent until there is one."""
        headers = {} if key is None else {"Idempotency-Key": key}
        while True:
            try:
                url = self._processes.url + ROOT + path
                answer = await self._http.request(method, url, json=body, headers=headers, **more)
            except httpx.ConnectError:
                pass  # the service has not started yet
            except httpx.TransportError:
                self.sent.counts["lost"] += 1
            else:
                if answer.is_success:
                    return answer
                assert answer.status_code == 503, answer.text
                self.sent.counts["unavailable"] += 1
            await asyncio.sleep(PAUSE_S)

    async def post(self, path: str, body: Any) -> Any:
        """POST with a key of its own; the document of the response."""
        return (await self._until_answered("POST", path, body, key=new_id())).json()

    async def _wallet(self, balance: str | None) -> str:
        opening = {} if balance is None else {"initial_balance": balance}
        made = await self.post("/wallets", {"user_id": new_user(), **opening})
        self.sent.created.append(made["wallet_id"])
        if balance is not None:
            history = await self.get(f"/wallets/{made['wallet_id']}/transactions")
            self.sent.transactions.append(history["items"][-1]["transaction_id"])
        return made["wallet_id"]

    async def _one_of_many(self) -> None:
        one, other = self._chance.sample(self.wallets, 2)
        match self._chance.randrange(8):
            case 0 | 1 | 2:
                posted = [await self.post(f"/wallets/{one}/consume", {"amount": "1"})]
            case 3 | 4 | 5:
                body = {"amount": "1", "to_wallet_id": other}
                posted = [await self.post(f"/wallets/{one}/transfer", body)]
            case 6:
                batch = [
                    {"type": "consume", "wallet_id": wallet, "amount": "1"} for wallet in (one, other, one)
                ]
                answer = await self.post("/transactions/batch", {"operations": batch})
                posted = [each["transaction"] for each in answer["results"]]
            case _:
                await self._wallet(None)
                return
        self.sent.transactions += [each["transaction_id"] for each in posted]

    async def _change(self, wallet: str) -> None:
        """Names are never given twice, so a change that is sent again changes nothing."""
        name = new_id()
        await self._until_answered("PATCH", f"/wallets/{wallet}", {"name": name})
        self.sent.names.append(name)

    async def _enqueue(self) -> None:
        job = new_id()
        await self._processes.ask(lambda connection: self._enqueue_on(connection, job))
        self.sent.jobs.append(job)

    async def _post_and_enqueue(self) -> None:
        """A posting and a job in one transaction: both or neither, and each once, however often it is sent."""
        job = new_id()
        operation = op("deposit", self._chance.choice(self.wallets), "1", key=f"with:{job}")

        async def both(connection: asyncpg.Connection) -> str | None:
            async with connection.transaction():
                call = json.dumps([unit(operation, resent=True)])
                text = await connection.fetchval("select wallet_api.post_transactions($1)", call)
                outcome = read_outcomes(text)[0][0]
                if outcome.status == "busy":
                    return None
                assert outcome.status in ("posted", "replayed"), outcome
                await self._enqueue_on(connection, job)
                return outcome.transaction["transaction_id"]

        while (posted := await self._processes.ask(both)) is None:  # noqa: ASYNC110 - of the database
            await asyncio.sleep(PAUSE_S)
        self.sent.transactions.append(posted)
        self.sent.jobs.append(job)

    async def _enqueue_on(self, connection: asyncpg.Connection, job: str) -> None:
        await connection.execute(
            "select platform.enqueue_job($1, 'deposit_once', $2, $3)",
            job,
            json.dumps({"wallet_id": self.job_wallet, "amount": "1", "pause_s": 0.2}),
            json.dumps(self.creator),
        )


class PageReader:
    """Reads pages of events, and continues each time after the last cursor."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self.events: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Read until this is cancelled."""
        query: dict[str, str] = {}
        while True:
            page = await self._callers.get("/events", **query)
            self.events += page["items"]
            query["after"] = page["next_cursor"]
            if not page["has_more"]:
                await asyncio.sleep(PAUSE_S)


class EventStreamReader:
    """Reads the stream of events; when it ends, it opens another one after the last event that has arrived."""

    def __init__(self, processes: Processes, after: str, events: list[dict[str, Any]]) -> None:
        self._processes = processes
        self._last_id = after
        self.events = events
        self.opened = 0

    async def run(self) -> None:
        """Read until this is cancelled."""
        async with httpx.AsyncClient(timeout=60) as http:
            while True:
                with suppress(httpx.TransportError):
                    await self._read(http)
                await asyncio.sleep(PAUSE_S)

    async def _read(self, http: httpx.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Last-Event-ID": self._last_id}
        url = f"{self._processes.url}{ROOT}/events/stream"
        async with http.stream("GET", url, headers=headers) as answer:
            if answer.status_code != 200:
                assert answer.status_code == 503, await answer.aread()
                return
            self.opened += 1
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                    continue
                if "data" in fields:
                    self.events.append(json.loads(fields["data"]))
                self._last_id = fields.get("id", self._last_id)
                fields = {}
