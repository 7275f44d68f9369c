"""The two meters around the core: a thread sends for code that waits, a task for code that awaits."""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from typing import Generic, Literal, TypeVar, Unpack

from wallet_client._call import Id
from wallet_client._options import check_plain_function
from wallet_client.aio import AsyncWalletClient
from wallet_client.client import WalletClient
from wallet_client.meter.core import Callbacks, MeterCore, OnCharged, OnRefused, OnUnsent
from wallet_client.meter.usage import Kind, MeterClosed, MeterCounts, MeterFull, Unsent, UsageMembers, debit
from wallet_client.money import Amount

Client = TypeVar("Client")

MAX_OPERATIONS = 500  # in a batch; the service takes no more
_LONGEST_SLEEP_S = 1.0  # a signal may have stopped ``record`` before it woke the sender

_log = logging.getLogger("wallet_client")


class _Meter(Generic[Client]):
    """What both meters share: the constructor, the calls of the callbacks, and the end."""

    def __init__(
        self,
        client: Client,
        *,
        on_refused: OnRefused,
        on_unsent: OnUnsent,
        on_charged: OnCharged | None = None,
        max_events: int = 10_000,
        max_batch: int = MAX_OPERATIONS,
        max_delay_s: float = 1.0,
        give_up_after_s: float = 300.0,
        when_full: Literal["block", "raise"] = "block",
        block_timeout_s: float = 5.0,
        close_timeout_s: float = 10.0,
    ) -> None:
        """Create a meter. It starts and sends nothing before the first ``record``.

        Args:
            client: sends the batches: a WalletClient or, for an AsyncUsageMeter, an AsyncWalletClient. Close it later.
            on_refused: called with an event and the error with which the service refused it.
            on_unsent: called with an event that was given up.
            on_charged: called with an event and its transaction.
            max_events: how many pending events it holds at most.
            max_batch: how many events it sends in a request at most; 500 or less.
            max_delay_s: how long an event waits for others at most.
            give_up_after_s: the age at which an event that could not be sent is given up.
            when_full: ``block`` waits for room, ``raise`` does not; use ``raise`` for a UsageMeter on an event loop.
            block_timeout_s: how long ``block`` waits before it raises MeterFull.
            close_timeout_s: how long the end of a ``with`` block, and the end of the process, wait for the last batch.

        Raises:
            ValueError: a limit is out of its range.
            TypeError: a callback is a coroutine function, which would never run.
        """
        if not (max_events >= 1 and 1 <= max_batch <= MAX_OPERATIONS):
            raise ValueError(f"max_events is 1 or more, max_batch 1 to {MAX_OPERATIONS}")
        if not (max_delay_s >= 0 and give_up_after_s > 0):
            raise ValueError("max_delay_s is 0 or more, give_up_after_s more than 0")
        if when_full not in {"block", "raise"}:
            raise ValueError("when_full is block or raise; nothing more, because no event may be dropped")
        callbacks: Callbacks = (on_charged or (lambda usage, transaction: None), on_refused, on_unsent)  # noqa: ARG005
        for name, callback in zip(("on_charged", "on_refused", "on_unsent"), callbacks, strict=True):
            check_plain_function(name, callback)
        self._client = client
        self._core = MeterCore(callbacks, max_events, max_batch, max_delay_s, give_up_after_s)
        self._room_wait_s = block_timeout_s if when_full == "block" else 0.0
        self._close_timeout_s = close_timeout_s
        self._process = os.getpid()
        self._claims: dict[int, int] = {}  # the number of an event: the thread that reports it
        # Its lock guards the core. ``wait`` releases the lock at any depth, so a signal handler may wait in ``close``
        # although the thread that it interrupts holds the lock.
        self._changed = threading.Condition()
        self._set_up()
        atexit.register(self._at_exit)

    @property
    def counts(self) -> MeterCounts:
        """How many events have which outcome. Raises MeterClosed in a child process."""
        self._refuse_in_child()
        with self._changed:
            return self._core.counts(time.monotonic())

    def _in_child(self) -> bool:
        return os.getpid() != self._process

    def _refuse_in_child(self) -> None:
        if self._in_child():  # the events belong to the parent process
            raise MeterClosed("the usage meter belongs to the parent process; create one after the fork")

    def _set_up(self) -> None:
        """For what only one of the meters needs."""

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _end(self) -> None:
        """Give up what is pending, and report it."""
        if not self._in_child():
            with self._changed:
                self._core.abandon()
            self._report()
        atexit.unregister(self._at_exit)

    _at_exit = _end

    def _report(self, *, may_raise: bool = True) -> None:
        """Call the callbacks with the outcomes that no other thread is reporting, and log their exceptions."""
        thread = threading.get_ident()
        stopped: BaseException | None = None
        for number, call in self._core.decided():
            if self._claims.setdefault(number, thread) != thread:
                continue
            try:  # Python handles no signal from here to the callback, so no outcome is lost between them
                if number in self._core.unreported:  # no other thread has reported it since
                    call()
            except BaseException as error:  # noqa: BLE001 - a KeyboardInterrupt or SystemExit is raised below
                _log.exception("a callback of the usage meter failed: event %s", number)
                stopped = stopped if isinstance(error, Exception) else error
            finally:
                self._core.unreported.pop(number, None)
                self._claims.pop(number, None)
        self._notify()
        if stopped is not None and may_raise:
            raise stopped


