"""Waits for a condition by asking again and again, without a fixed sleep."""

import asyncio
from collections.abc import Callable

import asyncpg

LONGEST_S = 10
_WAITING = """
select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""


async def wait_for_lock_waiters(connection: asyncpg.Connection, sessions: int) -> None:
    """Return when this many sessions wait for locks. The connection itself may hold the locks."""
    async with asyncio.timeout(LONGEST_S):
        while await connection.fetchval(_WAITING) < sessions:
            await connection.execute("select pg_stat_clear_snapshot()")


async def wait_until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; it is checked in each iteration of the event loop."""
    async with asyncio.timeout(LONGEST_S):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
