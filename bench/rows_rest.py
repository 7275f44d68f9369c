"""The requests of the rows that go directly to a Supabase project: by supabase-py, and by parts of the service."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import supabase
from postgrest import AsyncPostgrestClient

from bench.choice import Uniform
from bench.job import RowFailed, System
from bench.rows_sql import CallTraffic, check_posted, consume_operation, consume_unit
from wallet_service.core.errors import WalletError
from wallet_service.ledger.group_commit import Ledger
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.database.supabase import SupabaseDatabase

_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Caller:
    """The ways from one process to a project, without the service's HTTP.

    Attributes:
        rpc: supabase-py over httpx.
        database: the service's driver.
        ledger: group commit over that driver.
    """

    rpc: AsyncPostgrestClient
    database: Database
    ledger: Ledger


class _Rpc(CallTraffic[Caller]):
    """supabase-py, one RPC for each operation."""

    async def run(self, connection: Caller) -> None:
        params: dict[str, Any] = {"p_units": [consume_unit(self._wallet())]}
        answer = await connection.rpc.rpc("post_transactions", params).execute()
        check_posted(str(answer.data), 1)


class _Call(CallTraffic[Caller]):
    """The driver, one RPC for each operation."""

    async def run(self, connection: Caller) -> None:
        units = Json.of([consume_unit(self._wallet())])
        check_posted((await connection.database.call("post_transactions", units=units)).decode(), 1)


class _Grouped(CallTraffic[Caller]):
    """The ledger: units that wait while a batch commits leave in one RPC."""

    async def run(self, connection: Caller) -> None:
        try:
            await connection.ledger.post_one(consume_operation(self._wallet()))
        except WalletError as error:
            raise RowFailed(f"not posted: {error}") from error


REST_TRAFFIC: dict[str, Callable[[System], CallTraffic[Caller]]] = {
    "rpc": lambda system: _Rpc(system, Uniform(system.wallets)),
    "call": lambda system: _Call(system, Uniform(system.wallets)),
    "grouped": lambda system: _Grouped(system, Uniform(system.wallets)),
}
"""The traffic to a project, by name."""


@asynccontextmanager
async def rest_caller(system: System, connections: int) -> AsyncGenerator[Caller, None]:
    """A caller of the project. supabase-py's client keeps this number of connections.

    With its default HTTP client it would close most of them after each call.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    database = await SupabaseDatabase.connect(system.url, system.key, pool_size=connections)
    ledger = Ledger(database)
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits, trust_env=False) as http:
            options = supabase.AsyncClientOptions(
                httpx_client=http, auto_refresh_token=False, persist_session=False
            )
            client = await supabase.acreate_client(system.url, system.key, options)
            yield Caller(client.schema("wallet_api"), database, ledger)
    finally:
        await ledger.close()
        await database.close()
