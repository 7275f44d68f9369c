"""Callers of the wallet service that find it through Consul, as another team's service does."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from support.consul_agent import ConsulAgent, eventually
from support.service import Service
from support.settings import make_settings
from wallet_service.platform.upstreams.watch import Upstream, Upstreams, upstream_discovery

NAME = "wallet_service"
WALLET = "wallet"


def ends(service: Service) -> Callable[[], bool]:
    return lambda: service.process.poll() is not None


async def crash(service: Service) -> None:
    service.process.send_signal(signal.SIGKILL)
    await eventually(ends(service))


@asynccontextmanager
async def followed(consul: ConsulAgent) -> AsyncIterator[Upstreams]:
    """Discovery of a caller of the wallet service, once Consul has named an instance, which may take a while."""
    table = {WALLET: Upstream(NAME, lambda _: None, 8208)}
    given = make_settings(consul_url=consul.url, environment="production", verify_users=True)
    async with upstream_discovery(given, table) as discovery:
        await eventually(lambda: discovery.known(WALLET) > 0)
        yield discovery


@dataclass
class Callers:
    """They debit one wallet on the instance that discovery names, and retry once on another."""

    discovery: Upstreams
    client: httpx.AsyncClient
    wallet: str
    done: int = 0
    again: int = 0
    stopping: bool = False

    async def call(self, number: int) -> None:
        """Debit until ``stopping`` is set. An error after the retry fails the test."""
        turn = 0
        while not self.stopping:
            turn += 1
            key = f"caller-{number}-{turn}"
            url = self.discovery.instance(WALLET)
            try:
                answer = await self._consume(url, key)
            except httpx.TransportError:
                self.again += 1
                self.discovery.failed(WALLET, url)
                answer = await self._consume(self.discovery.instance(WALLET), key)
            assert answer.status_code == 201, answer.text
            self.done += 1

    async def more(self, debits: int) -> None:
        """Return when this many more debits are done."""
        target = self.done + debits
        await eventually(lambda: self.done >= target)

    async def _consume(self, url: str, key: str) -> httpx.Response:
        path = f"{url}/api/v1/wallets/{self.wallet}/consume"
        return await self.client.post(path, json={"amount": "1"}, headers={"Idempotency-Key": key})
