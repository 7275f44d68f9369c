"""Both clients where calls are cancelled, connections are scarce, or the client is closed."""

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import httpx
import pytest
from support.slow_server import CREDITS, HEAD, RESPONSE, slow_server
from wallet_client import (
    AsyncWalletClient,
    ClientClosed,
    NoAnswer,
    OutcomeUnknown,
    WalletClient,
    WalletError,
)
from wallet_client.testing import FakeWallet

ID = "0199d0a8-0000-7000-8000-0000000000aa"


async def test_a_client_whose_calls_were_cancelled_goes_on() -> None:
    """httpcore 1.0.9 alone loses a connection of the pool for each that is cancelled at the wrong moment."""
    chance = random.Random(5)  # noqa: S311 - the same each time
    async with (
        slow_server(HEAD, RESPONSE, 10, 0.002) as url,
        AsyncWalletClient(url, api_key="a-key", max_connections=5, timeout_s=5, max_retries=0) as client,
    ):
        loop = asyncio.get_running_loop()
        tasks: list[asyncio.Task[object]] = []
        for number in range(600):
            tasks.append(asyncio.create_task(client.get_credits("u")))
            loop.call_later(chance.random() * 0.03, tasks[-1].cancel)
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(each, asyncio.CancelledError) for each in ended) > 500

        good = await asyncio.gather(*(client.get_credits("u") for _ in range(10)))
        assert [each.balance for each in good] == [1] * 10


async def test_a_cancelled_call_that_waits_for_a_connection_is_not_sent() -> None:
    sent: list[str] = []
    gate = asyncio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path.split("/")[4])
        await gate.wait()
        return httpx.Response(200, json=CREDITS)

    async with AsyncWalletClient(
        "http://wallet", api_key="x", transport=httpx.MockTransport(handle), max_connections=1
    ) as client:
        first = asyncio.create_task(client.get_credits("one"))
        await asyncio.sleep(0)
        second = asyncio.create_task(client.get_credits("two"))
        await asyncio.sleep(0)
        second.cancel()
        gate.set()
        await first
        assert (await client.get_credits("three")).balance == 1
    assert sent == ["one", "three"]


def test_threads_that_wait_for_a_connection_end_within_the_budget() -> None:
    free = threading.Event()

    def hold(_: httpx.Request) -> httpx.Response:
        assert free.wait(20)
        return httpx.Response(200, json=CREDITS)

    with (
        WalletClient(
            "http://wallet",
            api_key="x",
            transport=httpx.MockTransport(hold),
            max_connections=1,
            retry_budget_s=0.5,
            max_retries=0,
        ) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        first = threads.submit(client.get_credits, "u")
        while client._runner._sender._places._value:
            time.sleep(0)

        def wait(_: int) -> float:
            began = time.monotonic()
            with pytest.raises(NoAnswer, match="PoolTimeout"):
                client.get_credits("u")
            return time.monotonic() - began

        assert max(threads.map(wait, range(3))) < 0.5
        free.set()
        assert first.result(20).balance == 1


async def test_a_closed_client_says_so() -> None:
    fake = FakeWallet()
    client, aclient = fake.client(), fake.async_client()
    client.close()
    await aclient.aclose()
    with pytest.raises(ClientClosed):
        client.consume(ID, 1)
    with pytest.raises(ClientClosed):
        await aclient.consume(ID, 1)
    assert fake.calls == []


def test_a_client_that_is_closed_between_two_tries_forgets_no_open_one() -> None:
    fake = FakeWallet()
    client = fake.client(on_retry=lambda _: client.close())
    fake.fail_next(httpx.ReadTimeout, after=True)
    with pytest.raises(OutcomeUnknown) as caught:
        client.consume(ID, 1, idempotency_key="k")
    assert isinstance(caught.value.__cause__, ClientClosed)
    assert caught.value.idempotency_key == "k"


async def test_a_client_that_is_closed_while_it_waits_for_an_answer_cancels_nobody() -> None:
    sent = asyncio.Event()

    async def hold(_: httpx.Request) -> httpx.Response:
        sent.set()
        await asyncio.Event().wait()
        raise AssertionError

    client = AsyncWalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(hold))
    call = asyncio.create_task(client.consume(ID, 1))
    await sent.wait()
    await client.aclose()
    with pytest.raises(OutcomeUnknown) as caught:
        await call
    assert isinstance(caught.value.__cause__, ClientClosed)


async def test_options_for_some_calls_share_the_rest() -> None:
    fake = FakeWallet()
    with fake.client() as client:
        wallet_id = client.create_wallet(user_id="u").wallet_id
        quick = client.with_options(max_retries=0, timeout_s=0.5)
        fake.fail_next(503, times=2)
        with pytest.raises(WalletError):
            quick.wallets.get(wallet_id)
        assert client.wallets.get(wallet_id).balance == 0
        assert client.metrics.snapshot().calls == 3
        with pytest.raises(TypeError, match="max_connections"):
            client.with_options(max_connections=3)  # pyright: ignore[reportCallIssue]  # which is shown
    async with fake.async_client() as aclient:
        assert (await aclient.with_options(retry_budget_s=2).get_wallet(wallet_id)).balance == 0
    with pytest.raises(ClientClosed):
        quick.get_wallet(wallet_id)


async def test_a_mock_of_a_client_has_its_calls_and_their_parameters() -> None:
    made = mock.create_autospec(WalletClient, instance=True)
    made.consume("w", 1)
    made.transactions.batch([])
    with pytest.raises(TypeError):
        made.consume("w", 1, amuont=2)
    amade = mock.create_autospec(AsyncWalletClient, instance=True)
    await amade.consume("w", 1)
    await amade.transactions.batch([])
    with (
        mock.patch.object(WalletClient, "consume", autospec=True) as patched,
        FakeWallet().client() as client,
    ):
        client.consume("w", 1)
    patched.assert_called_once_with(client, "w", 1)


def test_a_subclass_may_override_a_call() -> None:
    class Own(WalletClient):
        def get_credits(self, user_id: str) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # as callers may
            return user_id

    class Further(Own):
        pass

    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=CREDITS))
    with Further("http://wallet", api_key="x", transport=transport) as client:
        assert client.get_credits("u") == "u"
        assert client.credits.balance("u").balance == 1
