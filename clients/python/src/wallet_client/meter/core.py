"""The state of a meter, without I/O, threads or a clock: the pending events, the batches, and the outcomes.

A signal handler may raise an exception between any two lines, and no event is lost or reported twice: ``add`` is one
step, and ``abandon`` gives up what is pending after ``take`` or ``finish`` was stopped. It may be stopped and repeated.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import TypeAlias, cast

from wallet_client._retries import is_of_the_ledger
from wallet_client.errors import OutcomeUnknown, ServiceError, WalletError
from wallet_client.meter.usage import MeterClosed, MeterCounts, Unsent, Usage
from wallet_client.models import BatchResult, Posted, Refused, Transaction
from wallet_client.operations import Operation

OnCharged: TypeAlias = Callable[[Usage, Transaction], None]
OnRefused: TypeAlias = Callable[[Usage, ServiceError], None]
OnUnsent: TypeAlias = Callable[[Unsent], None]
Callbacks: TypeAlias = tuple[OnCharged, OnRefused, OnUnsent]

_CONTENT_STATUSES = frozenset({400, 413, 422})  # a part of the refused content may be accepted


@dataclass(slots=True)
class _Pending:
    """An event without an outcome."""

    usage: Usage
    attempts: int = 0
    not_before_s: float = 0.0
    maybe_charged: bool = False  # by an attempt whose outcome is unknown


class MeterCore:
    """The events of a meter. One batch is sent at a time."""

    def __init__(
        self,
        callbacks: Callbacks,
        max_events: int,
        max_batch: int,
        max_delay_s: float,
        give_up_after_s: float,
    ) -> None:
        self.closing = False
        self.unreported: dict[
            int, Callable[[], None]
        ] = {}  # calls of the callbacks, by the number of the event
        self.unsent: dict[int, Unsent] = {}  # given up since the closing, by number
        self._on_charged, self._on_refused, self._on_unsent = callbacks
        self._max_events = max_events
        self._max_batch = self._batch_size = max_batch
        self._max_delay_s = max_delay_s
        self._give_up_after_s = give_up_after_s
        self._pending: dict[int, _Pending] = {}  # by number, so the oldest first
        self._sending: list[_Pending] = []
        self._last_taken = 0  # events with higher numbers are not yet attempted
        self._flush_until = 0
        self._failures = 0  # since the service last answered
        self._last_error: Exception | None = None
        self._pause_until_s = 0.0
        self._charged = self._refused = 0

    def is_finished(self) -> bool:
        """Whether it is closing and every event has its outcome."""
        return self.closing and not self._pending

    def has_room(self) -> bool:
        """Whether another event can be recorded; raises MeterClosed if it is closing."""
        if self.closing:
            raise MeterClosed("the usage meter is closed")
        return len(self._pending) < self._max_events

    def add(self, key: str, operation: Operation, now_s: float) -> bool:
        """Record an event, for which there is room; whether ``due_in_s`` may have changed."""
        number = self._last + 1
        event = _Pending(Usage(key, operation, now_s, number))
        if self._pending.setdefault(number, event) is not event:  # a signal handler recorded another one
            return self.add(key, operation, now_s)
        if self.closing and number > self._last_taken:  # a signal handler closed the meter since ``has_room``
            del self._pending[number]
            raise MeterClosed("the usage meter is closed")
        return number - self._last_taken in (1, self._batch_size) or len(self._pending) >= self._max_events

    def flush(self) -> int:
        """Make the events recorded until now due; the number of the newest of them."""
        self._flush_until = self._last
        return self._flush_until

    def is_reported(self, number: int) -> bool:
        """Whether the outcome of each event up to this number is decided and reported."""
        oldest_pending = next(iter(self._pending), number + 1)
        return oldest_pending > number and all(each > number for each in self.unreported.copy())

    def due_in_s(self, now_s: float) -> float:
        """Seconds until ``take`` has something to do; infinite without events."""
        attempted = takewhile(lambda each: each.usage.number <= self._last_taken, self._pending.values())
        times = [each.not_before_s for each in attempted]
        if first := self._pending.get(self._last_taken + 1):
            full = len(self._pending) >= self._max_events or self._last - self._last_taken >= self._batch_size
            at_once = full or self.closing or first.usage.number <= self._flush_until
            times.append(0.0 if at_once else first.usage.recorded_s + self._max_delay_s)
        due_s = max(min(times, default=math.inf), self._pause_until_s)
        if self._failures and self._pending:
            due_s = min(due_s, self._expires_s(next(iter(self._pending.values()))))
        return max(0.0, due_s - now_s)

    def take(self, now_s: float) -> list[Operation]:
        """The next batch if one is due, otherwise []. After a batch, call ``finish``."""
        if self._failures and not self._sending:  # unavailable: what is too old gets no other attempt
            for each in list(takewhile(lambda each: self._expires_s(each) <= now_s, self._pending.values())):
                self._give_up(each, self._last_error)
        if self._sending or self.due_in_s(now_s) != 0.0:
            return []
        ready = (each for each in self._pending.values() if each.not_before_s <= now_s)
        self._sending = list(islice(ready, self._batch_size))
        self._last_taken = max(self._last_taken, self._sending[-1].usage.number)
        return [each.usage.operation for each in self._sending]

    def finish(self, result: Sequence[BatchResult] | Exception, now_s: float) -> None:
        """The request with the batch that was taken ended, with these results or this error."""
        if not self._sending:  # abandoned meanwhile
            return
        if not isinstance(result, Exception) and len(result) != len(self._sending):
            result = OutcomeUnknown("a batch was answered with another number of results")
        if isinstance(result, Exception):
            self._failed(self._sending, result, now_s)
        else:
            self._answered(self._sending, result, now_s)
        self._sending = []

    def abandon(self) -> None:
        """Give up all pending events. A later answer changes nothing."""
        for each in self._sending:
            each.maybe_charged = True
        for each in list(self._pending.values()):
            self._give_up(each, self._last_error)
        self._sending = []

    def decided(self) -> list[tuple[int, Callable[[], None]]]:
        """The numbers of the events whose outcome is not reported yet, and the calls that report them."""
        # If the event is still pending, ``_decide`` was stopped halfway, and ``abandon`` completes it.
        return [each for each in self.unreported.copy().items() if each[0] not in self._pending]

    def counts(self, now_s: float) -> MeterCounts:
        """How many events have which outcome."""
        pending, oldest = len(self._pending), next(iter(self._pending.values()), None)
        unsent = self._last - self._charged - self._refused - pending
        age_s = 0.0 if oldest is None else now_s - oldest.usage.recorded_s
        return MeterCounts(self._last, self._charged, self._refused, unsent, pending, age_s)

    @property
    def _last(self) -> int:  # the number of the newest event
        return max(self._last_taken, next(reversed(self._pending), 0))

    def _expires_s(self, event: _Pending) -> float:
        return event.usage.recorded_s + self._give_up_after_s

    def _answered(self, batch: list[_Pending], results: Sequence[BatchResult], now_s: float) -> None:
        self._failures, self._last_error = 0, None
        if len(batch) >= self._batch_size:  # it was not too large, so a larger one may be accepted
            self._batch_size = min(self._max_batch, 2 * self._batch_size)
        for event, result in zip(batch, results, strict=True):
            if not isinstance(result, Refused):
                # Of a consume, which has a transaction: no grant or hold decides it.
                transaction = cast("Posted", result).transaction
                self._decide(event, partial(self._on_charged, event.usage, transaction))
                self._charged += 1
                continue
            event.maybe_charged |= result.error.earlier_attempt_open
            if result.error.retryable:
                self._retry(event, result.error, now_s)
            else:
                self._refuse(event, result.error)

    def _failed(self, batch: list[_Pending], error: Exception, now_s: float) -> None:
        unknown = isinstance(error, OutcomeUnknown) or not isinstance(error, WalletError)
        cause = (error.__cause__ if isinstance(error, OutcomeUnknown) else None) or error
        refusal = cause if isinstance(cause, ServiceError) and cause.status in _CONTENT_STATUSES else None
        if refusal is None:
            self._failures += 1
            self._last_error = error
            self._pause_until_s = now_s + _backoff_s(self._failures)
        internal = isinstance(cause, ServiceError) and cause.code == "internal_error" and not cause.retryable
        if (
            refusal or internal or not isinstance(cause, WalletError)
        ):  # perhaps for one event: halves of halves find it
            self._batch_size = max(1, len(batch) // 2)
        for event in batch:
            event.maybe_charged |= unknown
            # A proxy, which sends no code, does not know whether an earlier attempt charged the event.
            if refusal and len(batch) == 1 and (refusal.code or not event.maybe_charged):
                self._refuse(event, refusal)
            else:
                self._retry(event, error, now_s, at_once=not refusal or len(batch) > 1)

    def _retry(self, event: _Pending, error: Exception, now_s: float, *, at_once: bool = False) -> None:
        if self._expires_s(event) <= now_s:
            self._give_up(event, error)
        else:
            event.attempts += 1
            event.not_before_s = now_s if at_once else now_s + _backoff_s(event.attempts)

    def _refuse(self, event: _Pending, error: ServiceError) -> None:
        error.earlier_attempt_open = event.maybe_charged
        if event.maybe_charged and not is_of_the_ledger(error):  # the ledger may have done an earlier attempt
            self._give_up(event, error)
        else:
            error.idempotency_key = event.usage.key
            self._decide(event, partial(self._on_refused, event.usage, error))
            self._refused += 1

    def _give_up(self, event: _Pending, error: Exception | None) -> None:
        unsent = Unsent(event.usage, error, event.maybe_charged)
        if self.closing:
            self.unsent[event.usage.number] = unsent
        self._decide(event, partial(self._on_unsent, unsent))

    def _decide(self, event: _Pending, call: Callable[[], None]) -> None:
        number = event.usage.number
        self.unreported.setdefault(number, call)  # the first outcome stays, if this was stopped below
        self._last_taken = max(self._last_taken, number)
        del self._pending[number]


def _backoff_s(attempts: int) -> float:
    """Up to 0.2 s after the first attempt, and doubled with each one, up to 5 s."""
    return min(5.0, 0.1 * 2 ** min(attempts, 10)) * (0.5 + random.random() / 2)  # noqa: S311 - spreads load
