"""What both meters share, without sending or waiting: the queue, the batches, and what becomes of each event.

An event is in the hands of the meter from ``add`` until exactly one outcome of it is returned, by ``answered``,
``failed`` or ``abandon``. Its idempotency key is made when it is recorded, so that it can be sent as often as it takes.

An exception of a signal handler may end any of it between two lines, and nothing is lost or told twice: ``add`` is one
step, and the others work out what is decided, note it in one step, and then carry it out, which the next one does again
where it was not done to its end.
"""

import itertools
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from wallet_client._retries import is_of_the_ledger
from wallet_client.errors import OutcomeUnknown, ServiceError, UnexpectedAnswer, WalletError
from wallet_client.meter.limits import Limits
from wallet_client.meter.usage import Charged, MeterCounts, NotCharged, Outcome, Unsent, Usage
from wallet_client.models import BatchResult, Posted, Refused
from wallet_client.operations import Operation

_OF_ITS_CONTENT = frozenset({400, 413, 422})
"""Said of a whole request for what stands in it: parts of it may pass."""

_TOO_LARGE = 413
_BASE_S = 0.1
_LONGEST_S = 5.0


@dataclass(slots=True)
class _Group:
    """Events that are sent together, again if need be."""

    events: list[Usage]
    tries: int = 0
    not_before_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Decision:
    """What follows from an answer, or from the lack of one: whoever carries it out once more changes nothing.

    Attributes:
        outcomes: by the number of the event.
        counted: the sums with them, as in MeterCounts.
        again: all that is to be sent again.
    """

    outcomes: dict[int, Outcome]
    counted: tuple[int, int, int]
    again: list[_Group]


