"""Two instances on one database: one is paused with a request, and continues after the client was refused elsewhere."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from conftest import FreshDatabase
from support.api import ADMIN_KEY, new_user
from support.service import Service, serving
from wallet_client import AsyncWalletClient, InsufficientFunds, Operation
from wallet_client.keys import new_key

LONGEST_S = 60


class FirstToPaused(httpx.AsyncBaseTransport):
    """Sends the first request to a paused instance, where it gets no response, and the others to a live one."""

    def __init__(self, paused: Service) -> None:
        self._url = httpx.URL(paused.url)
        self._live = httpx.AsyncHTTPTransport()
        self._held: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._held is not None:
            return await self._live.handle_async_request(request)
        self._held = await asyncio.open_connection(self._url.host, self._url.port)
        _, writer = self._held
        head = b"".join(b"%s: %s\r\n" % (name, value) for name, value in request.headers.raw)
        line = b"%s %s HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)
        writer.write(line + head + b"Connection: close\r\n\r\n" + await request.aread())
        await writer.drain()
        raise httpx.ReadTimeout("the instance is paused")

    async def late_response(self) -> bytes:
        """What the instance answers after it continues."""
        assert self._held is not None
        reader, writer = self._held
        async with asyncio.timeout(LONGEST_S):
            response = await reader.read()
        writer.close()
        return response

    async def aclose(self) -> None:
        await self._live.aclose()


@pytest.fixture
async def instances(
    fresh_database: FreshDatabase, own_folder: Path
) -> AsyncIterator[tuple[Service, Service]]:
    settings = {
        "WALLET_DATABASE_URL": (await fresh_database()).service_dsn,
        "WALLET_MIGRATE_ON_START": "false",
        "WALLET_ADMIN_KEY": ADMIN_KEY,
    }
    with ExitStack() as stack:
        live, paused = await asyncio.gather(
            *(
                asyncio.to_thread(stack.enter_context, serving(own_folder / name, **settings))
                for name in ("live", "paused")
            )
        )
        stack.callback(paused.process.send_signal, signal.SIGCONT)
        yield live, paused


async def test_what_was_refused_is_not_posted_later(instances: tuple[Service, Service]) -> None:
    live, paused = instances
    async with AsyncWalletClient(live.url, api_key=ADMIN_KEY) as direct:
        wallets = [
            (await direct.create_wallet(user_id=new_user(), initial_balance=5)).wallet_id for _ in range(4)
        ]
        *_, other = wallets
        lines = [FirstToPaused(paused) for _ in range(3)]
        single, pair, batch = [
            AsyncWalletClient(live.url, api_key=ADMIN_KEY, transport=line) for line in lines
        ]
        keys = [new_key() for _ in range(3)]
        operations = [Operation.deposit(other, 1), Operation.consume(wallets[2], 50)]
        calls = (
            lambda: single.consume(wallets[0], 50, idempotency_key=keys[0]),
            lambda: pair.transfer(wallets[1], other, 50, idempotency_key=keys[1]),
            lambda: batch.transactions.batch(operations, atomic=True, idempotency_key=keys[2]),
        )
        paused.process.send_signal(signal.SIGSTOP)
        for call in calls:
            with pytest.raises(InsufficientFunds) as refused:
                await call()
            assert not refused.value.earlier_attempt_open
        for wallet in wallets[:3]:
            await direct.deposit(wallet, 95)
        paused.process.send_signal(signal.SIGCONT)
        for line in lines:
            assert b'"code": "transaction_superseded"' in await line.late_response()
        assert [(await direct.get_balance(wallet)).balance for wallet in wallets] == [100, 100, 100, 5]
        # The same keys are free for new calls.
        for call in calls:
            await call()
        left = [(await direct.get_balance(wallet)).balance for wallet in wallets]
        assert left == list(map(Decimal, (50, 50, 50, 56)))
        for client in (single, pair, batch):
            await client.aclose()
