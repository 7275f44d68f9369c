"""The ledger's clock in the hands of a test."""

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
    """Stands in for ``wallet.clock()`` in one database, as its superuser."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def install(self) -> None:
        await self._connection.execute(_INSTALL)

    async def set(self, moment: datetime) -> None:
        """From here on it is this moment, until another is set."""
        await self._connection.execute("update wallet_test.clock set moment = $1", moment)

    async def advance(self, by: timedelta) -> None:
        """Let a set clock go on by so much."""
        await self._connection.execute("update wallet_test.clock set moment = moment + $1", by)

    async def reset(self) -> None:
        """Back to the real time."""
        await self._connection.execute("update wallet_test.clock set moment = null")
