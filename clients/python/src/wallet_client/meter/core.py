"""What both meters share, without sending or waiting: the queue, the batches, and what becomes of each event.

An event is in the hands of the meter from ``add`` until exactly one outcome of it is returned, by ``answered``,
``failed`` or ``abandon``. Its idempotency key is made when it is recorded, so that it can be sent as often as it takes.
"""

import copy
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from wallet_client._call import Id, encode
from wallet_client.errors import OutcomeUnknown, ServiceError, UnexpectedAnswer, WalletError
from wallet_client.keys import new_key
from wallet_client.meter.limits import Limits
from wallet_client.models import BatchResult, Posted, Refused, Transaction
from wallet_client.money import Amount
from wallet_client.operations import Operation

MOST_EVENT_BYTES = 64 * 1024
"""An event whose members have the lengths that the service takes is smaller, and 15 of them fit into a request."""

Kind: TypeAlias = Literal["consume", "withdraw", "fee"]

_OF_ITS_CONTENT = frozenset({400, 413, 422})
"""Said of a whole request for what stands in it: parts of it may pass."""

_TOO_LARGE = 413
_BASE_S = 0.1
_LONGEST_S = 5.0


class MeterFull(WalletError):
    """The meter holds as many events as it may; this one was not recorded."""


class MeterClosed(WalletError):
    """The meter takes no more events; this one was not recorded."""


@dataclass(frozen=True, slots=True)
class Usage:
    """An event: one debit, a ledger row.

    Attributes:
        key: its idempotency key, under which it is charged once.
        operation: the debit.
        recorded_s: when it was recorded, on the meter's clock.
        number: its place among all events of the meter, from 1.
    """

    key: str
    operation: Operation
    recorded_s: float = field(compare=False)
    number: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """An event that the meter gave up.

    Attributes:
        usage: the event.
        error: what was met last; None: it was never tried.
        outcome_unknown: whether it may have been charged all the same. Send ``usage.operation`` again, which has the
            key, and it is charged once.
    """

    usage: Usage
    error: Exception | None
    outcome_unknown: bool


@dataclass(frozen=True, slots=True)
class Charged:
    """It is in the ledger."""

    usage: Usage
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class NotCharged:
    """The service refused it. With ``error.earlier_try_open`` an earlier try may still arrive and be charged."""

    usage: Usage
    error: ServiceError


Outcome: TypeAlias = Charged | NotCharged | Unsent


@dataclass(frozen=True, slots=True)
class MeterCounts:
    """The events of a meter: ``recorded`` is the sum of the four after it.

    Attributes:
        oldest_age_s: how long the oldest pending event has waited; 0 without one.
    """

    recorded: int
    charged: int
    refused: int
    unsent: int
    pending: int
    oldest_age_s: float


@dataclass(slots=True)
class _Group:
    """Events that are sent together, again if need be."""

    events: list[Usage]
    tries: int = 0
    not_before_s: float = 0.0


def debit(
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
) -> tuple[str, Operation]:
    """An event's key, and its operation, which can be sent and which nobody changes afterwards.

    Raises:
        TypeError, ValueError: it can't be sent.
    """
    key = new_key() if idempotency_key is None else idempotency_key
    make = {"consume": Operation.consume, "withdraw": Operation.withdraw, "fee": Operation.fee}[kind]
    operation = make(
        wallet_id,
        amount,
        description=description,
        reference=reference,
        metadata=copy.deepcopy(metadata),
        effective_at=effective_at,
        counter_account=counter_account,
        idempotency_key=key,
    )
    size = len(encode(operation.members))  # now, where the caller hears of it
    if size > MOST_EVENT_BYTES:
        raise ValueError(f"an event has at most {MOST_EVENT_BYTES} bytes, not {size}")
    return key, operation


