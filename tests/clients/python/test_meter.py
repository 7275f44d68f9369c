"""Both meters on FakeWallet: what is charged, refused or reported unsent, when they are full, and at the end."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.polling import wait_until
from wallet_client import (
    AsyncWalletClient,
    InsufficientFunds,
    Posted,
    ServiceError,
    Transaction,
    WalletClient,
)
from wallet_client.meter import AsyncUsageMeter, MeterClosed, MeterFull, Unsent, Usage, UsageMeter
from wallet_client.testing import FakeWallet

SOURCES = Path(__file__).parents[3] / "clients/python/src"
WAIT_S = 20
FOREVER = 10_000


@dataclass
class Told:
    """What the callbacks were told."""

    charged: list[str] = field(default_factory=list)
    refused: list[tuple[str, ServiceError]] = field(default_factory=list)
    unsent: list[Unsent] = field(default_factory=list)

    def on_charged(self, usage: Usage, transaction: Transaction) -> None:
        assert transaction.amount > 0
        self.charged.append(usage.key)

    def on_refused(self, usage: Usage, error: ServiceError) -> None:
        self.refused.append((usage.key, error))

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "on_charged": self.on_charged,
            "on_refused": self.on_refused,
            "on_unsent": self.unsent.append,
        }

    def keys(self) -> list[str]:
        refused = [key for key, _ in self.refused]
        return sorted([*self.charged, *refused, *(each.usage.key for each in self.unsent)])


class Gate(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Holds requests back until it is opened."""

    def __init__(self, fake: FakeWallet) -> None:
        self._fake = fake
        self.open = threading.Event()
        self.reached = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.reached.set()
        assert self.open.wait(WAIT_S)
        return self._fake.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reached.set()
        assert await asyncio.to_thread(self.open.wait, WAIT_S)
        return await self._fake.handle_async_request(request)


@pytest.fixture
def fake() -> FakeWallet:
    return FakeWallet()


@pytest.fixture
def client(fake: FakeWallet) -> Iterator[WalletClient]:
    with fake.client(max_retries=0) as opened:
        yield opened


@pytest.fixture
def wallet_id(client: WalletClient) -> str:
    return client.create_wallet(user_id="ada", initial_balance=100).wallet_id


@pytest.fixture
def told() -> Told:
    return Told()


def gated(fake: FakeWallet) -> tuple[Gate, WalletClient]:
    gate = Gate(fake)
    return gate, WalletClient("http://wallet", api_key="x", transport=gate)


def test_each_event_is_charged_or_refused(fake: FakeWallet, client: WalletClient, told: Told) -> None:
    wallet_id = client.create_wallet(user_id="ada", initial_balance=100).wallet_id
    with UsageMeter(client, **told.callbacks, max_batch=50, max_delay_s=60) as meter:
        keys = [meter.record(wallet_id, 1, reference=f"call-{number}") for number in range(130)]
        dear = meter.record(wallet_id, "0.0000001", idempotency_key="dear")
    assert dear == "dear"
    assert told.charged == keys[:100]
    assert [key for key, _ in told.refused] == [*keys[100:], "dear"]
    assert isinstance(told.refused[0][1], InsufficientFunds)
    assert fake.balance("ada") == 0
    assert sum(call.path.endswith("/batch") for call in fake.calls) == 3
    counts = meter.counts
    assert (counts.recorded, counts.charged, counts.refused, counts.unsent, counts.pending) == (
        131,
        100,
        31,
        0,
        0,
    )
    with pytest.raises(MeterClosed):
        meter.record(wallet_id, 1)
    assert meter.close() == []


def test_an_event_leaves_after_its_delay_without_being_asked(
    client: WalletClient, wallet_id: str, told: Told
) -> None:
    charged = threading.Event()
    callbacks = told.callbacks | {"on_charged": lambda *_: charged.set()}
    with UsageMeter(client, **callbacks, max_delay_s=0.01) as meter:
        meter.record(wallet_id, 1)
        assert charged.wait(WAIT_S)
        meter.record(wallet_id, 1)
        assert meter.flush(WAIT_S)
        assert meter.counts.charged == 2


