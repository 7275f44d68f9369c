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
from wallet_client.meter.core import Kind, MeterClosed, MeterCounts, MeterFull, Unsent, debit
from wallet_client.meter.telling import log
from wallet_client.models import BatchResult
from wallet_client.money import Amount
from wallet_client.operations import Operation

_PART_S = 0.5


class UsageMeter(MeterBase[WalletClient]):
    """Records debits and sends them as batches in the background; any thread may record.

    Each event that ``record`` takes ends in exactly one of three: charged, refused (``on_refused`` is called), or
    unsent (``on_unsent`` is called, and ``close`` returns it). Callbacks run in the sending thread, or in the one that
    closes; what they raise is logged.

    After a fork it belongs to the parent: in the child ``record`` raises MeterClosed. Make a client and a meter after
    the fork, for connections can't be shared either.
    """

    def _set_up(self) -> None:
        # Taken as itself: an interrupt as a with block leaves a Condition would leave the lock taken.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        atexit.register(self.close)

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
        with self._lock:
            if self._core.full or self._line:
                self._wait_for_room()
            if self._core.closing:
                raise MeterClosed("the usage meter is closed")
            self._started()
            if self._core.add(key, operation, time.monotonic()):
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
            last = self._core.last
            self._core.flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._core.done(last), _bounded(timeout_s))
            finally:
                self._core.flushing -= 1

    def close(self, timeout_s: float | None = None) -> list[Unsent]:
        """Take no more events, send those that are pending, and give up what was not sent in time.

        Args:
            timeout_s: how long that may take; None: ``close_timeout_s``.

        Returns:
            The events that were given up, of which ``on_unsent`` was told too; none when it was closed before.

        Raises:
            RuntimeError: called by a callback.
        """
        if self._in_child:
            return []  # the events are the parent's
        self._refuse_callback()
        first = False
        try:
            with self._lock:
                first, self._core.closing = not self._core.closing, True
                self._changed.notify_all()
            self._wait_for_thread(self._close_timeout_s if timeout_s is None else timeout_s, first=first)
        finally:  # also when a signal ends the waiting: nothing is lost silently
            self._give_up()
        with self._lock:
            return list(self._unsent) if first else []

    def _wait_for_thread(self, longest_s: float, *, first: bool) -> None:
        thread, until_s = self._thread, time.monotonic() + longest_s
        while thread is not None and thread.is_alive() and (first or not self._core.idle):
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                break
            # In parts, for a signal that comes as a wait begins is not heard before the wait is over.
            thread.join(min(left_s, _PART_S))

    def _give_up(self) -> None:
        """Whatever is left, and tell of it, also of what the thread had no time to tell."""
        try:
            # A thread of its own, for signals interrupt the main one only.
            abandoning = threading.Thread(target=self._abandon, name="wallet-usage-meter-end")
            abandoning.start()
            abandoning.join()
        except RuntimeError:  # the interpreter ends, and makes no more of them
            self._abandon()
        self._teller.tell()
        atexit.unregister(self.close)  # who is interrupted before tries again at the end of the process

    def _abandon(self) -> None:
        with self._lock:
            self._conclude(self._core.abandon())
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_callback(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback can't wait for the usage meter that calls it")

    def _wait_for_room(self) -> None:
        place = object()
        self._line.append(place)
        try:
            # A callback would wait for itself.
            its_own = threading.current_thread() is self._thread
            there_is = self._changed.wait_for(
                lambda: self._core.closing or (not self._core.full and self._line[0] is place),
                0 if its_own else _bounded(self._core.limits.room_wait_s),
            )
        finally:
            self._line.remove(place)
            self._changed.notify_all()
        if not there_is:
            raise MeterFull(f"the usage meter holds {self._core.limits.max_events} events")

    def _started(self) -> None:
        if self._thread is None or not self._thread.is_alive():  # a start may fail, or be interrupted
            self._thread = threading.Thread(target=self._run, name="wallet-usage-meter", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            if batch:
                self._send(batch)
            self._tell()

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
                self._conclude(self._core.answered(results, now_s))
            else:
                self._conclude(self._core.failed(error or RuntimeError("no results"), now_s))
            self._changed.notify_all()

    def _next(self) -> list[Operation] | None:
        """The next batch, when there is one; empty: there is something to tell first; None: there will be none."""
        with self._lock:
            while True:
                now_s = time.monotonic()
                given_up = self._core.expire(now_s)
                if given_up:
                    self._conclude(given_up)
                    self._changed.notify_all()
                    return []
                batch = self._core.take(now_s)
                if batch is not None or (self._core.closing and self._core.idle):
                    return batch
                self._changed.wait(_bounded(self._core.due_in_s(now_s)))

    def _tell(self) -> None:
        try:
            self._teller.tell()
        except BaseException:  # noqa: BLE001 - as its callers do
            # A callback that exits ends no process from here; that it ended this thread would lose the events.
            log.exception("a callback of the usage meter can't end the thread that calls it")


def _bounded(wait_s: float | None) -> float | None:
    """As the locks take it: ``math.inf`` is more than they can wait."""
    return None if wait_s is None else min(wait_s, threading.TIMEOUT_MAX)
