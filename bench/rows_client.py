"""The requests of programs that call the service: by plain httpx, and by the client library."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import httpx
import uuid_utils
from wallet_client import AsyncWalletClient

from bench.choice import Uniform
from bench.job import RowFailed, System
from bench.rows_sql import CallTraffic

_TIMEOUT_S = 15.0
_CREATED = 201
_AMOUNT = Decimal(1)


@dataclass(frozen=True, slots=True)
class Program:
    """A process that calls the service.

    Attributes:
        raw: httpx.
        client: the client library.
    """

    raw: httpx.AsyncClient
    client: AsyncWalletClient


class _Raw(CallTraffic[Program]):
    """The code of a careful caller: an idempotency key, and a decoded response."""

    async def run(self, connection: Program) -> None:
        answer = await connection.raw.post(
            f"/api/v1/wallets/{self._wallet()}/consume",
            json={"amount": "1", "reference": "bench"},
            headers={"Idempotency-Key": str(uuid_utils.uuid7())},
        )
        if answer.status_code != _CREATED or answer.json()["amount"] != "1.000000":
            raise RowFailed(f"unexpected response {answer.status_code}: {answer.text[-400:]}")


class _Client(CallTraffic[Program]):
    """The same by the client library."""

    async def run(self, connection: Program) -> None:
        posted = await connection.client.consume(self._wallet(), _AMOUNT, reference="bench")
        if posted.amount != _AMOUNT:
            raise RowFailed(f"unexpected response {posted}")


CLIENT_TRAFFIC: dict[str, Callable[[System], CallTraffic[Program]]] = {
    "httpx": lambda system: _Raw(system, Uniform(system.wallets)),
    "client_library": lambda system: _Client(system, Uniform(system.wallets)),
}
"""The traffic of programs, by name."""


@asynccontextmanager
async def calling_program(system: System, connections: int) -> AsyncGenerator[Program, None]:
    """Both ways to the service, each with this number of connections."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    headers = {"Authorization": f"Bearer {system.key}"}
    async with (
        httpx.AsyncClient(base_url=system.url, headers=headers, timeout=_TIMEOUT_S, limits=limits) as raw,
        AsyncWalletClient(
            system.url, api_key=system.key, timeout_s=_TIMEOUT_S, max_connections=connections
        ) as client,
    ):
        yield Program(raw, client)
