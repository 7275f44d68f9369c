"""Waits until sessions of the database wait for locks."""

import asyncio

import asyncpg

LONGEST_S = 10
_WAITING = """
select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""


async def until_waiting(connection: asyncpg.Connection, sessions: int) -> None:
    """Return when this many sessions wait for locks, which the connection may hold in its transaction."""
    async with asyncio.timeout(LONGEST_S):
        while await connection.fetchval(_WAITING) < sessions:
            await connection.execute("select pg_stat_clear_snapshot()")
