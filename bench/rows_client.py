"""What programs send that call the service: by httpx as it is, and by our client."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import httpx
import uuid_utils
from wallet_client import AsyncWalletClient

from bench.choice import Uniform
from bench.job import Place, RowFailed
from bench.rows_sql import CallTraffic

_TIMEOUT_S = 15.0
_CREATED = 201
_AMOUNT = Decimal(1)


@dataclass(frozen=True, slots=True)
class Program:
    """A process that calls the service.

    Attributes:
        raw: httpx.
        client: ours.
    """

    raw: httpx.AsyncClient
    client: AsyncWalletClient


class _Raw(CallTraffic[Program]):
    """What a careful caller writes by hand: a key, and the answer decoded."""

    async def run(self, connection: Program) -> None:
        answer = await connection.raw.post(
            f"/api/v1/wallets/{self._wallet()}/consume",
            json={"amount": "1", "reference": "bench"},
            headers={"Idempotency-Key": str(uuid_utils.uuid7())},
        )
        if answer.status_code != _CREATED or answer.json()["amount"] != "1.000000":
            raise RowFailed(f"unexpected answer {answer.status_code}: {answer.text[-400:]}")


class _Client(CallTraffic[Program]):
    """The same by our client."""

    async def run(self, connection: Program) -> None:
        posted = await connection.client.consume(self._wallet(), _AMOUNT, reference="bench")
        if posted.amount != _AMOUNT:
            raise RowFailed(f"unexpected answer {posted}")


CLIENT_TRAFFIC: dict[str, Callable[[Place], CallTraffic[Program]]] = {
    "raw httpx": lambda place: _Raw(place, Uniform(place.wallets)),
    "our client": lambda place: _Client(place, Uniform(place.wallets)),
}
"""What programs send, by name."""


@asynccontextmanager
async def calling_program(place: Place, connections: int) -> AsyncGenerator[Program, None]:
    """Both ways to the service at the place's address, each with so many connections."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    headers = {"Authorization": f"Bearer {place.key}"}
    async with (
        httpx.AsyncClient(base_url=place.url, headers=headers, timeout=_TIMEOUT_S, limits=limits) as raw,
        AsyncWalletClient(
            place.url, api_key=place.key, timeout_s=_TIMEOUT_S, max_connections=connections
        ) as client,
    ):
        yield Program(raw, client)
