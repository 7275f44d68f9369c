"""Each event ends in exactly one of charged, refused and reported unsent, whatever happens to the process meanwhile."""

import asyncio
import linecache
import math
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

import httpx
import pytest
from wallet_client import InsufficientFunds, Refused, RequestEvent, Transaction
from wallet_client.meter import AsyncUsageMeter, MeterClosed, Unsent, Usage, UsageMeter
from wallet_client.meter.core import MeterCore, debit
from wallet_client.meter.limits import Limits
from wallet_client.testing import FakeWallet

WAIT_S = 20
WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


class Told:
    """How often the callbacks were told of each event."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.unsent: list[Unsent] = []

    def of_usage(self, usage: Usage, _: Any) -> None:
        self.keys.append(usage.key)

    def of_unsent(self, unsent: Unsent) -> None:
        self.keys.append(unsent.usage.key)
        self.unsent.append(unsent)

    @property
    def callbacks(self) -> dict[str, Any]:
        return {"on_charged": self.of_usage, "on_refused": self.of_usage, "on_unsent": self.of_unsent}


@pytest.fixture
def fake() -> FakeWallet:
    return FakeWallet()


@pytest.fixture
def told() -> Told:
    return Told()


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


def test_who_closes_tells_what_a_slow_callback_left(fake: FakeWallet, told: Told) -> None:
    """The thread ends with the process, in the middle of its telling."""
    first, go_on = threading.Event(), threading.Event()

    def slow(usage: Usage, transaction: Transaction) -> None:
        told.of_usage(usage, transaction)
        if not first.is_set():
            first.set()
            assert go_on.wait(WAIT_S)

    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=2)
        meter = UsageMeter(client, **told.callbacks | {"on_charged": slow}, max_delay_s=60)
        keys = [meter.record(wallet.wallet_id, 1) for _ in range(5)]
        meter._core.flushing += 1
        with meter._lock:
            meter._changed.notify_all()
        assert first.wait(WAIT_S)
        assert meter.close(timeout_s=0.01) == []
        assert told.keys == keys
        go_on.set()


class Interrupting:
    """Raises KeyboardInterrupt before a line of the meter, or of what leaves a ``with`` of it, in this thread."""

    def __init__(self, line: int) -> None:
        self._left = line
        self._entered: set[tuple[int, int]] = set()
        self.raised = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        of_the_meter = "/meter/" in code.co_filename and not code.co_filename.endswith("telling.py")
        if self.raised or not (of_the_meter or code.co_qualname == "Condition.__exit__"):
            return None
        if event == "line" and not self._leaves_with(frame):
            self._left -= 1
            if self._left < 0:
                self.raised = True
                raise KeyboardInterrupt
        return self

    def _leaves_with(self, frame: FrameType) -> bool:
        """Whether a ``with`` is about to call what leaves it: no signal is heard before it does."""
        place = id(frame), frame.f_lineno
        if not linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
            return False
        known = place in self._entered
        self._entered.add(place)
        return known

    def run(self, do: Callable[[], object]) -> None:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            do()
        except KeyboardInterrupt:
            assert self.raised
        finally:
            sys.settrace(before)


def interrupted_at(line: int, when: str) -> bool:
    """Whether it has so many lines."""
    told, fake, interrupting = Told(), FakeWallet(), Interrupting(line)
    with fake.client(max_retries=0) as client:
        fake.fail_next(httpx.ConnectError, times=10_000)
        meter = UsageMeter(client, **told.callbacks, max_delay_s=60, close_timeout_s=0.001)
        keys = [meter.record(WALLET, 1) for _ in range(2)]
        if when == "record":
            interrupting.run(lambda: meter.record(WALLET, 1, idempotency_key="third"))
        else:
            interrupting.run(meter.close)
        meter.close()  # as the end of the process does
    assert sorted(set(told.keys) - {"third"}) == sorted(keys), line
    assert len(told.keys) == len(set(told.keys)) == meter.counts.unsent == meter.counts.recorded, line
    return interrupting.raised


@pytest.mark.parametrize("when", ["record", "close"])
def test_an_interrupt_at_any_line_loses_nothing(when: str) -> None:
    interrupted = 0
    while interrupted_at(interrupted, when):
        interrupted += 1
    assert interrupted > 10


def test_a_thread_that_could_not_start_is_started_by_the_next(
    fake: FakeWallet, told: Told, monkeypatch: pytest.MonkeyPatch
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


def test_a_hook_of_the_client_that_exits_ends_no_thread(fake: FakeWallet, told: Told) -> None:
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


def test_an_endless_delay_is_one(fake: FakeWallet, told: Told) -> None:
    endless: dict[str, Any] = dict.fromkeys(("max_delay_s", "close_timeout_s", "block_timeout_s"), math.inf)
    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=9)
        with UsageMeter(client, **told.callbacks, **endless, max_batch=2, max_events=2) as meter:
            keys = [meter.record(wallet.wallet_id, 1) for _ in range(5)]
    assert (told.keys, told.unsent) == (keys, [])


def test_a_child_asks_nothing_of_its_parents_meter(fake: FakeWallet, told: Told) -> None:
    with fake.client() as client, UsageMeter(client, **told.callbacks) as meter:

        def ask() -> None:
            for call in (lambda: meter.counts, meter.flush, lambda: meter.record(WALLET, 1)):
                with pytest.raises(MeterClosed, match="fork"):
                    call()
            assert meter.close() == []

        held, let_go = threading.Event(), threading.Event()

        def hold() -> None:
            with meter._lock:
                held.set()
                assert let_go.wait(WAIT_S)

        holding = threading.Thread(target=hold)
        holding.start()
        assert held.wait(WAIT_S)
        assert in_child(ask) == 0
        let_go.set()
        holding.join()


def test_a_child_records_nothing_in_its_parents_async_meter(fake: FakeWallet, told: Told) -> None:
    async def record(meter: AsyncUsageMeter) -> None:
        with pytest.raises(MeterClosed, match="fork"):
            await meter.record(WALLET, 1)
        assert await meter.aclose() == []

    meter = AsyncUsageMeter(fake.async_client(), **told.callbacks)
    assert in_child(lambda: asyncio.run(record(meter))) == 0


def test_a_loop_that_ends_at_once_loses_nothing_and_ends_the_meter(fake: FakeWallet, told: Told) -> None:
    meter = AsyncUsageMeter(fake.async_client(), **told.callbacks)
    key = asyncio.run(meter.record(WALLET, 1))
    assert told.keys == [key]

    async def again() -> None:
        with pytest.raises(MeterClosed):
            await meter.record(WALLET, 1)
        assert await meter.flush(WAIT_S)

    asyncio.run(again())


def test_a_meter_of_another_loop_takes_nothing(fake: FakeWallet, told: Told) -> None:
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


async def test_who_flushes_does_not_wait_for_what_was_given_up(fake: FakeWallet, told: Told) -> None:
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
    core = MeterCore(Limits(max_delay_s=0))
    for number in range(2):
        core.add(*debit(WALLET, 1, idempotency_key=str(number)), 0.0)
    assert core.take(0.0)
    assert core.answered([Refused(InsufficientFunds())], 0.0) == []
    assert [each.outcome_unknown for each in core.abandon()] == [True, True]