class MeterCore:
    """The events, from their recording to their outcome. One batch is under way at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.closing = False
        self.last = 0  # the number of the newest event
        self.untold: dict[int, Outcome] = {}  # until somebody tells them
        self.unsent: dict[int, Unsent] = {}  # from the closing on
        self._numbers = itertools.count(1)
        self._flush_until = 0
        self._queue: deque[Usage] = deque()
        self._again: list[_Group] = []
        self._under_way: _Group | None = None
        self._taken: dict[int, Usage] = {}  # under way or again, without an outcome
        self._open: set[int] = set()  # of those taken, who may have been charged
        self._decision: _Decision | None = None
        self._max_batch = limits.max_batch
        self._rest_until_s = 0.0
        self._failures = 0
        self._last_error: Exception | None = None
        self._counted = (0, 0, 0)  # charged, refused, unsent

    @property
    def full(self) -> bool:
        """Whether it holds as many events as it may."""
        return len(self._taken) + len(self._queue) >= self.limits.max_events

    @property
    def idle(self) -> bool:
        """Whether every event has its outcome."""
        return not (self._taken or self._queue)

    def done(self, number: int) -> bool:
        """Whether each event until the one with this number has its outcome."""
        oldest = self._oldest
        return oldest is None or oldest.number > number

    def flush(self) -> int:
        """What was recorded until now waits for no others; the number of the newest of it."""
        self._flush_until = max(self._flush_until, self.last)
        return self.last

    def add(self, key: str, operation: Operation, now_s: float) -> Usage:
        """Take an event. There must be room."""
        number = next(self._numbers)
        self.last = number
        usage = Usage(key, operation, now_s, number)
        self._queue.append(usage)  # before that it is not recorded
        return usage

    @property
    def due_anew(self) -> bool:
        """Whether the next batch is due at another time since an event was added."""
        return self.full or len(self._queue) in (1, self._max_batch)

    def take_back(self, usage: Usage) -> bool:
        """Whether an event still waited to be sent; then it is as if it had not been added."""
        try:
            self._queue.remove(usage)
        except ValueError:
            return False
        return True

    def due_in_s(self, now_s: float) -> float | None:
        """Seconds until there is a batch to take or to give up; None: not before something else happens."""
        if self._under_way is not None:
            return None
        batch_s = self._batch_in_s(now_s)
        if batch_s is None or not self._failures:
            return batch_s
        oldest = self._oldest
        oldest_s = now_s if oldest is None else oldest.recorded_s
        return min(batch_s, max(0.0, oldest_s + self.limits.give_up_after_s - now_s))

    def _batch_in_s(self, now_s: float) -> float | None:
        times = [group.not_before_s for group in self._again]
        if self._queue:
            flushed = self._queue[0].number <= self._flush_until
            hurry = self.closing or flushed or self.full or len(self._queue) >= self._max_batch
            times.append(0.0 if hurry else self._queue[0].recorded_s + self.limits.max_delay_s)
        if not times:
            return None
        return max(0.0, max(min(times), self._rest_until_s) - now_s)

    def take(self, now_s: float) -> list[Operation] | None:
        """The batch that is to be sent now, if one is; then ``answered`` or ``failed``, or ``abandon``."""
        if self._under_way is not None or self._batch_in_s(now_s) != 0.0:
            return None
        group = next((each for each in self._again if each.not_before_s <= now_s), None)
        if group is None:
            group = _Group(list(itertools.islice(self._queue, self._max_batch)))
        self._taken.update((usage.number, usage) for usage in group.events)
        self._under_way = group
        self._again = [each for each in self._again if each is not group]
        while self._queue and self._queue[0].number in self._taken:
            self._queue.popleft()
        return [usage.operation for usage in group.events]

    def expire(self, now_s: float) -> list[Unsent]:
        """Give up what is too old, while the service is away; while it answers, all of it has its turn."""
        oldest = self._oldest
        if (
            not self._failures
            or self._under_way is not None
            or oldest is None
            or not self._too_old(oldest, now_s)
        ):
            return []
        old = list(itertools.takewhile(lambda usage: self._too_old(usage, now_s), self._pending.values()))
        numbers = {usage.number for usage in old}
        again = [
            _Group(left, group.tries, group.not_before_s)
            for group in self._again
            if (left := [usage for usage in group.events if usage.number not in numbers])
        ]
        outcomes = [self._give_up(usage, self._last_error) for usage in old]
        self._decide(outcomes, again)
        return outcomes

    def answered(self, results: Sequence[BatchResult], now_s: float) -> list[Outcome]:
        """The service decided on the batch that was taken."""
        group = self._under_way
        if group is None:
            return []
        if len(results) != len(group.events):
            self._open.update(usage.number for usage in group.events)
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
                outcomes.append(Charged(usage, result.transaction))
            elif not result.error.retryable:
                outcomes.append(self._refuse(usage, result.error))
            elif self._too_old(usage, now_s):
                outcomes.append(self._give_up(usage, result.error))
            else:
                again.append(usage)
        return self._decide(outcomes, self._again + _groups([again], group.tries + 1, now_s))

    def failed(self, error: Exception, now_s: float) -> list[Outcome]:
        """The batch that was taken ended without a decision on each of its events."""
        group = self._under_way
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
            return self._decide([self._refuse(group.events[0], cause)], self._again)
        outcomes: list[Outcome] = [
            self._give_up(usage, error) for usage in group.events if self._too_old(usage, now_s)
        ]
        left = [usage for usage in group.events if not self._too_old(usage, now_s)]
        if _is_of_its_content(cause):
            # One event may be the cause; halves of halves find it.
            if status == _TOO_LARGE:
                self._max_batch = max(1, min(self._max_batch, len(group.events) // 2))
            half = (len(left) + 1) // 2
            parts, at_once = [left[:half], left[half:]], len(left) > 1
        else:
            parts, at_once = [left], True
        again = _groups(parts, group.tries + 1, now_s, at_once=at_once)
        if status not in _OF_ITS_CONTENT:
            self._failures += 1
            self._last_error = error
            self._rest_until_s = now_s + _backoff_s(self._failures)
        return self._decide(outcomes, self._again + again)

    def abandon(self, error: Exception | None = None) -> list[Unsent]:
        """Give up everything that is pending; what is answered later changes nothing."""
        self._carry_out()
        if self._under_way is not None:
            self._open.update(usage.number for usage in self._under_way.events)
        outcomes = [self._give_up(usage, error) for usage in self._pending.values()]
        self._decide(outcomes, [])
        return outcomes

    def counts(self, now_s: float) -> MeterCounts:
        """How many events have come to what."""
        self._carry_out()
        charged, refused, unsent = self._counted
        pending, oldest = len(self._pending), self._oldest
        return MeterCounts(
            recorded=charged + refused + unsent + pending,
            charged=charged,
            refused=refused,
            unsent=unsent,
            pending=pending,
            oldest_age_s=0.0 if oldest is None else now_s - oldest.recorded_s,
        )

    @property
    def _pending(self) -> dict[int, Usage]:
        """Without an outcome, the oldest first. Who was interrupted leaves some both taken and in the queue."""
        return self._taken | {usage.number: usage for usage in tuple(self._queue)}

    @property
    def _oldest(self) -> Usage | None:
        return next(iter(self._taken.values()), None) or (self._queue[0] if self._queue else None)

    def _decide(self, outcomes: Sequence[Outcome], again: list[_Group]) -> list[Outcome]:
        """From here on the events have these outcomes, and nothing is under way."""
        charged, refused, unsent = self._counted
        kinds = [type(outcome) for outcome in outcomes]
        self._decision = _Decision(
            {outcome.usage.number: outcome for outcome in outcomes},
            (charged + kinds.count(Charged), refused + kinds.count(NotCharged), unsent + kinds.count(Unsent)),
            again,
        )
        self._carry_out()
        return list(outcomes)

    def _carry_out(self) -> None:
        decision = self._decision
        if decision is None:
            return
        self.untold.update(decision.outcomes)
        if self.closing:
            given_up = [each for each in decision.outcomes.values() if isinstance(each, Unsent)]
            self.unsent.update((each.usage.number, each) for each in given_up)
        self._counted = decision.counted
        self._again = decision.again
        self._under_way = None
        for number in decision.outcomes:
            self._taken.pop(number, None)
            self._open.discard(number)
        while self._queue and self._queue[0].number in decision.outcomes:
            self._queue.popleft()
        self._decision = None

    def _too_old(self, usage: Usage, now_s: float) -> bool:
        return now_s - usage.recorded_s >= self.limits.give_up_after_s

    def _refuse(self, usage: Usage, error: ServiceError) -> NotCharged | Unsent:
        error.earlier_try_open = usage.number in self._open
        if error.earlier_try_open and not is_of_the_ledger(error):  # the ledger may have done the earlier try
            return self._give_up(usage, error)
        error.idempotency_key = usage.key
        return NotCharged(usage, error)

    def _give_up(self, usage: Usage, error: Exception | None) -> Unsent:
        return Unsent(usage, error, usage.number in self._open)


def _groups(parts: Sequence[list[Usage]], tries: int, now_s: float, *, at_once: bool = False) -> list[_Group]:
    not_before_s = now_s if at_once else now_s + _backoff_s(tries)
    return [_Group(events, tries, not_before_s) for events in parts if events]


def _is_of_its_content(cause: BaseException) -> bool:
    """Whether the request failed, or may have failed, for what stands in it."""
    if isinstance(cause, ServiceError):
        return cause.status in _OF_ITS_CONTENT or (cause.code == "internal_error" and not cause.retryable)
    return not isinstance(cause, WalletError)


def _backoff_s(tries: int) -> float:
    return min(_LONGEST_S, _BASE_S * 2 ** min(tries, 10)) * (0.5 + random.random() / 2)  # noqa: S311 - spreads load