def test_many_threads_record(fake: FakeWallet, client: WalletClient, wallet_id: str, told: Told) -> None:
    with UsageMeter(client, **told.callbacks, max_events=20, block_timeout_s=WAIT_S) as meter:
        threads = [
            threading.Thread(target=lambda: [meter.record(wallet_id, "0.1") for _ in range(50)])
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
    assert len(set(told.charged)) == 300
    assert fake.balance("ada") == 70


@pytest.mark.parametrize("when_full", ["raise", "block"])
def test_it_holds_no_more_than_it_may(fake: FakeWallet, told: Told, wallet_id: str, when_full: Any) -> None:
    gate, client = gated(fake)
    meter = UsageMeter(
        client, **told.callbacks, max_events=5, max_batch=2, when_full=when_full, block_timeout_s=0.01
    )
    for _ in range(5):
        meter.record(wallet_id, 1)
    for _ in range(3):
        with pytest.raises(MeterFull):
            meter.record(wallet_id, 1)
    assert (meter.counts.recorded, meter.counts.pending) == (5, 5)
    assert meter.counts.oldest_age_s > 0
    gate.open.set()
    assert meter.close() == []
    assert len(told.charged) == 5


def test_who_waits_for_room_gets_it(fake: FakeWallet, told: Told, wallet_id: str) -> None:
    gate, client = gated(fake)
    with UsageMeter(client, **told.callbacks, max_events=1, block_timeout_s=WAIT_S) as meter:
        meter.record(wallet_id, 1)
        second = threading.Thread(target=meter.record, args=(wallet_id, 1))
        second.start()
        assert gate.reached.wait(WAIT_S)
        gate.open.set()
        second.join(WAIT_S)
        assert meter.counts.recorded == 2
    assert len(told.charged) == 2


def test_all_is_reported_unsent_when_the_service_is_away(
    fake: FakeWallet, client: WalletClient, wallet_id: str, told: Told
) -> None:
    meter = UsageMeter(client, **told.callbacks, max_delay_s=60, give_up_after_s=0.01)
    fake.fail_next(httpx.ConnectError, times=FOREVER)
    keys = [meter.record(wallet_id, 1) for _ in range(5)]
    unsent = meter.close(WAIT_S)
    assert sorted(each.usage.key for each in unsent) == sorted(keys)
    assert unsent == told.unsent
    assert not any(each.outcome_unknown for each in unsent)
    assert told.charged == []
    assert meter.counts.unsent == 5


def test_what_nobody_knows_of_is_charged_once_when_it_is_sent_again(
    fake: FakeWallet, client: WalletClient, wallet_id: str, told: Told
) -> None:
    meter = UsageMeter(client, **told.callbacks, max_delay_s=0, give_up_after_s=0.05)
    fake.fail_next(httpx.ReadTimeout, times=FOREVER, after=True)
    meter.record(wallet_id, 1)
    assert meter.flush(WAIT_S)
    (unsent,) = told.unsent
    assert unsent.outcome_unknown
    assert fake.balance("ada") == 99
    assert meter.close() == []
    fake.stop_failing()
    (result,) = client.transactions.batch([unsent.usage.operation])
    assert isinstance(result, Posted)
    assert result.transaction.replayed
    assert fake.balance("ada") == 99


def test_a_callback_that_fails_loses_no_other_event(client: WalletClient, wallet_id: str, told: Told) -> None:
    seen: list[str] = []

    def fail(usage: Usage, transaction: Transaction) -> None:
        del transaction
        seen.append(usage.key)
        raise RuntimeError("of the caller")

    with UsageMeter(client, **told.callbacks | {"on_charged": fail}, max_batch=3) as meter:
        keys = [meter.record(wallet_id, 1) for _ in range(10)]
    assert seen == keys


def test_a_callback_may_record_and_never_waits_for_itself(
    client: WalletClient, wallet_id: str, told: Told
) -> None:
    raised: list[Exception] = []
    tried = threading.Event()

    def try_all(usage: Usage, transaction: Transaction) -> None:
        del usage, transaction
        for call in (
            lambda: meter.record(wallet_id, 1),
            lambda: meter.record(wallet_id, 1),
            meter.flush,
            meter.close,
        ):
            try:
                call()
            except (MeterFull, RuntimeError) as error:
                raised.append(error)
        tried.set()

    callbacks = told.callbacks | {"on_charged": try_all}
    meter = UsageMeter(client, **callbacks, max_events=1, block_timeout_s=FOREVER, max_delay_s=60)
    meter.record(wallet_id, 30)
    assert tried.wait(WAIT_S)
    meter.close(WAIT_S)
    assert [type(error) for error in raised[:3]] == [MeterFull, RuntimeError, RuntimeError]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
def test_a_refusal_of_the_whole_request_is_waited_out(
    fake: FakeWallet, client: WalletClient, wallet_id: str, told: Told, status: int
) -> None:
    if status in (401, 403):
        fake.fail_next(status)
    else:
        fake.fail_next(status, times=2, after=status in (500, 502))
    with UsageMeter(client, **told.callbacks) as meter:
        keys = [meter.record(wallet_id, 1) for _ in range(4)]
    assert sorted(told.charged) == sorted(keys)
    assert fake.balance("ada") == 96


def test_a_batch_that_is_too_large_goes_in_parts(
    fake: FakeWallet, client: WalletClient, wallet_id: str, told: Told
) -> None:
    with UsageMeter(client, **told.callbacks) as meter:
        for _ in range(100):
            meter.record(wallet_id, 1, metadata={"prompt": "x" * 15_000})
    assert (len(told.charged), told.refused, told.unsent) == (100, [], [])
    assert [call.status for call in fake.calls].count(413) == 1


def test_one_event_that_cant_be_stored_spares_the_others(
    client: WalletClient, wallet_id: str, told: Told
) -> None:
    with UsageMeter(client, **told.callbacks) as meter:
        keys = [
            meter.record(wallet_id, 1, metadata={"text": "\0" if number == 7 else "fine"})
            for number in range(20)
        ]
    assert told.keys() == sorted(keys)
    ((key, error),) = told.refused
    assert (key, error.code) == (keys[7], "validation_failed")


def test_a_callback_that_exits_ends_no_thread(client: WalletClient, wallet_id: str, told: Told) -> None:
    def leave(usage: Usage, transaction: Transaction) -> None:
        told.on_charged(usage, transaction)
        raise SystemExit

    with UsageMeter(client, **told.callbacks | {"on_charged": leave}, max_delay_s=0) as meter:
        for _ in range(3):
            meter.record(wallet_id, 1)
            assert meter.flush(WAIT_S)
    assert len(told.charged) == 3


@pytest.mark.parametrize("name", ["on_charged", "on_refused", "on_unsent"])
def test_a_callback_that_nobody_would_await_is_refused(
    fake: FakeWallet, client: WalletClient, told: Told, name: str
) -> None:
    async def never(*_: object) -> None: ...

    for make in (lambda c: UsageMeter(client, **c), lambda c: AsyncUsageMeter(fake.async_client(), **c)):
        with pytest.raises(TypeError, match=name):
            make(told.callbacks | {name: never})


def test_flush_waits_for_what_was_recorded_before_it(fake: FakeWallet, told: Told, wallet_id: str) -> None:
    flushed = threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        if not flushed.is_set():
            meter.record(wallet_id, "0.01")  # so that there is always something pending
        return fake.handle_request(request)

    client = WalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(answer))
    meter = UsageMeter(client, **told.callbacks, max_batch=2, max_delay_s=60)
    before = [meter.record(wallet_id, 1) for _ in range(5)]
    assert meter.flush(WAIT_S)
    flushed.set()
    assert set(before) <= set(told.charged)
    assert meter.close(WAIT_S) == []


