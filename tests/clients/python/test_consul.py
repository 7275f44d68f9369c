"""The service is found through a real Consul: an instance dies, and no caller sees it."""

import asyncio
import socket
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import FreshDatabase
from support.api import new_user
from support.callers import crash
from support.consul_agent import ConsulAgent, agent_with_acl
from support.service import serving
from wallet_client import AsyncWalletClient, NoAnswer, WalletClient
from wallet_client._consul import ASIDE_S, Instances

ID = "0199d0a8-0000-7000-8000-0000000000aa"
KEY = "client-test-key-" + "k" * 32
NAME = "wallet_service"
NAMES = {"service": NAME, "consul": "http://consul:8500"}
WAIT_S = 20


class Fetched:
    """Where instances are, and a clock, as the test says."""

    def __init__(self, *urls: str) -> None:
        self.urls: list[str] | Exception = list(urls)
        self.fetched = 0
        self.now_s = 0.0

    def __call__(self) -> list[str]:
        self.fetched += 1
        if isinstance(self.urls, Exception):
            raise self.urls
        return self.urls

    def clock(self) -> float:
        return self.now_s


def loaded(fetched: Fetched) -> Instances:
    instances = Instances(fetched, 10.0, fetched.clock, **NAMES)
    instances.load().result(WAIT_S)
    return instances


def refreshed(instances: Instances) -> None:
    """Return when the thread that asks again has ended."""
    fetching = instances._fetching
    if fetching is not None:
        fetching.result(WAIT_S)


def test_instances_take_turns_and_one_that_failed_is_left_out_for_a_while() -> None:
    fetched = Fetched("http://a", "http://b", "http://c")
    instances = loaded(fetched)

    assert {instances.choose() for _ in range(3)} == {"http://a", "http://b", "http://c"}
    instances.failed("http://b")
    assert {instances.choose() for _ in range(6)} == {"http://a", "http://c"}
    fetched.now_s += 1
    instances.failed("http://a")
    instances.failed("http://c")
    assert {instances.choose() for _ in range(6)} == {"http://b"}
    fetched.now_s += ASIDE_S + 0.1
    assert {instances.choose() for _ in range(3)} == {"http://a", "http://b", "http://c"}


def test_the_list_is_asked_for_again_when_it_is_old_and_kept_while_nobody_answers() -> None:
    fetched = Fetched("http://a")
    instances = loaded(fetched)

    for urls in (["http://b"], [], ConnectionError("Consul is away")):
        fetched.urls = urls
        fetched.now_s += 10.1
        instances.choose()
        refreshed(instances)
        assert [instances.choose() for _ in range(2)] == ["http://b"] * 2
    assert fetched.fetched == 4


def test_without_any_instance_a_call_ends_within_its_budget() -> None:
    fetched: Any = Fetched()
    with (
        WalletClient(Instances(fetched, 10.0, **NAMES), api_key=KEY, retry_budget_s=1.0) as client,
        pytest.raises(NoAnswer, match="no healthy instance"),
    ):
        client.get_wallet(ID)
    assert fetched.fetched > 1


def test_a_service_without_instances_ends_a_call_within_the_budget_of_connecting() -> None:
    fetched: Any = Fetched()
    began = time.monotonic()
    with (
        WalletClient(Instances(fetched, 10.0, **NAMES), api_key=KEY, connect_budget_s=0.5) as client,
        pytest.raises(NoAnswer, match="no healthy instance"),
    ):
        client.get_wallet(ID)
    assert time.monotonic() - began < 15
    assert fetched.fetched > 1


def test_a_consul_that_hangs_keeps_nobody_beyond_the_budget_and_is_asked_once() -> None:
    hangs, asked = threading.Event(), list[int]()

    def fetch() -> list[str]:
        asked.append(1)
        assert hangs.wait(WAIT_S)
        return []

    with (
        WalletClient(Instances(fetch, 10.0, **NAMES), api_key=KEY, retry_budget_s=0.4) as client,
        ThreadPoolExecutor(12) as threads,
    ):

        def call(_: int) -> float:
            began = time.monotonic()
            with pytest.raises(NoAnswer):
                client.get_wallet(ID)
            return time.monotonic() - began

        assert max(threads.map(call, range(12))) < 1.5
        assert len(asked) == 1
        hangs.set()


async def test_such_a_consul_keeps_no_task_beyond_the_budget() -> None:
    hangs = threading.Event()

    def fetch() -> list[str]:
        assert hangs.wait(WAIT_S)
        return []

    async with AsyncWalletClient(Instances(fetch, 10.0, **NAMES), api_key=KEY, retry_budget_s=0.4) as client:
        async with asyncio.timeout(2):
            ended = await asyncio.gather(*(client.get_wallet(ID) for _ in range(40)), return_exceptions=True)
        hangs.set()
    assert {type(each) for each in ended} == {NoAnswer}


