"""Waits for a condition: nothing is slept through."""

import asyncio
from collections.abc import Callable

import asyncpg

LONGEST_S = 10
_WAITING = """
select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""


async def wait_for_lock_waiters(connection: asyncpg.Connection, sessions: int) -> None:
    """Return when this many sessions wait for locks, which the connection may hold in its transaction."""
    async with asyncio.timeout(LONGEST_S):
        while await connection.fetchval(_WAITING) < sessions:
            await connection.execute("select pg_stat_clear_snapshot()")


async def wait_until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; it is looked at in each turn of the loop."""
    async with asyncio.timeout(LONGEST_S):
        while not condition():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0)