_INTERRUPTED = """
import signal, sys, time
import httpx
from wallet_client import WalletClient, UsageMeter

def away(request):
    print("sending", flush=True)
    time.sleep(30)
    raise httpx.ConnectError("away")

signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.argv[1] == "SIGTERM":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
client = WalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(away))
told = lambda *_: print("told", flush=True)
with UsageMeter(client, on_refused=told, on_unsent=told, max_delay_s=60, close_timeout_s=25) as meter:
    for _ in range(5):
        meter.record("w", 1)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_it_closes_loses_nothing_silently(name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, name],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "sending\n"
        process.send_signal(getattr(signal, name))
        said, _ = process.communicate(timeout=WAIT_S)
    assert said.splitlines() == ["told"] * 5
    assert process.returncode == (128 + signal.SIGTERM if name == "SIGTERM" else -signal.SIGINT)


# AsyncUsageMeter: what is not the same code.

_CANCELLED = """
import asyncio, signal, sys
from wallet_client import AsyncUsageMeter
from wallet_client.testing import FakeWallet

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    fake = FakeWallet()
    wallet_id = fake.client().create_wallet(user_id="ada", initial_balance=4).wallet_id
    told = dict.fromkeys(("on_refused", "on_unsent"), lambda *_: print("told"))
    async with fake.async_client() as client, AsyncUsageMeter(client, **told, max_delay_s=60) as meter:
        try:
            for _ in range(5):
                await meter.record(wallet_id, 1)
            print("recorded", flush=True)
            await asyncio.Event().wait()
        finally:
            print("left", fake.balance("ada"))
    print("never here")

