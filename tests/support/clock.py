"""A clock of the ledger that a test sets."""

from datetime import datetime, timedelta

import asyncpg

_INSTALL = """
create schema wallet_test;
create table wallet_test.clock (moment timestamptz);
insert into wallet_test.clock values (null);
grant usage on schema wallet_test to wallet_owner;
grant select on wallet_test.clock to wallet_owner;
create or replace function wallet.clock() returns timestamptz language sql volatile as
  $$ select coalesce((select moment from wallet_test.clock), pg_catalog.clock_timestamp()) $$;
"""


class SettableClock:
    """Replaces ``wallet.clock()`` in one database."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def install(self) -> None:
        await self._connection.execute(_INSTALL)

    async def set(self, moment: datetime) -> None:
        """Set the time. It stands still until it is set again."""
        await self._connection.execute("update wallet_test.clock set moment = $1", moment)

    async def advance(self, by: timedelta) -> None:
        """Advance a clock that was set."""
        await self._connection.execute("update wallet_test.clock set moment = moment + $1", by)

    async def reset(self) -> None:
        """Show the real time again."""
        await self._connection.execute("update wallet_test.clock set moment = null")