class UsageMeter(_Meter[WalletClient], AbstractContextManager["UsageMeter"]):
    """Records debits and sends them as batches in a background thread; any thread may record.

    Each event that ``record`` accepts gets exactly one outcome: charged, refused (``on_refused`` is called), or unsent
    (``on_unsent`` is called, and ``close`` returns it). Callbacks run in the background thread, and at the end in the
    thread that closes; their exceptions are logged. A signal handler may call ``close``, and may raise. After a fork
    the meter belongs to the parent process: create a meter after the fork.
    """

    def _set_up(self) -> None:
        self._thread: threading.Thread | None = None
        self._line: deque[threading.Lock] = deque()  # each is locked while its call waits for room

    def record(
        self, wallet_id: Id, amount: Amount, *, kind: Kind = "consume", **members: Unpack[UsageMembers]
    ) -> str:
        """Record an event, with the arguments of ``client.consume``. Returns its idempotency key: the given or a new one.

        Raises:
            MeterFull: there is no room. After this and the other errors the event is not recorded.
            MeterClosed: the meter is closed.
            TypeError, ValueError: the event can't be sent.
            RuntimeError: the background thread can't be started.
        """
        key, operation = debit(wallet_id, amount, kind=kind, **members)
        self._refuse_in_child()  # before the lock, which another thread may have held when the process forked
        with self._changed:
            if (self._first_in_line() or not self._core.has_room()) and not self._got_room():
                raise MeterFull("the usage meter is full")
            if self._thread is None or not self._thread.is_alive():  # an earlier start may have failed
                self._thread = threading.Thread(target=self._run, name="wallet-usage-meter", daemon=True)
                self._thread.start()
            if self._core.add(key, operation, time.monotonic()):
                self._notify()
        return key

    def flush(self, timeout_s: float | None = None) -> bool:
        """Send the recorded events now. Returns whether each has its outcome within ``timeout_s`` (None: no limit).

        Raises:
            RuntimeError: called by a callback.
        """
        self._refuse_in_child()
        self._refuse_own_thread()
        with self._changed:
            last = self._core.flush()
            self._notify()
            return self._wait_for(lambda: self._core.is_reported(last), timeout_s)

    def close(self, timeout_s: float | None = None) -> list[Unsent]:
        """Accept no more events, send the pending ones, and give up the rest. Returns the events that were given up.

        They are also reported to ``on_unsent``. It waits for ``timeout_s``, or else ``close_timeout_s``. A second call
        waits for the first one, gives up nothing and returns [].

        Raises:
            RuntimeError: called by a callback.
        """
        if self._in_child() or (self._core.closing and self._is_own_thread()):
            return []
        self._refuse_own_thread()
        first = False
        try:
            with self._changed:
                first, self._core.closing = not self._core.closing, True
            self.flush(self._close_timeout_s if timeout_s is None else timeout_s)
        finally:  # also after an exception of a signal handler: no event is lost silently
            if first:
                self._end()
        return list(self._core.unsent.values()) if first else []

    def __exit__(self, *_: object) -> None:
        self.close()

    def _at_exit(self) -> None:
        try:
            self.close()
        finally:  # an earlier close may have been interrupted
            self._end()

    def _is_own_thread(self) -> bool:
        thread = threading.current_thread()
        return thread is self._thread or thread.ident in self._claims.copy().values()

    def _refuse_own_thread(self) -> None:
        if self._is_own_thread():
            raise RuntimeError("a callback can't wait for the usage meter that calls it")

    def _wait_for(self, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        longest_s = threading.TIMEOUT_MAX
        return self._changed.wait_for(ready, longest_s if timeout_s is None else min(timeout_s, longest_s))

    def _first_in_line(self) -> "threading.Lock | None":
        while self._line and not self._line[0].locked():
            self._line.popleft()
        return self._line[0] if self._line else None

    def _got_room(self) -> bool:
        place, wait_s = threading.Lock(), 0.0 if self._is_own_thread() else self._room_wait_s
        with place:  # unlocked whatever ends the call: no other call waits behind one that a signal stopped
            self._line.append(place)
            room = self._wait_for(lambda: self._first_in_line() is place and self._core.has_room(), wait_s)
        self._notify()  # the next in line
        return room

    def _run(self) -> None:
        while not self._core.is_finished():
            with self._changed:
                batch = self._core.take(time.monotonic())
                if not batch and not self._core.unreported:
                    self._changed.wait(min(self._core.due_in_s(time.monotonic()), _LONGEST_SLEEP_S))
                    continue
            if batch:
                try:
                    result = self._client.transactions.batch(batch)
                except BaseException as error:  # noqa: BLE001 - the core keeps the events; a hook of the client may exit
                    result = error if isinstance(error, Exception) else RuntimeError(f"hook raised {error!r}")
                with self._changed:
                    self._core.finish(result, time.monotonic())
                    self._notify()
            self._report(may_raise=False)  # the exit of a callback is logged; it must not end this thread


class AsyncUsageMeter(_Meter[AsyncWalletClient], AbstractAsyncContextManager["AsyncUsageMeter"]):
    """Records debits and sends them as batches in a background task; any task of one event loop may record.

    Each event that ``record`` accepts gets exactly one outcome, as in UsageMeter; also if the loop ends without
    ``aclose``: then the pending events are reported unsent. Callbacks are plain functions, called on the loop.
    """

    def _set_up(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._room = asyncio.Lock()  # tasks wait for room in the order in which they came

    async def record(
        self, wallet_id: Id, amount: Amount, *, kind: Kind = "consume", **members: Unpack[UsageMembers]
    ) -> str:
        """Record an event, as ``UsageMeter.record`` does; while it waits for room, other tasks run.

        Raises:
            MeterFull: there is no room. After this and the other errors the event is not recorded.
            MeterClosed: the meter is closed, or its loop ended.
            TypeError, ValueError: the event can't be sent.
            RuntimeError: called on another loop than before; ``flush`` and ``aclose`` raise it too.
        """
        key, operation = debit(wallet_id, amount, kind=kind, **members)
        self._refuse_elsewhere()
        if self._room.locked() or not self._core.has_room():
            until_s = time.monotonic() + self._room_wait_s
            async with self._room:
                if not await self._wait_for(self._core.has_room, until_s - time.monotonic()):
                    raise MeterFull("the usage meter is full")
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="wallet-usage-meter")
            self._task.add_done_callback(self._on_done)
        if self._core.add(key, operation, time.monotonic()):
            self._notify()
        return key

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Send and wait, as ``UsageMeter.flush`` does."""
        self._refuse_elsewhere()
        last = self._core.flush()
        self._notify()
        return await self._wait_for(lambda: self._core.is_reported(last), timeout_s)

    async def aclose(self, timeout_s: float | None = None) -> list[Unsent]:
        """Send the pending events and give up the rest, as ``UsageMeter.close`` does."""
        if self._in_child():
            return []
        self._refuse_elsewhere()
        first, self._core.closing = not self._core.closing, True
        try:
            await self.flush(self._close_timeout_s if timeout_s is None else timeout_s)
        finally:
            if first:
                self._end()
        if first and self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        return list(self._core.unsent.values()) if first else []

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _refuse_elsewhere(self) -> None:
        self._refuse_in_child()
        if (task := self._task) and not task.done() and task.get_loop() is not asyncio.get_running_loop():
            raise RuntimeError("the usage meter belongs to another event loop; create one for each loop")

    def _notify(self) -> None:
        self._woken.set()
        self._woken.clear()

    async def _wait_for(self, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not ready():
                    await self._woken.wait()
        return ready()

    def _on_done(self, _: "asyncio.Task[None]") -> None:
        """The task ended, perhaps cancelled before it began: no later event would be sent."""
        self._core.closing = True
        self._end()

    async def _run(self) -> None:
        while not self._core.is_finished():
            batch = self._core.take(time.monotonic())
            if batch:
                try:
                    result = await self._client.transactions.batch(batch)
                except Exception as error:  # noqa: BLE001 - the core keeps the events and sends them again
                    result = error
                self._core.finish(result, time.monotonic())
            elif not self._core.unreported:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(self._core.due_in_s(time.monotonic()), _LONGEST_SLEEP_S)):
                        await self._woken.wait()
            self._report()