try:
    asyncio.run(main())
except asyncio.CancelledError:
    sys.exit(143)
"""


def test_a_signal_that_cancels_the_task_sends_what_is_left() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CANCELLED],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recorded\n"
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=WAIT_S)
    assert (said.splitlines(), errors, process.returncode) == (["left 4.000000", "told"], "", 143)


async def test_the_async_meter_charges_or_refuses_each_event(fake: FakeWallet, told: Told) -> None:
    async with fake.async_client() as client:
        wallet = await client.create_wallet(user_id="ada", initial_balance=100)
        async with AsyncUsageMeter(client, **told.callbacks, max_events=40, max_batch=15) as meter:

            async def record() -> list[str]:
                return [await meter.record(wallet.wallet_id, 1) for _ in range(13)]

            recorded = await asyncio.gather(*(record() for _ in range(10)))
            assert await meter.flush(WAIT_S)
            assert meter.counts.pending == 0
        with pytest.raises(MeterClosed):
            await meter.record(wallet.wallet_id, 1)
    assert told.keys() == sorted(key for keys in recorded for key in keys)
    assert (len(told.charged), len(told.refused), told.unsent) == (100, 30, [])
    assert fake.balance("ada") == 0


async def test_tasks_that_wait_for_room_get_it_in_turn(fake: FakeWallet, told: Told) -> None:
    turns: list[int] = []
    async with fake.async_client() as client:
        wallet = await client.create_wallet(user_id="ada", initial_balance=100)
        async with AsyncUsageMeter(client, **told.callbacks, max_events=1, max_batch=1) as meter:

            async def record(number: int) -> None:
                for _ in range(5):
                    await meter.record(wallet.wallet_id, 1)
                    turns.append(number)

            await asyncio.gather(*map(record, range(3)))
    # The first takes the free place and then the end of the line; from there on each in turn.
    assert [turns.count(number) for number in range(3)] == [5, 5, 5]
    assert all(len(set(turns[start : start + 3])) == 3 for start in range(1, 10, 3))


@pytest.mark.parametrize("when_full", ["raise", "block"])
async def test_the_async_meter_holds_no_more_than_it_may(
    fake: FakeWallet, told: Told, wallet_id: str, when_full: Any
) -> None:
    gate = Gate(fake)
    client = AsyncWalletClient("http://wallet", api_key="x", transport=gate)
    limits: dict[str, Any] = {"max_events": 2, "when_full": when_full, "block_timeout_s": 0.01}
    meter = AsyncUsageMeter(client, **told.callbacks, **limits)
    for _ in range(2):
        await meter.record(wallet_id, 1)
    with pytest.raises(MeterFull):
        await meter.record(wallet_id, 1)
    assert not await meter.flush(timeout_s=0.01)
    gate.open.set()
    assert await meter.aclose() == []
    assert await meter.aclose() == []
    assert len(told.charged) == 2


async def test_the_async_meter_reports_what_it_could_not_send(fake: FakeWallet, told: Told) -> None:
    async with fake.async_client(max_retries=0) as client:
        wallet = await client.create_wallet(user_id="ada", initial_balance=100)
        meter = AsyncUsageMeter(client, **told.callbacks, max_delay_s=0)
        fake.fail_next(httpx.ReadTimeout, times=FOREVER, after=True)
        keys = [await meter.record(wallet.wallet_id, 1) for _ in range(3)]
        await wait_until(lambda: len(fake.calls) > 1)  # it was tried
        unsent = await meter.aclose(timeout_s=0.01)
    assert sorted(each.usage.key for each in unsent) == sorted(keys)
    assert all(each.outcome_unknown for each in unsent)
    assert unsent == told.unsent


def test_a_loop_that_ends_without_closing_loses_nothing_silently(fake: FakeWallet, told: Told) -> None:
    async def forget() -> str:
        client = fake.async_client()
        wallet = await client.create_wallet(user_id="ada", initial_balance=100)
        meter = AsyncUsageMeter(client, **told.callbacks, max_delay_s=WAIT_S)
        key = await meter.record(wallet.wallet_id, 1)
        await asyncio.sleep(0)  # let the task begin
        return key

    key = asyncio.run(forget())
    assert [(each.usage.key, each.outcome_unknown) for each in told.unsent] == [(key, False)]
