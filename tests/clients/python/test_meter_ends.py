"""Each event ends in exactly one of charged, refused and reported unsent, whatever happens to the process meanwhile."""

import asyncio
import math
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from support.callback_log import CallbackLog
from wallet_client import (
    AsyncWalletClient,
    InsufficientFunds,
    Refused,
    RequestEvent,
    Transaction,
    WalletClient,
)
from wallet_client.meter import AsyncUsageMeter, MeterClosed, MeterFull, Unsent, Usage, UsageMeter
from wallet_client.meter.core import MeterCore
from wallet_client.meter.usage import debit
from wallet_client.testing import FakeWallet

WAIT_S = 20
WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


@pytest.fixture
def fake() -> FakeWallet:
    return FakeWallet()


@pytest.fixture
def told() -> CallbackLog:
    return CallbackLog()


def in_child(do: Callable[[], object]) -> int:
    """The exit status of a child of this process that does it; a signal where it hangs."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # that there are threads
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(WAIT_S)
        status = 1
        try:
            do()
            status = 0
        finally:
            traceback.print_exc()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_who_closes_tells_what_a_slow_callback_left(fake: FakeWallet, told: CallbackLog) -> None:
    """The thread ends with the process, in the middle of its telling."""
    first, go_on = threading.Event(), threading.Event()

    def slow(usage: Usage, transaction: Transaction) -> None:
        told.record_usage(usage, transaction)
        if not first.is_set():
            first.set()
            assert go_on.wait(WAIT_S)

    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=2)
        meter = UsageMeter(client, **told.callbacks | {"on_charged": slow}, max_delay_s=60)
        keys = [meter.record(wallet.wallet_id, 1) for _ in range(5)]
        meter._core.flush()
        with meter._changed:
            meter._changed.notify_all()
        assert first.wait(WAIT_S)
        assert meter.close(timeout_s=0.01) == []
        assert told.keys == keys
        go_on.set()
        assert meter._thread is not None
        meter._thread.join(WAIT_S)
        assert told.keys == keys


def test_a_slow_callback_delays_no_call_that_waits_for_room(fake: FakeWallet, told: CallbackLog) -> None:
    go_on = threading.Event()

    def slow(usage: Usage, transaction: Transaction) -> None:
        assert go_on.wait(WAIT_S / 4)
        told.record_usage(usage, transaction)

    def answer(request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + WAIT_S
        while len(meter._line) == 0 and not go_on.is_set():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return fake.handle_request(request)

    client = WalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(answer))
    with fake.client() as other, client:
        wallet_id = other.create_wallet(user_id="ada", initial_balance=2).wallet_id
        callbacks = told.callbacks | {"on_charged": slow}
        with UsageMeter(client, **callbacks, max_events=1, block_timeout_s=WAIT_S) as meter:
            keys = [meter.record(wallet_id, 1) for _ in range(2)]  # the second one waits for room
            go_on.set()
    assert told.keys == keys


def test_an_event_is_sent_in_time_although_nothing_woke_the_sender(
    fake: FakeWallet, told: CallbackLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception of a signal handler stopped ``record`` before it woke the sender."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=2)
        with UsageMeter(client, **told.callbacks, max_delay_s=0.01) as meter:
            meter.record(wallet.wallet_id, 1)
            assert meter.flush(WAIT_S)
            with monkeypatch.context() as patch:
                patch.setattr(meter, "_notify", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    meter.record(wallet.wallet_id, 1)
            deadline = time.monotonic() + WAIT_S
            while len(told.keys) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_a_new_call_does_not_overtake_those_that_wait_for_room(fake: FakeWallet, told: CallbackLog) -> None:
    with fake.client() as client, UsageMeter(client, **told.callbacks, when_full="raise") as meter:
        waiting, gone = threading.Lock(), threading.Lock()
        meter._line.extend((gone, waiting))
        with waiting, pytest.raises(MeterFull):
            meter.record(WALLET, 1)
        meter.record(WALLET, 1)
        assert not meter._line


def test_a_hook_of_the_client_cant_wait_for_the_meter_that_sends(fake: FakeWallet, told: CallbackLog) -> None:
    raised: list[type[Exception]] = []

    def hook(event: RequestEvent) -> None:
        if event.name == "batch":
            for call in (meter.flush, meter.close, lambda: meter.record(WALLET, 1)):
                try:
                    call()
                except (RuntimeError, MeterFull) as error:
                    raised.append(type(error))

    with fake.client(on_request=hook) as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=2)
        meter = UsageMeter(client, **told.callbacks, max_events=1, block_timeout_s=10_000)
        meter.record(wallet.wallet_id, 1)
        assert meter.flush(WAIT_S)
        assert meter.close() == []
    assert raised == [RuntimeError, RuntimeError, MeterFull]


def test_threads_that_wait_for_room_get_it_in_turn(fake: FakeWallet, told: CallbackLog) -> None:
    open_ = threading.Semaphore(0)

    def answer(request: httpx.Request) -> httpx.Response:
        assert open_.acquire(timeout=WAIT_S)
        return fake.handle_request(request)

    client = WalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(answer))
    with fake.client() as other, client:
        wallet_id = other.create_wallet(user_id="ada", initial_balance=99).wallet_id
        meter = UsageMeter(client, **told.callbacks, max_events=1, block_timeout_s=WAIT_S)
        keys = [meter.record(wallet_id, 1, idempotency_key="first")]
        waiting = list[threading.Thread]()
        for number in range(8):
            keys.append(str(number))
            record = partial(meter.record, wallet_id, 1, idempotency_key=keys[-1])
            waiting.append(threading.Thread(target=record))
            waiting[-1].start()
            deadline = time.monotonic() + WAIT_S
            while len(meter._line) < number + 1:
                assert time.monotonic() < deadline
                time.sleep(0.001)
        open_.release(len(keys))
        for thread in waiting:
            thread.join(WAIT_S)
        assert meter.close(WAIT_S) == []
    assert told.keys == keys


def test_close_in_a_callback_of_close_returns_nothing_and_may_exit(
    fake: FakeWallet, told: CallbackLog
) -> None:
    """As in a signal handler that runs while the closing thread reports."""

    def handle(_: Unsent) -> None:
        closed.append(meter.close())
        raise SystemExit

    closed: list[list[Unsent]] = []
    fake.fail_next(httpx.ConnectError, times=10_000)
    with fake.client(max_retries=0) as client:
        meter = UsageMeter(client, **told.callbacks | {"on_unsent": handle})
        for _ in range(2):
            meter.record(WALLET, 1)
        with pytest.raises(SystemExit):
            meter.close(timeout_s=0.01)
        assert closed == [[], []]
        assert meter.counts.unsent == 2


def test_flush_waits_for_the_callbacks(fake: FakeWallet, told: CallbackLog) -> None:
    called, go_on = threading.Event(), threading.Event()

    def slow(usage: Usage, transaction: Transaction) -> None:
        called.set()
        assert go_on.wait(WAIT_S)
        told.record_usage(usage, transaction)

    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=9)
        with UsageMeter(client, **told.callbacks | {"on_charged": slow}) as meter:
            key = meter.record(wallet.wallet_id, 1)
            assert not meter.flush(0.01)
            assert called.wait(WAIT_S)
            assert not meter.flush(0.01)
            go_on.set()
            assert meter.flush(WAIT_S)
            assert told.keys == [key]


@pytest.mark.parametrize("timeout_s", [0, WAIT_S])
def test_a_second_close_waits_for_the_first_in_its_own_time(
    fake: FakeWallet, told: CallbackLog, timeout_s: float
) -> None:
    reached, open_ = threading.Event(), threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        reached.set()
        assert open_.wait(WAIT_S)
        return fake.handle_request(request)

    client = WalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(answer))
    with fake.client() as other, client:
        wallet_id = other.create_wallet(user_id="ada", initial_balance=9).wallet_id
        meter = UsageMeter(client, **told.callbacks, max_delay_s=60)
        key = meter.record(wallet_id, 1)
        first = threading.Thread(target=meter.close, args=(WAIT_S,))
        first.start()
        assert reached.wait(WAIT_S)
        if timeout_s:
            open_.set()
        assert meter.close(timeout_s) == []
        assert told.keys == ([key] if timeout_s else [])
        open_.set()
        first.join()
    assert (told.keys, told.unsent) == ([key], [])


def test_a_thread_that_could_not_start_is_started_by_the_next(
    fake: FakeWallet, told: CallbackLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=2)
        meter = UsageMeter(client, **told.callbacks)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="start"):
                meter.record(wallet.wallet_id, 1)
        assert meter.counts.recorded == 0
        key = meter.record(wallet.wallet_id, 1)
        assert meter.flush(WAIT_S)
        assert meter.close() == []
    assert told.keys == [key]


def test_a_hook_of_the_client_that_exits_ends_no_thread(fake: FakeWallet, told: CallbackLog) -> None:
    left: list[RequestEvent] = []

    def leave(event: RequestEvent) -> None:
        if event.name == "batch" and not left:
            left.append(event)
            raise SystemExit

    with fake.client(on_request=leave) as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=2)
        with UsageMeter(client, **told.callbacks, max_delay_s=0) as meter:
            key = meter.record(wallet.wallet_id, 1)
            assert meter.flush(WAIT_S)
    assert (told.keys, told.unsent) == ([key], [])


def test_an_endless_delay_is_one(fake: FakeWallet, told: CallbackLog) -> None:
    endless: dict[str, Any] = dict.fromkeys(("max_delay_s", "close_timeout_s", "block_timeout_s"), math.inf)
    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=9)
        with UsageMeter(client, **told.callbacks, **endless, max_batch=2, max_events=2) as meter:
            keys = [meter.record(wallet.wallet_id, 1) for _ in range(5)]
    assert (told.keys, told.unsent) == (keys, [])


def test_a_child_asks_nothing_of_its_parents_meter(fake: FakeWallet, told: CallbackLog) -> None:
    with fake.client() as client, UsageMeter(client, **told.callbacks) as meter:

        def ask() -> None:
            for call in (lambda: meter.counts, meter.flush, lambda: meter.record(WALLET, 1)):
                with pytest.raises(MeterClosed, match="fork"):
                    call()
            assert meter.close() == []

        held, let_go = threading.Event(), threading.Event()

        def hold() -> None:
            with meter._changed:
                held.set()
                assert let_go.wait(WAIT_S)

        holding = threading.Thread(target=hold)
        holding.start()
        assert held.wait(WAIT_S)
        assert in_child(ask) == 0
        let_go.set()
        holding.join()


def test_a_child_records_nothing_in_its_parents_async_meter(fake: FakeWallet, told: CallbackLog) -> None:
    async def record(meter: AsyncUsageMeter) -> None:
        with pytest.raises(MeterClosed, match="fork"):
            await meter.record(WALLET, 1)
        assert await meter.aclose() == []

    meter = AsyncUsageMeter(fake.async_client(), **told.callbacks)
    assert in_child(lambda: asyncio.run(record(meter))) == 0


def test_a_loop_that_ends_at_once_loses_nothing_and_ends_the_meter(
    fake: FakeWallet, told: CallbackLog
) -> None:
    meter = AsyncUsageMeter(fake.async_client(), **told.callbacks)
    key = asyncio.run(meter.record(WALLET, 1))
    assert told.keys == [key]

    async def again() -> None:
        with pytest.raises(MeterClosed):
            await meter.record(WALLET, 1)
        assert await meter.flush(WAIT_S)

    asyncio.run(again())


def test_a_meter_of_another_loop_takes_nothing(fake: FakeWallet, told: CallbackLog) -> None:
    meter = AsyncUsageMeter(fake.async_client(), **told.callbacks)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        key = first.run_until_complete(meter.record(WALLET, 1))
        for call in (meter.record(WALLET, 1), meter.flush(), meter.aclose()):
            with pytest.raises(RuntimeError, match="another event loop"):
                second.run_until_complete(call)
        assert [each.usage.key for each in first.run_until_complete(meter.aclose(0))] == told.keys == [key]
    finally:
        first.close()
        second.close()


async def test_a_second_aclose_waits_for_the_first_in_its_own_time(
    fake: FakeWallet, told: CallbackLog
) -> None:
    reached, open_ = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        reached.set()
        await open_.wait()
        return await fake.handle_async_request(request)

    wallet_id = fake.client().create_wallet(user_id="ada", initial_balance=9).wallet_id
    async with AsyncWalletClient(
        "http://wallet", api_key="x", transport=httpx.MockTransport(answer)
    ) as client:
        meter = AsyncUsageMeter(client, **told.callbacks, max_delay_s=60)
        key = await meter.record(wallet_id, 1)
        first = asyncio.create_task(meter.aclose(WAIT_S))
        await reached.wait()
        assert (await meter.aclose(0), told.keys) == ([], [])
        open_.set()
        assert (await meter.aclose(WAIT_S), told.keys) == ([], [key])
        assert (await first, told.unsent) == ([], [])


async def test_who_flushes_does_not_wait_for_what_was_given_up(fake: FakeWallet, told: CallbackLog) -> None:
    fake.fail_next(httpx.ConnectError, times=10_000)
    async with fake.async_client(max_retries=0) as client:
        meter = AsyncUsageMeter(client, **told.callbacks)
        key = await meter.record(WALLET, 1)
        flushing = asyncio.create_task(meter.flush())
        await asyncio.sleep(0)
        await meter.aclose(timeout_s=0.01)
        assert await asyncio.wait_for(flushing, WAIT_S)
    assert told.keys == [key]


def test_a_batch_that_was_answered_with_too_few_results_may_have_been_charged() -> None:
    unsent: list[Unsent] = []
    callbacks = (pytest.fail, pytest.fail, unsent.append)
    core = MeterCore(callbacks, max_events=2, max_batch=2, max_delay_s=0, give_up_after_s=300)
    for number in range(2):
        core.add(*debit(WALLET, 1, idempotency_key=str(number)), 0.0)
    assert core.take(0.0)
    core.finish([Refused(InsufficientFunds())], 0.0)
    assert core.decided() == []
    core.abandon()
    for _, call in core.decided():
        call()
    assert [each.outcome_unknown for each in unsent] == [True, True]


async def test_a_new_task_does_not_overtake_those_that_wait_for_room(
    fake: FakeWallet, told: CallbackLog
) -> None:
    charged = asyncio.Event()

    def on_charged(usage: Usage, transaction: Transaction) -> None:
        told.record_usage(usage, transaction)
        charged.set()  # the new task runs before the waiting task is woken

    async def new() -> None:
        await charged.wait()
        await meter.record(wallet_id, 1, idempotency_key="new")

    wallet_id = fake.client().create_wallet(user_id="ada", initial_balance=9).wallet_id
    async with (
        fake.async_client() as client,
        AsyncUsageMeter(client, **told.callbacks | {"on_charged": on_charged}, max_events=1) as meter,
    ):
        await meter.record(wallet_id, 1, idempotency_key="first")
        await asyncio.gather(new(), meter.record(wallet_id, 1, idempotency_key="waiting"))
    assert told.keys == ["first", "waiting", "new"]


async def test_aclose_leaves_no_task_behind(told: CallbackLog) -> None:
    reached = asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with AsyncWalletClient(
        "http://wallet", api_key="x", transport=httpx.MockTransport(answer)
    ) as client:
        meter = AsyncUsageMeter(client, **told.callbacks, max_delay_s=0)
        await meter.record(WALLET, 1)
        await reached.wait()
        (unsent,) = await meter.aclose(timeout_s=0)
        assert meter._task is not None
        assert meter._task.done()
    assert unsent.outcome_unknown
