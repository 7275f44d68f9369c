"""What is sent to a Supabase project directly, as a program does that has supabase-py and no service."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import supabase
from postgrest import AsyncPostgrestClient

from bench.choice import Uniform
from bench.job import Place
from bench.rows_sql import CallTraffic, check_posted, consume_unit

_TIMEOUT_S = 15.0


class _Rpc(CallTraffic[AsyncPostgrestClient]):
    """One rpc for each operation."""

    async def run(self, connection: AsyncPostgrestClient) -> None:
        params: dict[str, Any] = {"p_units": [consume_unit(self._wallet())]}
        answer = await connection.rpc("post_transactions", params).execute()
        check_posted(str(answer.data), 1)


REST_TRAFFIC: dict[str, Callable[[Place], CallTraffic[AsyncPostgrestClient]]] = {
    "rpc": lambda place: _Rpc(place, Uniform(place.wallets)),
}
"""What can be sent to a project, by name."""


@asynccontextmanager
async def rest_client(place: Place, connections: int) -> AsyncGenerator[AsyncPostgrestClient, None]:
    """A client of the project at the place's address that keeps its connections: supabase-py's own closes most."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits, trust_env=False) as http:
        options = supabase.AsyncClientOptions(
            httpx_client=http, auto_refresh_token=False, persist_session=False
        )
        client = await supabase.acreate_client(place.url, place.key, options)
        yield client.schema("wallet_api")
