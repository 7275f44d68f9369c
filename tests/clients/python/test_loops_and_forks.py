"""One client in several event loops, and in the child processes of a fork."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from support.credits_server import CreditsServer, credits_server
from wallet_client import AsyncWalletClient, TransportNotUsable, WalletClient
from wallet_client.testing import FakeWallet

T = TypeVar("T")

ID = "0199d0a8-0000-7000-8000-0000000000aa"
SOURCES = Path(__file__).parents[3] / "clients" / "python" / "src"


@pytest.fixture
def server() -> Iterator[CreditsServer]:
    with credits_server() as running:
        yield running


def in_a_thread(function: Callable[[], T]) -> T:
    """The result of what runs event loops of its own, beside the loop of the tests."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(function).result(60)


def test_a_client_serves_one_event_loop_after_another(server: CreditsServer) -> None:
    client = AsyncWalletClient(server.url, api_key="a-key", max_retries=0)

    async def debit(reference: str) -> list[str | None]:
        made = await asyncio.gather(*(client.consume(ID, 1, reference=reference) for _ in range(3)))
        return [each.reference for each in made]

    def run() -> list[list[str | None]]:
        return [asyncio.run(debit(reference)) for reference in "abc"]

    assert in_a_thread(run) == [["a"] * 3, ["b"] * 3, ["c"] * 3]
    assert len(set(server.keys)) == len(server.keys) == 9
    assert server.connections <= 9
    assert len(client._runner._sender._pools) == 0  # each loop closed its connections at its end


def test_a_client_serves_event_loops_at_the_same_time_and_closes_all_of_them(server: CreditsServer) -> None:
    client = AsyncWalletClient(server.url, api_key="a-key", max_retries=0)
    both = threading.Barrier(2, timeout=60)

    async def debit(*, close: bool) -> int:
        for _ in range(20):
            await client.consume(ID, 1)
        await asyncio.to_thread(both.wait)
        if close:
            await client.aclose()
        await asyncio.to_thread(both.wait)
        return 20

    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(asyncio.run, debit(close=close)) for close in (True, False)]
        assert [each.result(60) for each in done] == [20, 20]
    assert len(server.keys) == 40
    assert server.connections == 2


class Counting(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that may have connections, as far as the client knows."""

    def __init__(self) -> None:
        self.sent = 0
        self.fake = FakeWallet()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        return self.fake.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        return await self.fake.handle_async_request(request)


def test_a_transport_of_another_event_loop_is_refused_before_anything_is_sent() -> None:
    transport = Counting()
    client = AsyncWalletClient("http://wallet", api_key="a-key", transport=transport)

    async def create() -> None:
        await client.create_wallet(user_id="u")

    def run() -> None:
        asyncio.run(create())
        asyncio.run(create())

    with pytest.raises(TransportNotUsable, match=r"another event loop.*create a client in this event loop"):
        in_a_thread(run)
    assert transport.sent == 1


def test_what_has_no_connections_serves_every_event_loop() -> None:
    fake = FakeWallet()
    client = fake.async_client()

    def run() -> list[str]:
        return [asyncio.run(client.create_wallet(user_id=user)).user_id for user in "ab"]

    assert in_a_thread(run) == ["a", "b"]


FORKS = """
import asyncio, os, sys, threading
from wallet_client import AsyncWalletClient, TransportNotUsable, WalletClient

client = WalletClient(sys.argv[1], api_key="a-key", max_retries=0)
aclient = AsyncWalletClient(sys.argv[1], api_key="a-key", max_retries=0)


def read(user):
    assert client.get_credits(user).user_id == user
    assert asyncio.run(aclient.get_credits(user)).user_id == user


read("parent")
client.metrics._lock.acquire()  # as a thread of the parent may hold it at the moment of the fork
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        try:
            for turn in range(25):
                read(f"child-{number}-{turn}")
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
client.metrics._lock.release()
for turn in range(25):
    read(f"parent-{turn}")
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
client.close()
asyncio.run(aclient.aclose())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_after_a_fork_each_process_has_connections_of_its_own(server: CreditsServer) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKS, server.url],
        env={"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_transport_of_the_parent_process_is_refused_before_anything_is_sent() -> None:
    transport = Counting()
    with WalletClient("http://wallet", api_key="a-key", transport=transport) as client:
        client._runner._sender._renew()  # as in a child process, before the parent used the transport
        client.create_wallet(user_id="u")
        client._runner._sender._renew()
        with pytest.raises(TransportNotUsable, match=r"another process.*leave out `transport`"):
            client.create_wallet(user_id="v")
        assert transport.sent == 1
