"""The meter for code that waits: a daemon thread sends."""

import atexit
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from wallet_client._call import Id
from wallet_client.client import WalletClient
from wallet_client.meter.base import MeterBase
from wallet_client.meter.telling import log
from wallet_client.meter.usage import Kind, MeterClosed, MeterCounts, MeterFull, Unsent, debit
from wallet_client.meter.waiting import PART_S, Changes
from wallet_client.models import BatchResult
from wallet_client.money import Amount
from wallet_client.operations import Operation

_GONE_S = 4 * PART_S
"""Who waits is there every part of it. Who was not for so long was interrupted, and has left its place behind."""


class UsageMeter(MeterBase[WalletClient]):
    """Records debits and sends them as batches in the background; any thread may record.

    Each event that ``record`` takes ends in exactly one of three: charged, refused (``on_refused`` is called), or
    unsent (``on_unsent`` is called, and ``close`` returns it). Callbacks run in the sending thread, or in another one
    that ``close`` starts; what they raise is logged. A signal handler may call ``close``, and may raise.

    After a fork it belongs to the parent: in the child ``record`` raises MeterClosed. Make a client and a meter after
    the fork, for connections can't be shared either.
    """

    def _set_up(self) -> None:
        # Taken as itself: an interrupt as a with block leaves a Condition would leave the lock taken.
        self._lock = threading.RLock()
        self._changed = Changes(self._lock)
        self._thread: threading.Thread | None = None  # that sends
        self._sent_all = False  # it is over
        self._ending: threading.Thread | None = None  # that gives up what is left, and tells of it
        self._end_s = 0.0  # when it does, on the monotonic clock
        self._at_once = False  # and not then
        self._closing = False  # somebody waits for it
        self._ended = False
        atexit.register(self._at_exit)

    def record(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        kind: Kind = "consume",
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: datetime | None = None,
        counter_account: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Take an event; its members are those of ``client.consume``.

        Returns:
            The event's idempotency key: the given one, or a new one.

        Raises:
            MeterFull: there is no room. The event is not recorded.
            MeterClosed: the meter was closed. The event is not recorded.
            TypeError, ValueError: an event that can't be sent.
            RuntimeError: there can be no thread that sends. The event is not recorded.
        """
        key, operation = debit(
            wallet_id,
            amount,
            kind=kind,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            counter_account=counter_account,
            idempotency_key=idempotency_key,
        )
        self._refuse_in_child()  # before the lock, which another thread may have held when the process forked
        place = object()
        try:
            with self._lock:
                added = self._added(place, key, operation)
            if not added:
                # A callback would wait for itself.
                longest_s = 0.0 if self._is_its_own else _bounded(self._core.limits.room_wait_s)
                if not self._changed.wait_for(lambda: self._added(place, key, operation), longest_s):
                    raise MeterFull(f"the usage meter holds {self._core.limits.max_events} events")
        finally:
            if self._line.pop(place, None) is not None:
                self._changed.notify_all()
        return key

    @property
    def counts(self) -> MeterCounts:
        """How many events have come to what, and how old the oldest pending one is.

        Raises:
            MeterClosed: in a child of the process that made it.
        """
        self._refuse_in_child()
        with self._lock:
            return self._core.counts(time.monotonic())

    def flush(self, timeout_s: float | None = None) -> bool:
        """Send what was recorded until now without delay, and wait for it; whether all of it has its outcome.

        Args:
            timeout_s: how long to wait; None: until it is done, or given up.

        Raises:
            RuntimeError: called by a callback.
        """
        self._refuse_in_child()
        self._refuse_callback()
        with self._lock:
            last = self._core.flush()
            self._changed.notify_all()
        return self._changed.wait_for(lambda: self._core.done(last), _bounded(timeout_s))

    def close(self, timeout_s: float | None = None) -> list[Unsent]:
        """Take no more events, send those that are pending, and give up what was not sent in time.

        Args:
            timeout_s: how long that may take; None: ``close_timeout_s``.

        Returns:
            The events that were given up, of which ``on_unsent`` was told too; none when it was closed before. Who
            closes while another does waits for that as long as this may take, and gives up nothing.

        Raises:
            RuntimeError: called by a callback.
        """
        if self._in_child:
            return []  # the events are the parent's
        self._refuse_callback()
        longest_s = min(self._close_timeout_s if timeout_s is None else timeout_s, threading.TIMEOUT_MAX)
        first = False
        try:
            with self._lock:
                if not (self._closing or self._ended):
                    first, self._closing = True, True
                    self._end_s = time.monotonic() + longest_s
                    self._core.closing = True
                    self._changed.notify_all()
            if first:
                self._finish()
            else:
                self._changed.wait_for(lambda: self._ended, longest_s)
        except BaseException:  # a signal ends the waiting: nothing is lost silently
            if first:
                self._give_up()
            raise
        finally:
            if first:
                self._closing = False
        return list(self._core.unsent.values()) if first else []

    def _at_exit(self) -> None:
        if not self._in_child:
            try:
                self.close()
            finally:  # perhaps another close was not done, or was interrupted
                self._give_up()

    def _give_up(self) -> None:
        self._at_once = True
        self._changed.notify_all()
        self._finish()

    def _finish(self) -> None:
        """Wait for the end, in a thread of its own: signals interrupt the main one only."""
        if self._ended:
            return
        if self._ending is None or not self._ending.is_alive():
            self._ending = threading.Thread(target=self._end, name="wallet-usage-meter-end", daemon=True)
            try:
                self._ending.start()
            except RuntimeError:  # the interpreter ends, and makes no more of them
                self._end()
        self._changed.wait_for(lambda: self._ended, None)
        atexit.unregister(self._at_exit)

    def _end(self) -> None:
        """Give up whatever is left when the time is over, and tell of it and of what the thread had no time to tell."""
        self._changed.wait_for(self._is_over, max(0.0, self._end_s - time.monotonic()))
        with self._lock:
            self._core.abandon()
            self._changed.notify_all()
        self._tell()
        self._ended = True
        self._changed.notify_all()

    def _is_over(self) -> bool:
        thread = self._thread
        return self._at_once or self._sent_all or thread is None or not thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _is_its_own(self) -> bool:
        """Whether the thread that asks is one that the meter waits for."""
        return self._teller.is_caller or threading.current_thread() is self._thread

    def _refuse_callback(self) -> None:
        if self._is_its_own:
            raise RuntimeError("a callback can't wait for the usage meter that calls it")

    def _added(self, place: object, key: str, operation: Operation) -> bool:
        """Whether the event is in the core; otherwise it has its place in the line of those who wait for room."""
        if self._core.closing:
            raise MeterClosed("the usage meter is closed")
        now_s = time.monotonic()
        if self._line:
            for each, seen_s in self._line.copy().items():
                if now_s - seen_s > _GONE_S:
                    self._line.pop(each, None)
        if self._core.full or next(iter(self._line), place) is not place:
            self._line[place] = now_s
            return False
        self._started()
        usage = self._core.add(key, operation, now_s)
        # A signal handler may have closed it since it was asked, and this one came too late for the thread.
        if self._core.closing and self._core.take_back(usage):
            raise MeterClosed("the usage meter is closed")
        if self._core.due_anew:
            self._changed.notify_all()
        return True

    def _started(self) -> None:
        if self._thread is None or not self._thread.is_alive():  # a start may fail, or be interrupted
            self._thread = threading.Thread(target=self._run, name="wallet-usage-meter", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        changed = self._changed.waiter()
        try:
            while (batch := self._next(changed)) is not None:
                if batch:
                    self._send(batch)
                self._tell()
        finally:
            self._changed.forget(changed)
            self._sent_all = self._core.closing
            self._changed.notify_all()

    def _send(self, batch: list[Operation]) -> None:
        results: list[BatchResult] | None = None
        error: Exception | None = None
        try:
            results = self._client.transactions.batch(batch)
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the events are still there
            error = (
                raised
                if isinstance(raised, Exception)
                else RuntimeError(f"{type(raised).__name__} in a hook")
            )
        with self._lock:
            now_s = time.monotonic()
            if results is not None:
                self._core.answered(results, now_s)
            else:
                self._core.failed(error or RuntimeError("no results"), now_s)
            self._changed.notify_all()

    def _next(self, changed: threading.Lock) -> list[Operation] | None:
        """The next batch, when there is one; empty: there is something to tell first; None: there will be none."""
        while True:
            with self._lock:
                now_s = time.monotonic()
                if self._core.expire(now_s):
                    self._changed.notify_all()
                    return []
                batch = self._core.take(now_s)
                if batch is not None or (self._core.closing and self._core.idle):
                    return batch
                due_s = self._core.due_in_s(now_s)
            changed.acquire(timeout=-1 if due_s is None else min(due_s, threading.TIMEOUT_MAX))

    def _tell(self) -> None:
        try:
            self._teller.tell()
        except BaseException:  # noqa: BLE001 - as its callers do
            # A callback that exits ends no process from here; that it ended this thread would lose the events.
            log.exception("a callback of the usage meter can't end the thread that calls it")


def _bounded(wait_s: float | None) -> float | None:
    """As the locks take it: ``math.inf`` is more than they can wait."""
    return None if wait_s is None else min(wait_s, threading.TIMEOUT_MAX)
