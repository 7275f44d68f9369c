"""What is sent to a Supabase project directly: as a program does that has supabase-py, and by pieces of the service."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import supabase
from postgrest import AsyncPostgrestClient

from bench.choice import Uniform
from bench.job import Place, RowFailed
from bench.rows_sql import CallTraffic, check_posted, consume_operation, consume_unit
from wallet_service.core.errors import WalletError
from wallet_service.ledger.group_commit import Ledger
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.database.supabase import SupabaseDatabase

_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Caller:
    """The ways from one process to a project, without HTTP before them.

    Attributes:
        rpc: supabase-py, over httpx as it is.
        database: the service's driver.
        ledger: group commit before that driver.
    """

    rpc: AsyncPostgrestClient
    database: Database
    ledger: Ledger


class _Rpc(CallTraffic[Caller]):
    """supabase-py, one rpc for each operation."""

    async def run(self, connection: Caller) -> None:
        params: dict[str, Any] = {"p_units": [consume_unit(self._wallet())]}
        answer = await connection.rpc.rpc("post_transactions", params).execute()
        check_posted(str(answer.data), 1)


class _Call(CallTraffic[Caller]):
    """The driver, one rpc for each operation."""

    async def run(self, connection: Caller) -> None:
        units = Json.of([consume_unit(self._wallet())])
        check_posted((await connection.database.call("post_transactions", units=units)).decode(), 1)


class _Grouped(CallTraffic[Caller]):
    """The ledger: what waits while a batch is under way leaves in one rpc."""

    async def run(self, connection: Caller) -> None:
        try:
            await connection.ledger.post_one(consume_operation(self._wallet()))
        except WalletError as error:
            raise RowFailed(f"not posted: {error}") from error


REST_TRAFFIC: dict[str, Callable[[Place], CallTraffic[Caller]]] = {
    "rpc": lambda place: _Rpc(place, Uniform(place.wallets)),
    "call": lambda place: _Call(place, Uniform(place.wallets)),
    "grouped": lambda place: _Grouped(place, Uniform(place.wallets)),
}
"""What can be sent to a project, by name."""


@asynccontextmanager
async def rest_caller(place: Place, connections: int) -> AsyncGenerator[Caller, None]:
    """A caller of the project at the place's address; supabase-py's client keeps so many connections.

    Without a client of ours, it would close most of them after each call.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    database = await SupabaseDatabase.connect(place.url, place.key, pool_size=connections)
    ledger = Ledger(database)
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits, trust_env=False) as http:
            options = supabase.AsyncClientOptions(
                httpx_client=http, auto_refresh_token=False, persist_session=False
            )
            client = await supabase.acreate_client(place.url, place.key, options)
            yield Caller(client.schema("wallet_api"), database, ledger)
    finally:
        await ledger.close()
        await database.close()
