"""The meter for code that waits: a daemon thread sends."""

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from wallet_client._call import Id
from wallet_client.client import WalletClient
from wallet_client.meter.core import (
    Kind,
    MeterClosed,
    MeterCore,
    MeterCounts,
    MeterFull,
    Outcome,
    Unsent,
    debit,
)
from wallet_client.meter.limits import MOST_OPERATIONS, Limits, WhenFull
from wallet_client.meter.telling import OnCharged, OnRefused, OnUnsent, Teller, log
from wallet_client.models import BatchResult
from wallet_client.money import Amount
from wallet_client.operations import Operation


class UsageMeter:
    """Records debits and sends them as batches in the background; any thread may record.

    Each event that ``record`` takes ends in exactly one of three: charged, refused (``on_refused`` is called), or
    unsent (``on_unsent`` is called, and ``close`` returns it). Callbacks run in the sending thread, or in the one that
    closes; what they raise is logged.

    After a fork it belongs to the parent: in the child ``record`` raises MeterClosed. Make a client and a meter after
    the fork, for connections can't be shared either.
    """

    def __init__(
        self,
        client: WalletClient,
        *,
        on_refused: OnRefused,
        on_unsent: OnUnsent,
        on_charged: OnCharged | None = None,
        max_events: int = 10_000,
        max_batch: int = MOST_OPERATIONS,
        max_delay_s: float = 1.0,
        give_up_after_s: float = 300.0,
        when_full: WhenFull = "block",
        block_timeout_s: float = 5.0,
        close_timeout_s: float = 10.0,
    ) -> None:
        """Nothing is sent yet, and no thread runs.

        Args:
            client: what sends; close it after the meter.
            on_refused: called with an event and why the service refused it.
            on_unsent: called with an event that was given up.
            on_charged: called with an event and its transaction.
            max_events: held at once, those under way included.
            max_batch: events in a request, at most 500.
            max_delay_s: how long an event waits for others, at most.
            give_up_after_s: the age at which an event that could not be sent is given up.
            when_full: ``block`` waits for room, ``raise`` does not; use that on an event loop.
            block_timeout_s: how long ``block`` waits before it raises MeterFull.
            close_timeout_s: how long the end of a ``with`` block, and the end of the process, wait for the last batch.

        Raises:
            ValueError: a limit that is none.
            TypeError: a callback that is a coroutine function.
        """
        limits = Limits(max_events, max_batch, max_delay_s, give_up_after_s, when_full, block_timeout_s)
        self._client = client
        self._core = MeterCore(limits)
        self._teller = Teller(on_refused, on_unsent, on_charged)
        self._close_timeout_s = close_timeout_s
        self._changed = threading.Condition()
        self._line: deque[object] = deque()  # of those who wait for room: nobody overtakes
        self._thread: threading.Thread | None = None
        self._unsent: list[Unsent] = []
        self._process = os.getpid()
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
        with self._changed:
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
        """How many events have come to what, and how old the oldest pending one is."""
        with self._changed:
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
        with self._changed:
            last = self._core.recorded
            self._core.flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._core.done(last), timeout_s)
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
        if os.getpid() != self._process:
            return []  # the events are the parent's
        self._refuse_callback()
        with self._changed:
            if self._core.closing:
                return []
            self._core.closing = True
            self._changed.notify_all()
        try:
            if self._thread is not None:
                self._thread.join(self._close_timeout_s if timeout_s is None else timeout_s)
        finally:  # also when a signal ends the waiting: nothing is lost silently
            with self._changed:
                left = self._core.abandon()
                self._changed.notify_all()
            atexit.unregister(self.close)
            self._tell(left)
        with self._changed:
            return list(self._unsent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_in_child(self) -> None:
        if os.getpid() != self._process:
            raise MeterClosed("the usage meter was made before this process forked: make one here")

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
                0 if its_own else self._core.limits.room_wait_s,
            )
        finally:
            self._line.remove(place)
            self._changed.notify_all()
        if not there_is:
            raise MeterFull(f"the usage meter holds {self._core.limits.max_events} events")

    def _started(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wallet-usage-meter", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            given_up, batch = self._next()
            self._tell_in_thread(given_up)
            if batch is not None:
                self._tell_in_thread(self._sent(batch))
            elif not given_up:
                return

    def _sent(self, batch: list[Operation]) -> list[Outcome]:
        results: list[BatchResult] | None = None
        error: Exception | None = None
        try:
            results = self._client.transactions.batch(batch)
        except Exception as raised:  # noqa: BLE001 - whatever it is, the events are still there
            error = raised
        with self._changed:
            now_s = time.monotonic()
            if results is not None:
                outcomes = self._core.answered(results, now_s)
            else:
                outcomes = self._core.failed(error or RuntimeError("no results"), now_s)
            self._changed.notify_all()
        return outcomes

    def _next(self) -> tuple[list[Unsent], list[Operation] | None]:
        """What is too old, and the next batch, when there is one of them; neither: there will be none."""
        with self._changed:
            while True:
                now_s = time.monotonic()
                given_up = self._core.expire(now_s)
                if given_up:
                    self._changed.notify_all()
                    return given_up, None
                batch = self._core.take(now_s)
                if batch is not None or (self._core.closing and self._core.idle):
                    return [], batch
                self._changed.wait(self._core.due_in_s(now_s))

    def _tell_in_thread(self, outcomes: "list[Outcome] | list[Unsent]") -> None:
        try:
            self._tell(outcomes)
        except BaseException:  # noqa: BLE001 - as its callers do
            # A callback that exits ends no process from here; that it ended this thread would lose the events.
            log.exception("a callback of the usage meter can't end the thread that calls it")

    def _tell(self, outcomes: "list[Outcome] | list[Unsent]") -> None:
        with self._changed:
            if self._core.closing:
                self._unsent += [outcome for outcome in outcomes if isinstance(outcome, Unsent)]
        self._teller.tell(outcomes)
