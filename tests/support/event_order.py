"""Postings and changes in transactions of any length, and what readers of events must find of them."""

import asyncio
import json
import random
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from support.kernel.harness import Kernel, op, transfer, unit

SESSIONS = 6
TRANSACTIONS = 12


@dataclass(frozen=True)
class Seen:
    """An event as a reader sees it."""

    number: int
    event_id: str
    type: str
    wallet_id: str | None
    wallet_version: int | None
    data: dict[str, Any]


async def number(on: Any, limit: int = 2000) -> int:
    """Number what is committed; returns how many events got a number."""
    answer = json.loads(await on.fetchval("select wallet_api.number_events($1)", limit))
    return answer["numbered"]


def read_lines(text: str) -> tuple[dict[str, Any], list[Seen]]:
    """The place and the events of a page of ``read_events``."""
    first, *lines = text.split("\n")
    events = []
    for facts, data, _ in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        its_number, event_id, kind, _, _, wallet_id, version, _, _ = json.loads(facts)
        events.append(Seen(its_number, event_id, kind, wallet_id, version, json.loads(data)))
    return json.loads(first), events


async def read_page(on: Any, after: int, limit: int = 100) -> tuple[dict[str, Any], list[Seen]]:
    """The events after a number."""
    return read_lines(await on.fetchval("select wallet_api.read_events($1, $2)", after, limit))


async def read_all(on: Any, after: int = 0) -> list[Seen]:
    """All events after a number that have one."""
    found: list[Seen] = []
    while True:
        place, events = await read_page(on, after)
        found += events
        after = place["after"]
        if not place["more"]:
            return found


@dataclass
class Reader:
    """Numbers and reads while others post, and keeps what it has seen."""

    kernel: Kernel
    seen: list[Seen] = field(default_factory=list)
    after: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - no secret

    async def step(self) -> None:
        """One read at the tail."""
        await number(self.kernel.pool, limit=self.chance.choice((1, 3, 2000)))
        place, events = await read_page(self.kernel.pool, self.after, limit=self.chance.choice((1, 7, 100)))
        self.seen += events
        self.after = place["after"]


async def long_beside_short(kernel: Kernel) -> None:
    """A transaction that began first posts last, and one that posted first commits last: the wallet's order stays."""
    wallet, other, third = [await kernel.wallet("10") for _ in range(3)]
    reader = Reader(kernel)
    await reader.step()
    async with AsyncExitStack() as stack:
        early, slow = [await stack.enter_async_context(_transaction(kernel)) for _ in range(2)]
        await early.fetchval("select pg_current_xact_id()")
        await slow.fetchval("select pg_current_xact_id()")
        await kernel.one(op("deposit", wallet, "1"))
        await kernel.one(op("deposit", third, "1"), on=slow)  # takes its sequence, commits last
        await kernel.one(op("deposit", wallet, "2"), on=early)  # an earlier id, a later version
        await kernel.one(op("deposit", other, "1"))
        await reader.step()
        await early.execute("commit")
        await reader.step()
        await kernel.one(op("deposit", other, "2"))
        await reader.step()
        await slow.execute("commit")
    await finish(reader)


async def both_at_once(kernel: Kernel) -> None:
    """The two entries of a wallet get their numbers in one call, and the later one has the lower transaction id."""
    wallet = await kernel.wallet()
    reader = Reader(kernel)
    async with AsyncExitStack() as stack:
        early = await stack.enter_async_context(_transaction(kernel))
        await early.fetchval("select pg_current_xact_id()")
        await kernel.one(op("deposit", wallet, "1"))
        await kernel.one(op("deposit", wallet, "2"), on=early)
        await early.execute("commit")
    await finish(reader)


async def one_at_a_time(kernel: Kernel) -> None:
    """While a call gives numbers, another one returns at once, and readers see nothing of it."""
    await kernel.wallet("1")
    async with kernel.pool.acquire() as other, other.transaction(), kernel.pool.acquire() as second:
        assert await number(other) == 1
        await second.execute("set lock_timeout = '100ms'")
        answer = json.loads(await second.fetchval("select wallet_api.number_events()"))
        assert answer == {"numbered": 0, "more": True}
        answer = json.loads(await second.fetchval("select wallet_api.number_events(2000, 50)"))
        assert answer == {"numbered": 0, "more": True}
        assert await read_all(kernel.pool) == []
    assert len(await read_all(kernel.pool)) == 1


async def at_random(kernel: Kernel) -> None:
    """Sessions post one to three times in transactions that stay open a while, while a reader numbers and reads."""
    wallets = [await kernel.wallet("1000") for _ in range(4)]
    reader = Reader(kernel)
    ended = asyncio.Event()

    async def read() -> None:
        while not ended.is_set():
            await reader.step()

    async def post(source: random.Random) -> None:
        for _ in range(TRANSACTIONS):
            async with kernel.pool.acquire() as connection, _rolled_back(connection):
                if source.random() < 0.5:
                    await connection.fetchval("select pg_current_xact_id()")
                # One call in a transaction takes keys before wallets; several would have to follow one order.
                first, second = source.sample(sorted(wallets), 2)
                operations = [op("deposit", first, "1"), transfer(first, second, "1"), op("fee", second, "1")]
                kept = unit(*source.sample(operations, source.randint(1, 3)))
                await kernel.post(kept, on=connection)
                for _ in range(source.randint(0, 5)):
                    await asyncio.sleep(0)
                if source.random() < 0.8:
                    await connection.execute("commit")

    reading = asyncio.create_task(read())
    await asyncio.gather(*(post(random.Random(seed)) for seed in range(SESSIONS)))  # noqa: S311 - no secret
    ended.set()
    await reading
    await finish(reader)


async def finish(reader: Reader) -> None:
    """Read the rest, and check everything: no gap, none missed, none twice, each wallet in its order."""
    kernel = reader.kernel
    while await number(kernel.pool):
        pass
    reader.seen += await read_all(kernel.pool, reader.after)
    assert await kernel.value("select count(*) from platform.outbox") == 0
    seen = reader.seen
    assert [event.number for event in seen] == list(range(1, len(seen) + 1)), "numbers without gaps, in order"
    assert len({event.event_id for event in seen}) == len(seen), "an id for each event"
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for event in seen:
        if event.type == "transaction.posted":
            assert event.wallet_id is not None
            assert event.wallet_version is not None
            assert (event.data["wallet_id"], event.data["wallet_version"]) == (
                event.wallet_id,
                event.wallet_version,
            )
            versions[event.wallet_id].append(event.wallet_version)
    entries: defaultdict[str, list[int]] = defaultdict(list)
    for row in await kernel.rows(
        "select wallet_id::text, wallet_version from wallet.wallet_transactions order by wallet_version"
    ):
        entries[row["wallet_id"]].append(row["wallet_version"])
    assert versions == entries, "each entry once, in the order of its wallet's versions"


class _transaction:  # noqa: N801 - used like a function
    """A session with an open transaction, which is rolled back unless it was committed."""

    def __init__(self, kernel: Kernel) -> None:
        self._dsn = kernel.dsn

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection = await asyncpg.connect(self._dsn)
        await self._connection.execute("begin")
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()


class _rolled_back:  # noqa: N801 - used like a function
    """A transaction on a connection of a pool, which is rolled back unless it was committed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        await self._connection.execute("begin")

    async def __aexit__(self, *_: object) -> None:
        if self._connection.is_in_transaction():
            await self._connection.execute("rollback")