def test_a_thread_that_could_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    fetched = Fetched("http://a")
    instances = loaded(fetched)
    fetched.urls, fetched.now_s = ["http://b"], 10.1
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        assert instances.choose() == "http://a"
    fetched.now_s = 20.3
    instances.choose()
    refreshed(instances)
    assert instances.choose() == "http://b"


def test_after_a_fork_the_list_is_still_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = Fetched("http://a")
    reconnected: list[bool] = []
    instances = Instances(fetched, 10.0, fetched.clock, **NAMES, reconnect=lambda: reconnected.append(True))
    instances.load().result(WAIT_S)
    with monkeypatch.context() as patched:  # a thread of the parent's asks, which the child does not have
        patched.setattr(threading.Thread, "start", lambda _: None)
        fetched.now_s = 10.1
        instances.choose()
    fetched.urls = ["http://b"]
    instances._lock.acquire()  # as a thread of the parent may at the moment of the fork
    instances._renew_in_child()
    instances.choose()
    refreshed(instances)
    assert instances.choose() == "http://b"
    assert reconnected == [True]


def refused(consul_url: str, **options: Any) -> NoAnswer:
    """What a call ends with that finds no instance through this Consul."""
    with (
        WalletClient.from_consul(consul_url, api_key=KEY, max_retries=0, **options) as client,
        pytest.raises(NoAnswer) as ended,
    ):
        client.statistics.currencies()
    return ended.value


def test_a_consul_that_is_not_there_is_named_and_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        at = f"127.0.0.1:{closed.getsockname()[1]}"

    error = refused(f"http://user:password@{at}", token="secret")

    why = "returned no list of the service 'wallet_service' (ConnectionError)"
    assert str(error) == f"list_currencies: Consul at http://{at} {why}"
    assert isinstance(error.__cause__, OSError)
    assert "refused" in str(error.__cause__)
    told = "".join(traceback.format_exception(error))
    assert "secret" not in told
    assert "password" not in told


@pytest.mark.consul
def test_a_service_that_consul_does_not_know_is_named_and_a_refusal_is_something_else(
    consul: ConsulAgent,
) -> None:
    error = refused(consul.url, service="walet_service")
    where = f"list_currencies: Consul at {consul.url}"
    assert str(error) == f"{where} knows no healthy instance of the service 'walet_service'"
    assert error.__cause__ is None

    with agent_with_acl() as guarded:
        error = refused(guarded.url, token="5e1f7e57-0000-4000-8000-00000000beef")
    assert str(error).endswith("(ACLPermissionDenied)")
    assert isinstance(error.__cause__, ConnectionError)
    assert "beef" not in "".join(traceback.format_exception(error))


@pytest.mark.consul
async def test_an_instance_is_killed_and_no_call_fails(
    consul: ConsulAgent, fresh_database: FreshDatabase, own_folder: Path
) -> None:
    dsn = (await fresh_database()).service_dsn
    settings = {"WALLET_DATABASE_URL": dsn, "WALLET_MIGRATE_ON_START": "false", "WALLET_ADMIN_KEY": KEY}
    with ExitStack() as stack:
        services = await asyncio.gather(
            *(asyncio.to_thread(stack.enter_context, serving(own_folder, **settings)) for _ in range(2))
        )
        for service in services:
            # Healthy as far as Consul knows, also when it is dead: a second is enough for many calls.
            consul.add(NAME, int(service.url.rpartition(":")[2]))
        async with AsyncWalletClient.from_consul(consul.url, api_key=KEY) as client:
            wallet = await client.create_wallet(user_id=new_user(), initial_balance=1000)
            answered = 0

            async def debit() -> None:
                nonlocal answered
                for _ in range(25):
                    await client.consume(wallet.wallet_id, 1)
                    answered += 1

            tasks = [asyncio.create_task(debit()) for _ in range(8)]
            while answered < 40:  # noqa: ASYNC110 - the debits tell
                await asyncio.sleep(0)
            await crash(services[0])
            await asyncio.gather(*tasks)

            counted = client.metrics.snapshot()
            assert counted.errors == {}
            assert counted.retries > 0
            assert (await client.get_balance(wallet.wallet_id)).balance == 800

        def sync() -> int:
            with WalletClient.from_consul(consul.url, api_key=KEY) as client:
                for _ in range(4):
                    client.consume(wallet.wallet_id, 1)
                return int(client.get_balance(wallet.wallet_id).balance)

        assert await asyncio.to_thread(sync) == 796


def test_without_the_extra_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("wallet_client._consul.import_module", missing)
    with pytest.raises(ImportError, match="install py-consul"):
        WalletClient.from_consul(api_key=KEY)
