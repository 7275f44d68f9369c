import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from wallet_service.platform.database.connections import LONGEST_IDLE_S, Connections

SIZE = 2
LONG_S = 60.0
"""Enough to open a connection on a busy machine."""
SHORT_S = 0.1
"""For a call whose time is meant to end."""


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def connections(service_dsn: str, clock: Clock) -> AsyncIterator[Connections]:
    pool = await asyncpg.create_pool(service_dsn, min_size=0, max_size=SIZE)
    opened = Connections(pool, SIZE, clock=clock)
    yield opened
    async with asyncio.timeout(20):
        await opened.close()


async def taken(connections: Connections, within_s: float = LONG_S) -> Any:
    return await connections.take(asyncio.get_running_loop().time() + within_s)


async def session(connection: Any) -> int:
    return await connection.fetchval("select pg_backend_pid()")


async def test_the_connection_used_last_is_used_next(connections: Connections) -> None:
    first, second = await taken(connections), await taken(connections)
    assert await session(first) != await session(second)
    await connections.give_back(second, reusable=True)
    await connections.give_back(first, reusable=True)
    for _ in range(3):
        again = await taken(connections)
        assert again is first
        await connections.give_back(again, reusable=True)


async def test_no_more_than_so_many_and_the_next_waits_for_its_turn(connections: Connections) -> None:
    first, second = await taken(connections), await taken(connections)
    with pytest.raises(TimeoutError):
        await taken(connections, SHORT_S)
    waiting = asyncio.create_task(taken(connections))
    await asyncio.sleep(0)
    assert not waiting.done()
    await connections.give_back(first, reusable=True)
    assert await waiting is first
    await connections.give_back(first, reusable=True)
    await connections.give_back(second, reusable=True)


async def test_a_failed_one_goes_back_to_the_pool(connections: Connections) -> None:
    for _ in range(2 * SIZE):
        connection = await taken(connections)
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetchval("select 1 / 0")
        await connections.give_back(connection, reusable=False)
        await asyncio.gather(*connections._releasing)
        with pytest.raises(asyncpg.InterfaceError, match="released"):
            await session(connection)


async def test_one_that_was_lost_meanwhile_is_replaced(connections: Connections) -> None:
    connection = await taken(connections)
    await connections.give_back(connection, reusable=True)
    connection.terminate()
    for _ in range(2 * SIZE):
        other = await taken(connections)
        assert await session(other)
        await connections.give_back(other, reusable=True)


async def test_one_that_was_idle_for_long_is_not_used_again(connections: Connections, clock: Clock) -> None:
    first = await taken(connections)
    before = await session(first)
    await connections.give_back(first, reusable=True)
    clock.now += LONGEST_IDLE_S
    second = await taken(connections)
    assert await session(second) != before
    await connections.give_back(second, reusable=True)


async def test_those_that_are_no_longer_needed_are_closed(
    connections: Connections, clock: Clock, superuser: asyncpg.Connection
) -> None:
    often, seldom = await taken(connections), await taken(connections)
    unneeded = await session(seldom)
    for connection in (seldom, often):
        await connections.give_back(connection, reusable=True)
    clock.now += LONGEST_IDLE_S - 1
    await connections.give_back(await taken(connections), reusable=True)
    clock.now += 2
    assert await taken(connections) is often
    await connections.give_back(often, reusable=True)
    async with asyncio.timeout(20):
        while await superuser.fetchval("select count(*) from pg_stat_activity where pid = $1", unneeded):
            pass
    assert await session(often)


async def test_after_a_call_without_an_answer_those_unused_since_then_are_ended(
    connections: Connections, clock: Clock
) -> None:
    """Their server may hang: each would let another call find out."""
    before, since = await taken(connections), await taken(connections)
    gone = await session(before)
    await connections.give_back(before, reusable=True)
    clock.now += 5
    await connections.give_back(since, reusable=True)
    await connections.drop_idle(5)

    assert await taken(connections) is since
    other = await taken(connections)
    assert await session(other) != gone
    for connection in (since, other):
        await connections.give_back(connection, reusable=True)


async def test_a_cancelled_wait_takes_no_turn(connections: Connections) -> None:
    all_taken = [await taken(connections) for _ in range(SIZE)]
    waiting = asyncio.create_task(taken(connections))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for connection in all_taken:
        await connections.give_back(connection, reusable=True)
    for connection in [await taken(connections) for _ in range(SIZE)]:
        await connections.give_back(connection, reusable=True)


async def test_closing_waits_for_those_in_use(connections: Connections) -> None:
    connection = await taken(connections)
    closing = asyncio.create_task(connections.close())
    await asyncio.sleep(0)
    assert await session(connection)
    assert not closing.done()
    await connections.give_back(connection, reusable=True)
    async with asyncio.timeout(20):
        await closing
    with pytest.raises(asyncpg.InterfaceError):
        await taken(connections)