class MeterCore:
    """The events, from their recording to their outcome. One batch is under way at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.closing = False
        self.flushing = 0
        self.last = 0  # the number of the newest event
        self._queue: deque[Usage] = deque()
        self._again: deque[_Group] = deque()
        self._under_way: _Group | None = None
        self._pending: dict[int, Usage] = {}
        self._open: set[int] = set()  # of those pending, who may have been charged
        self._max_batch = limits.max_batch
        self._rest_until_s = 0.0
        self._failures = 0
        self._last_error: Exception | None = None
        self._charged = self._refused = self._unsent = 0

    @property
    def full(self) -> bool:
        """Whether it holds as many events as it may."""
        return len(self._pending) >= self.limits.max_events

    @property
    def idle(self) -> bool:
        """Whether every event has its outcome."""
        return not self._pending

    def done(self, number: int) -> bool:
        """Whether each event until the one with this number has its outcome."""
        return next(iter(self._pending), number + 1) > number

    def add(self, key: str, operation: Operation, now_s: float) -> bool:
        """Take an event; whether the next batch is due at another time than before. There must be room."""
        self.last += 1
        usage = Usage(key, operation, now_s, self.last)
        self._pending[usage.number] = usage
        self._queue.append(usage)
        return self.full or len(self._queue) in (1, self._max_batch)

    def due_in_s(self, now_s: float) -> float | None:
        """Seconds until there is a batch to take or to give up; None: not before something else happens."""
        if self._under_way is not None:
            return None
        batch_s = self._batch_in_s(now_s)
        if batch_s is None or not self._failures:
            return batch_s
        oldest = next(iter(self._pending.values()))
        return min(batch_s, max(0.0, oldest.recorded_s + self.limits.give_up_after_s - now_s))

    def _batch_in_s(self, now_s: float) -> float | None:
        times = [group.not_before_s for group in self._again]
        if self._queue:
            hurry = self.closing or self.flushing or self.full or len(self._queue) >= self._max_batch
            times.append(0.0 if hurry else self._queue[0].recorded_s + self.limits.max_delay_s)
        if not times:
            return None
        return max(0.0, max(min(times), self._rest_until_s) - now_s)

    def take(self, now_s: float) -> list[Operation] | None:
        """The batch that is to be sent now, if one is; then ``answered`` or ``failed``, or ``abandon``."""
        if self._under_way is not None or self._batch_in_s(now_s) != 0.0:
            return None
        group = next((each for each in self._again if each.not_before_s <= now_s), None)
        if group is not None:
            self._again.remove(group)
        else:
            size = min(len(self._queue), self._max_batch)
            group = _Group([self._queue.popleft() for _ in range(size)])
        self._under_way = group
        return [usage.operation for usage in group.events]

    def expire(self, now_s: float) -> list[Unsent]:
        """Give up what is too old, while the service is away; while it answers, all of it has its turn."""
        if not self._failures or self._under_way is not None:
            return []
        old: list[Usage] = []
        for usage in self._pending.values():  # oldest first
            if not self._too_old(usage, now_s):
                break
            old.append(usage)
        if old:
            numbers = {usage.number for usage in old}
            self._queue = deque(usage for usage in self._queue if usage.number not in numbers)
            for group in self._again:
                group.events = [usage for usage in group.events if usage.number not in numbers]
            self._again = deque(group for group in self._again if group.events)
        outcomes = [self._give_up(usage, self._last_error) for usage in old]
        self._concluded(outcomes)
        return outcomes

    def answered(self, results: Sequence[BatchResult], now_s: float) -> list[Outcome]:
        """The service decided on the batch that was taken."""
        group = self._taken()
        if group is None:
            return []
        if len(results) != len(group.events):
            self._open.update(usage.number for usage in group.events)
            self._under_way = group
            return self.failed(UnexpectedAnswer("a batch was answered with another number of results"), now_s)
        self._failures = 0
        if len(group.events) >= self._max_batch:  # it was not too large, so another may be larger
            self._max_batch = min(self.limits.max_batch, 2 * self._max_batch)
        outcomes: list[Outcome] = []
        again: list[Usage] = []
        for usage, result in zip(group.events, results, strict=True):
            if isinstance(result, Refused) and result.error.earlier_try_open:
                self._open.add(usage.number)
            if isinstance(result, Posted):
                self._charged += 1
                outcomes.append(Charged(usage, result.transaction))
            elif not result.error.retryable:
                outcomes.append(self._refuse(usage, result.error))
            elif self._too_old(usage, now_s):
                outcomes.append(self._give_up(usage, result.error))
            else:
                again.append(usage)
        self._put_back(again, group.tries + 1, now_s)
        return self._concluded(outcomes)

    def failed(self, error: Exception, now_s: float) -> list[Outcome]:
        """The batch that was taken ended without a decision on each of its events."""
        group = self._taken()
        if group is None:
            return []
        if isinstance(error, OutcomeUnknown) or not isinstance(error, WalletError):
            self._open.update(usage.number for usage in group.events)
        cause = (error.__cause__ if isinstance(error, OutcomeUnknown) else None) or error
        status = cause.status if isinstance(cause, ServiceError) else 0
        if (
            len(group.events) == 1
            and isinstance(cause, ServiceError)
            and status in _OF_ITS_CONTENT
            # What stands before the service knows nothing of an earlier try that may have been done.
            and (cause.code or group.events[0].number not in self._open)
        ):
            return self._concluded([self._refuse(group.events[0], cause)])
        outcomes: list[Outcome] = [
            self._give_up(usage, error) for usage in group.events if self._too_old(usage, now_s)
        ]
        left = [usage for usage in group.events if not self._too_old(usage, now_s)]
        if _is_of_its_content(cause):
            # One event may be the cause; halves of halves find it.
            if status == _TOO_LARGE:
                self._max_batch = max(1, min(self._max_batch, len(group.events) // 2))
            half = (len(left) + 1) // 2
            for part in (left[:half], left[half:]):
                self._put_back(part, group.tries + 1, now_s, at_once=len(left) > 1)
        else:
            self._put_back(left, group.tries + 1, now_s, at_once=True)
        if status not in _OF_ITS_CONTENT:
            self._failures += 1
            self._last_error = error
            self._rest_until_s = now_s + _backoff_s(self._failures)
        return self._concluded(outcomes)

    def abandon(self, error: Exception | None = None) -> list[Unsent]:
        """Give up everything that is pending; what is answered later changes nothing."""
        if self._under_way is not None:
            self._open.update(usage.number for usage in self._under_way.events)
        outcomes = [self._give_up(usage, error) for usage in self._pending.values()]
        self._queue.clear()
        self._again.clear()
        self._under_way = None
        self._concluded(outcomes)
        return outcomes

    def counts(self, now_s: float) -> MeterCounts:
        """How many events have come to what."""
        oldest = next(iter(self._pending.values()), None)
        return MeterCounts(
            recorded=self._charged + self._refused + self._unsent + len(self._pending),
            charged=self._charged,
            refused=self._refused,
            unsent=self._unsent,
            pending=len(self._pending),
            oldest_age_s=0.0 if oldest is None else now_s - oldest.recorded_s,
        )

    def _taken(self) -> _Group | None:
        group, self._under_way = self._under_way, None
        return group

    def _put_back(self, events: list[Usage], tries: int, now_s: float, *, at_once: bool = False) -> None:
        if events:
            not_before_s = now_s if at_once else now_s + _backoff_s(tries)
            self._again.append(_Group(events, tries, not_before_s))

    def _too_old(self, usage: Usage, now_s: float) -> bool:
        return now_s - usage.recorded_s >= self.limits.give_up_after_s

    def _refuse(self, usage: Usage, error: ServiceError) -> NotCharged:
        self._refused += 1
        error.earlier_try_open = usage.number in self._open
        error.idempotency_key = usage.key
        return NotCharged(usage, error)

    def _give_up(self, usage: Usage, error: Exception | None) -> Unsent:
        self._unsent += 1
        return Unsent(usage, error, usage.number in self._open)

    def _concluded(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        for outcome in outcomes:
            del self._pending[outcome.usage.number]
            self._open.discard(outcome.usage.number)
        return list(outcomes)


def _is_of_its_content(cause: BaseException) -> bool:
    """Whether the request failed, or may have failed, for what stands in it."""
    if isinstance(cause, ServiceError):
        return cause.status in _OF_ITS_CONTENT or (cause.code == "internal_error" and not cause.retryable)
    return not isinstance(cause, WalletError)


def _backoff_s(tries: int) -> float:
    return min(_LONGEST_S, _BASE_S * 2 ** min(tries, 10)) * (0.5 + random.random() / 2)  # noqa: S311 - spreads load
