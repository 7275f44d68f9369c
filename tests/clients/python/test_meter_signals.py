"""A signal handler may raise, or close the meter, before any line of it: nothing is lost, and nobody waits for ever."""

import asyncio
import linecache
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import httpx
import pytest
from support.callback_log import CallbackLog
from wallet_client import WalletClient
from wallet_client.meter import AsyncUsageMeter, MeterClosed, UsageMeter
from wallet_client.testing import FakeWallet

WAIT_S = 20
WALLET = "0199d0a8-0000-7000-8000-0000000000aa"


def interrupt() -> None:
    raise KeyboardInterrupt


class AtLine:
    """Does something before a line of the meter, or of what leaves a ``with`` of it, in this thread: as signals do."""

    def __init__(self, line: int, do: Callable[[], object] = interrupt) -> None:
        self._left = line
        self._do = do
        self._entered: set[tuple[int, int]] = set()
        self.done = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        # In _report Python handles signals at fewer places than there are lines.
        of_the_meter = "/meter/" in code.co_filename and code.co_name != "_report"
        if self.done or not of_the_meter:
            return None
        if event == "line" and not self._leaves_with(frame):
            self._left -= 1
            if self._left < 0:
                self.done = True
                self._do()
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
        except (KeyboardInterrupt, MeterClosed):
            assert self.done
        finally:
            sys.settrace(before)


def interrupted_at(line: int, when: str) -> bool:
    """Whether it has so many lines."""
    told, fake, interrupting = CallbackLog(), FakeWallet(), AtLine(line)
    with fake.client(max_retries=0) as client:
        fake.fail_next(httpx.ConnectError, times=10_000)
        meter = UsageMeter(client, **told.callbacks, max_delay_s=60, close_timeout_s=0.001)
        keys = [meter.record(WALLET, 1) for _ in range(2)]
        if when == "record":
            interrupting.run(lambda: meter.record(WALLET, 1, idempotency_key="third"))
        else:
            interrupting.run(meter.close)
        meter._at_exit()
    assert sorted(set(told.keys) - {"third"}) == sorted(keys), line
    assert len(told.keys) == len(set(told.keys)) == meter.counts.unsent == meter.counts.recorded, line
    return interrupting.done


@pytest.mark.parametrize("when", ["record", "close"])
def test_an_interrupt_at_any_line_loses_nothing(when: str) -> None:
    interrupted = 0
    while interrupted_at(interrupted, when):
        interrupted += 1
    assert interrupted > 10


def closed_at(line: int, *, exits: bool) -> bool:
    """Whether recording has so many lines."""
    told, fake, recorded = CallbackLog(), FakeWallet(), list[str]()

    def handle() -> None:
        meter.close(WAIT_S)
        if exits:
            raise KeyboardInterrupt

    closing = AtLine(line, handle)
    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=9)
        meter = UsageMeter(client, **told.callbacks, max_delay_s=60)
        recorded.append(meter.record(wallet.wallet_id, 1))
        closing.run(lambda: recorded.append(meter.record(wallet.wallet_id, 1, idempotency_key="second")))
        meter._at_exit()
    assert set(recorded) <= set(told.keys) <= {*recorded, *(["second"] if exits else [])}, line
    assert len(told.keys) == len(set(told.keys)) == meter.counts.recorded == meter.counts.charged, line
    return closing.done


@pytest.mark.parametrize("exits", [False, True])
def test_a_signal_handler_may_close_it_wherever_it_came(exits: bool) -> None:
    """Also where the thread that it interrupts has the lock, which those that end the meter need."""
    lines = 0
    while closed_at(lines, exits=exits):
        lines += 1
    assert lines > 10


def waiting_interrupted_at(line: int, when: str) -> bool:
    """Whether it has so many lines."""
    told, fake, open_, interrupting = CallbackLog(), FakeWallet(), threading.Event(), AtLine(line)

    def answer(request: httpx.Request) -> httpx.Response:
        assert open_.wait(WAIT_S)
        return fake.handle_request(request)

    client = WalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(answer))
    with fake.client() as other, client:
        wallet_id = other.create_wallet(user_id="ada", initial_balance=9).wallet_id
        with UsageMeter(client, **told.callbacks, max_events=1, block_timeout_s=WAIT_S) as meter:
            keys = [meter.record(wallet_id, 1)]
            opening = threading.Timer(0.01, open_.set)
            opening.start()
            if when == "record":
                interrupting.run(lambda: meter.record(wallet_id, 1, idempotency_key="second"))
            else:
                interrupting.run(meter.flush)
            opening.join()
            keys.append(meter.record(wallet_id, 1))
    assert set(keys) == set(told.keys) - {"second"}, line
    return interrupting.done


@pytest.mark.parametrize("when", ["record", "flush"])
def test_who_is_interrupted_as_it_waits_keeps_nobody_else_waiting(when: str) -> None:
    lines = 0
    while waiting_interrupted_at(lines, when):
        lines += 1
    assert lines > 10


def left_at(line: int) -> bool:
    """Whether the end of an asyncio program has so many lines of the meter."""
    told, fake = CallbackLog(), FakeWallet()
    wallet_id = fake.client().create_wallet(user_id="ada", initial_balance=1).wallet_id
    leaving = AtLine(line)
    keys: list[str] = []
    meters: list[AsyncUsageMeter] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def record() -> None:
        async with AsyncUsageMeter(fake.async_client(), **told.callbacks, max_delay_s=60) as meter:
            meters.append(meter)
            keys.extend([await meter.record(wallet_id, 1) for _ in range(2)])
            tasks.update(asyncio.all_tasks())
            sys.settrace(leaving)  # for what is called from here on

    before = sys.gettrace()
    try:
        asyncio.run(record())
    except KeyboardInterrupt:
        assert leaving.done
    finally:
        sys.settrace(before)
    for task in tasks:
        # An exception that was not read is logged when the task is collected. That can be in the middle of a later
        # test, and CPython 3.11 fails when it formats a traceback inside of ast.parse (gh-106905).
        if task.done() and not task.cancelled():
            task.exception()
    meters[0]._at_exit()  # as the end of the process does
    assert sorted(told.keys) == sorted(keys), line
    posted = [] if fake.balance("ada") else keys[:1]
    assert all(each.outcome_unknown for each in told.unsent if each.usage.key in posted), line
    assert meters[0]._core.counts(0).recorded == 2
    return leaving.done


def test_a_signal_that_ends_the_loop_at_any_line_loses_nothing() -> None:
    lines = 0
    while left_at(lines):
        lines += 1
    assert lines > 50
