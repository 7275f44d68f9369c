"""The meter's bookkeeping, against a service that does or does not, and says so or does not."""

import copy
import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wallet_client import NoAnswer, OutcomeUnknown, Posted, Refused, ServiceError, Transaction, WalletClient
from wallet_client._problems import error_of
from wallet_client.meter import Unsent, Usage, UsageMeter
from wallet_client.meter.core import MeterCore
from wallet_client.meter.usage import debit

WALLET = "0199d0a8-0000-7000-8000-0000000000aa"
TRANSACTION: Any = object()


@dataclass(frozen=True)
class Charged:
    usage: Usage
    transaction: Transaction


@dataclass(frozen=True)
class NotCharged:
    usage: Usage
    error: ServiceError


Outcome: TypeAlias = Charged | NotCharged | Unsent


class Core(MeterCore):
    """A core whose outcomes are read by a test instead of a meter."""

    def __init__(self, **limits: Any) -> None:
        self._read: list[Outcome] = []
        callbacks: Any = (
            lambda *given: self._read.append(Charged(*given)),
            lambda *given: self._read.append(NotCharged(*given)),
            self._read.append,
        )
        defaults = {"max_events": 10_000, "max_batch": 500, "max_delay_s": 1.0, "give_up_after_s": 300.0}
        super().__init__(callbacks, **(defaults | limits))

    def outcomes(self) -> list[Outcome]:
        """Those that were not read before."""
        for number, call in self.decided():
            call()
            del self.unreported[number]
        read = self._read.copy()
        self._read.clear()
        return read

    def finished_with(self, result: Any, now_s: float) -> list[Outcome]:
        self.finish(result, now_s)
        return self.outcomes()

    def expired(self, now_s: float) -> list[Outcome]:
        """What is given up by then, where nothing is sent."""
        assert self.take(now_s) == []
        return self.outcomes()


def refusal(status: int, code: str = "", *, retryable: bool = False) -> Any:
    return error_of({"status": status, "code": code, "retryable": retryable})


def unknown(cause: Exception | None = None) -> OutcomeUnknown:
    made = OutcomeUnknown("lost")
    made.__cause__ = cause
    return made


def fresh(error: Exception) -> Exception:
    """As it is raised: nobody else's."""
    made = copy.copy(error)
    made.__cause__ = copy.copy(error.__cause__)
    return made


NOTHING_DONE = (
    NoAnswer("away"),
    refusal(429, "rate_limited", retryable=True),
    refusal(401, "unauthorized"),
    refusal(400, "malformed_request"),
    refusal(413, "payload_too_large"),
    refusal(422, "validation_failed"),
    refusal(404, "not_found"),
    refusal(400),
    refusal(413),
)
NOBODY_KNOWS = (
    unknown(),
    unknown(NoAnswer("away")),
    unknown(refusal(500, "internal_error")),
    unknown(refusal(503, "unavailable", retryable=True)),
    unknown(refusal(413)),
    RuntimeError("closed"),
)


@dataclass
class Service:
    """Charges each key once. What it charged is the truth that outcomes are held against."""

    charged: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)

    def arrive(self) -> None:
        """What was on its way for long gets there."""
        self.charged |= self.late
        self.late.clear()

    def decide(self, keys: list[str], refused: set[int], busy: set[int]) -> list[Posted | Refused]:
        results: list[Posted | Refused] = []
        for place, key in enumerate(keys):
            if key not in self.charged and place in refused:
                results.append(Refused(refusal(402, "insufficient_funds")))
            elif key not in self.charged and place in busy:
                results.append(Refused(refusal(503, "wallet_busy", retryable=True)))
            else:
                self.charged.add(key)
                results.append(Posted(TRANSACTION))
        return results


places = st.sets(st.integers(0, 7), max_size=3)
steps = st.one_of(
    st.tuples(st.just("record"), st.integers(1, 6)),
    st.tuples(st.just("pass_time"), st.sampled_from((0.01, 0.5, 3.0, 40.0))),
    st.tuples(st.just("answer"), places, places),
    st.tuples(st.just("answer"), places, places),
    st.tuples(st.just("lose"), places, places, st.sampled_from(NOBODY_KNOWS)),
    st.tuples(st.just("fail"), st.sampled_from(NOTHING_DONE + NOBODY_KNOWS)),
    st.tuples(st.just("hold"), st.sampled_from(NOBODY_KNOWS)),
    st.tuples(st.just("arrive")),
    st.tuples(st.just("record"), st.integers(1, 6)),
    st.tuples(st.just("abandon"), places, places),
)


class Run:
    """A program that runs on a meter's core, with a service beside it."""

    def __init__(self, *, flushing: bool) -> None:
        self.core = Core(max_events=20, max_batch=8, max_delay_s=0.1, give_up_after_s=100)
        self.core._flush_until = 10_000 if flushing else 0
        self.service = Service()
        self.recorded: list[str] = []
        self.outcomes: list[Outcome] = []
        self.now_s = 0.0

    def record(self, events: int) -> None:
        for _ in range(events):
            if self.core.has_room():
                key, operation = debit(WALLET, 1)
                self.core.add(key, operation, self.now_s)
                self.recorded.append(key)

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds

    def taken(self) -> list[str]:
        """The keys of the batch that is under way now, if one was due."""
        batch = self.core.take(self.now_s)
        assert len(batch) <= 8
        assert not batch or self.core.take(self.now_s) == []
        return [operation.members["idempotency_key"] for operation in batch]

    def fail(self, error: Exception) -> None:
        if self.taken():
            self.core.finish(fresh(error), self.now_s)

    def hold(self, error: Exception) -> None:
        """The request is on its way, and nobody waits for it any more."""
        if keys := self.taken():
            self.service.late.update(keys)
            self.core.finish(fresh(error), self.now_s)

    def arrive(self) -> None:
        self.service.arrive()

    def read(self) -> None:
        self.outcomes += self.core.outcomes()

    def answer(self, refused: set[int], busy: set[int]) -> None:
        if keys := self.taken():
            results = self.service.decide(keys, refused, busy)
            self.core.finish(results, self.now_s)

    def lose(self, refused: set[int], busy: set[int], error: Exception) -> None:
        if keys := self.taken():
            self.service.decide(keys, refused, busy)
            self.core.finish(fresh(error), self.now_s)

    def abandon(self, refused: set[int], busy: set[int]) -> None:
        if keys := self.taken():
            results = self.service.decide(keys, refused, busy)
            self.core.abandon()
            self.read()
            assert self.core.finished_with(results, self.now_s) == []

    def adds_up(self) -> None:
        counts = self.core.counts(self.now_s)
        assert counts.recorded == counts.charged + counts.refused + counts.unsent + counts.pending
        assert (counts.recorded, counts.pending) == (
            len(self.recorded),
            len(self.recorded) - len(self.outcomes),
        )
        assert counts.pending <= 20

    def is_true(self, outcome: Outcome) -> bool:
        was_charged = outcome.usage.key in self.service.charged
        match outcome:
            case Charged():
                return was_charged
            case NotCharged():
                return outcome.error.earlier_attempt_open or not was_charged
            case Unsent():
                return outcome.outcome_unknown or not was_charged


@settings(max_examples=300, deadline=None)
@given(program=st.lists(steps, max_size=40), flushing=st.booleans())
def test_each_event_ends_in_exactly_one_outcome_and_it_is_true(
    program: list[tuple[Any, ...]], flushing: bool
) -> None:
    run = Run(flushing=flushing)
    for name, *drawn in program:
        getattr(run, name)(*drawn)
        run.read()
        run.adds_up()
    run.core.abandon()
    run.read()
    run.service.arrive()
    assert run.core.counts(0).pending == 0
    assert sorted(outcome.usage.key for outcome in run.outcomes) == sorted(run.recorded)
    assert all(map(run.is_true, run.outcomes))


def core_with(events: int, **limits: Any) -> Core:
    core = Core(**limits)
    for _ in range(events):
        core.add(*debit(WALLET, 1), now_s=0)
    return core


def test_a_batch_waits_for_its_delay_for_its_size_or_for_the_end() -> None:
    core = core_with(2, max_batch=3, max_delay_s=5)
    assert (core.due_in_s(0), core.due_in_s(4), core.due_in_s(6)) == (5, 1, 0)
    core.add(*debit(WALLET, 1), now_s=4)
    assert core.due_in_s(4) == 0
    full = core_with(2, max_events=2, max_delay_s=5)
    assert full.due_in_s(0) == 0
    closing = core_with(1)
    closing.closing = True
    assert closing.due_in_s(0) == 0
    assert core_with(0).due_in_s(0) == math.inf


def test_a_service_that_is_away_is_asked_less_and_less_often() -> None:
    core = core_with(1, max_delay_s=0)
    waits: list[float] = []
    now_s = 0.0
    for _ in range(10):
        assert core.take(now_s)
        assert core.finished_with(NoAnswer("away"), now_s) == []
        wait_s = core.due_in_s(now_s)
        assert wait_s
        waits.append(wait_s)
        now_s += wait_s
    assert waits[0] < 0.3
    assert 2 < waits[-1] <= 5


def test_what_a_batch_is_refused_for_is_found_and_the_others_are_charged() -> None:
    core = core_with(8, max_delay_s=0, max_batch=8)
    bad = 5
    outcomes: list[Outcome] = []
    requests = 0
    while batch := core.take(0):
        requests += 1
        keys = {operation.members["idempotency_key"] for operation in batch}
        poisoned = {each.usage.key for number, each in core._pending.items() if number == bad}
        if keys & poisoned:
            outcomes += core.finished_with(refusal(422, "validation_failed"), 0)
        else:
            outcomes += core.finished_with([Posted(TRANSACTION)] * len(batch), 0)
    assert core.counts(0).pending == 0
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, NotCharged)]
    assert (refused.usage.number, refused.error.code) == (bad, "validation_failed")
    assert requests <= 7


@pytest.mark.parametrize("bad", [1, 2, 255, 400, 500, 999])
def test_a_bad_event_among_many_is_found_in_few_requests(bad: int) -> None:
    core = core_with(1000, max_delay_s=0)
    outcomes: list[Outcome] = []
    requests = 0
    while core.take(0):
        requests += 1
        fails = any(each.usage.number == bad for each in core._sending)
        good = [Posted(TRANSACTION)] * len(core._sending)
        outcomes += core.finished_with(refusal(422, "validation_failed") if fails else good, 0)
    assert [each.usage.number for each in outcomes if isinstance(each, NotCharged)] == [bad]
    assert len(outcomes) == 1000
    assert requests < 40


def test_an_event_that_a_signal_handler_records_within_another_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = core_with(1)
    inner = [debit(WALLET, 2)]

    def created(*given: Any) -> Usage:
        if inner:
            core.add(*inner.pop(), now_s=0)
        return Usage(*given)

    monkeypatch.setattr("wallet_client.meter.core.Usage", created)
    core.add(*debit(WALLET, 3), now_s=0)
    core.abandon()
    amounts = [each.usage.operation.members["amount"] for each in core.outcomes()]
    assert sorted(amounts) == ["1", "2", "3"]


def test_an_outcome_that_was_half_decided_stays_and_is_reported_once() -> None:
    core = core_with(2, max_delay_s=0)
    core.take(0)
    core.unreported[1] = lambda: core._read.append(Charged(core._pending[1].usage, TRANSACTION))
    assert core.outcomes() == []  # the event is still pending
    core.unreported[1] = lambda first=core._pending[1].usage: core._read.append(Charged(first, TRANSACTION))
    core.abandon()
    charged, unsent = core.outcomes()
    assert isinstance(charged, Charged)
    assert isinstance(unsent, Unsent)
    assert (charged.usage.number, unsent.usage.number, unsent.outcome_unknown) == (1, 2, True)


def test_an_unsent_event_has_the_last_error() -> None:
    core = core_with(2, max_delay_s=0, max_batch=1)
    core.take(0)
    core.finish(error := NoAnswer("away"), 0)
    core.abandon()
    assert [each.error for each in core.outcomes() if isinstance(each, Unsent)] == [error, error]
    later = core_with(2, max_delay_s=0, max_batch=1)
    later.take(0)
    later.finish(NoAnswer("away"), 0)
    later.take(1)
    later.finish([Posted(TRANSACTION)], 1)
    later.abandon()
    assert [each.error for each in later.outcomes() if isinstance(each, Unsent)] == [None]


def test_an_answer_of_another_size_decides_nothing() -> None:
    core = core_with(2, max_delay_s=0)
    core.take(0)
    assert core.finished_with([Posted(TRANSACTION)], 0) == []
    assert core.counts(0).pending == 2


def test_a_gateway_knows_nothing_of_an_earlier_try() -> None:
    core = core_with(1, max_delay_s=0)
    core.take(0)
    assert core.finished_with(unknown(), 0) == []
    core.take(1)
    assert core.finished_with(refusal(413), 1) == []
    assert core.due_in_s(1) > 0
    core.take(2)
    (outcome,) = core.finished_with([Posted(TRANSACTION)], 2)
    assert isinstance(outcome, Charged)


def test_an_event_whose_wallet_is_busy_is_sent_again_alone() -> None:
    core = core_with(3, max_delay_s=0)
    core.take(0)
    busy = Refused(refusal(503, "wallet_busy", retryable=True))
    outcomes = core.finished_with([Posted(TRANSACTION), busy, Posted(TRANSACTION)], 0)
    assert [outcome.usage.number for outcome in outcomes] == [1, 3]
    assert core.take(0) == []
    (again,) = core.take(1)
    (outcome,) = core.finished_with([Posted(TRANSACTION)], 1)
    assert (outcome.usage.number, outcome.usage.operation) == (2, again)


def test_what_is_too_old_is_given_up_and_what_is_younger_is_not() -> None:
    core = core_with(1, max_delay_s=0, give_up_after_s=10)
    core.add(*debit(WALLET, 1), now_s=5)
    core.take(11)
    (given_up,) = core.finished_with(error := unknown(NoAnswer("away")), 11)
    assert given_up == Unsent(given_up.usage, error, outcome_unknown=True)
    assert core.counts(11).oldest_age_s == 6


def test_what_is_too_old_is_given_up_before_it_is_tried_again_while_the_service_is_away() -> None:
    core = core_with(6, max_delay_s=0, max_batch=2, give_up_after_s=10)
    core.take(0)
    assert core.expired(11) == []  # what is under way is not given up
    core.finish(error := NoAnswer("away"), 9)
    assert 0 < core.due_in_s(9) <= 1
    assert [(each.usage.number, each.error) for each in core.expired(10)] == [(n, error) for n in range(1, 7)]
    assert core.counts(0).pending == 0
    patient = core_with(2, max_delay_s=0, max_batch=1, give_up_after_s=10)
    patient.take(0)
    assert len(patient.finished_with([Posted(TRANSACTION)], 11)) == 1  # the service answers, slowly
    assert len(patient.take(11)) == 1
    assert patient.outcomes() == []


def test_an_event_that_is_too_old_is_given_up_on_time_and_not_while_it_is_sent() -> None:
    core = core_with(1, max_delay_s=0, give_up_after_s=100)
    now_s = 0.0
    for _ in range(8):
        assert core.take(now_s)
        core.finish(error := NoAnswer("away"), now_s)
        now_s += core.due_in_s(now_s)
    core.take(now_s)
    assert core.expired(200) == []
    core.finish(error, 99)  # the next attempt is more than a second later
    assert core.due_in_s(99) == 1
    assert [each.usage.number for each in core.expired(100)] == [1]


def test_add_returns_whether_the_next_batch_is_due_earlier() -> None:
    core = Core(max_events=6, max_batch=3)
    assert [core.add(*debit(WALLET, 1), now_s=0) for _ in range(6)] == [True, False, True, False, False, True]
    core.take(0)
    core.finish([Posted(TRANSACTION)] * 3, 0)
    core.take(0)
    assert core.add(*debit(WALLET, 1), now_s=0)


def test_an_attempt_within_the_client_may_still_arrive() -> None:
    core = core_with(1, max_delay_s=0)
    core.take(0)
    busy = refusal(503, "wallet_busy", retryable=True)
    busy.earlier_attempt_open = True
    assert core.finished_with([Refused(busy)], 0) == []
    core.take(9)
    (outcome,) = core.finished_with([Refused(refusal(402, "insufficient_funds"))], 9)
    assert isinstance(outcome, NotCharged)
    assert outcome.error.earlier_attempt_open


def test_one_event_that_is_too_large_leaves_the_batches_as_large_as_they_were() -> None:
    core = core_with(16, max_delay_s=0, max_batch=16)
    while batch := core.take(0):
        if any(each.usage.number == 1 for each in core._sending):
            core.finish(refusal(413, "payload_too_large"), 0)
        else:
            core.finish([Posted(TRANSACTION)] * len(batch), 0)
    for _ in range(100):
        core.add(*debit(WALLET, 1), now_s=0)
    sizes: list[int] = []
    while batch := core.take(0):
        sizes.append(len(batch))
        core.finish([Posted(TRANSACTION)] * len(batch), 0)
    assert max(sizes) == 16
    assert len(sizes) < 15


def test_a_refusal_after_a_try_that_may_still_arrive_says_so() -> None:
    core = core_with(1, max_delay_s=0)
    core.take(0)
    core.finish(unknown(NoAnswer("away")), 0)
    core.take(9)
    (outcome,) = core.finished_with([Refused(refusal(402, "insufficient_funds"))], 9)
    assert isinstance(outcome, NotCharged)
    assert (outcome.error.earlier_attempt_open, outcome.error.idempotency_key) == (True, outcome.usage.key)


@pytest.mark.parametrize("alone", [True, False])
def test_what_others_refuse_after_a_try_that_may_be_done_is_unknown(alone: bool) -> None:
    core = core_with(1, max_delay_s=0)
    core.take(0)
    core.finish(unknown(NoAnswer("away")), 0)
    core.take(9)
    error = refusal(422, "user_unknown")
    (outcome,) = core.finished_with(error if alone else [Refused(error)], 9)
    assert isinstance(outcome, Unsent)
    assert (outcome.outcome_unknown, outcome.error) == (True, error)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_events": 0},
        {"max_batch": 501},
        {"max_batch": 0},
        {"max_delay_s": -1},
        {"give_up_after_s": 0},
        {"when_full": "drop"},
    ],
)
def test_limits_that_are_none(limits: dict[str, Any]) -> None:
    with WalletClient("http://wallet", api_key="x") as client, pytest.raises(ValueError, match=r"more"):
        UsageMeter(client, on_refused=print, on_unsent=print, **limits)


def test_an_event_that_cant_be_sent_is_refused_where_it_is_recorded() -> None:
    wrongs: tuple[dict[str, Any], ...] = (
        *({"amount": 0.1}, {"metadata": {"a": object()}}, {"reference": "\ud800"}),
        *({"idempotency_key": key} for key in ("", "k" * 256, "a\nb", "schl\u00fcssel")),
        {"description": "x" * 70_000},
    )
    for wrong in wrongs:
        with pytest.raises((TypeError, ValueError)):
            debit(WALLET, **{"amount": 1} | wrong)


def test_what_the_caller_changes_afterwards_is_not_sent() -> None:
    metadata = {"tokens": [1]}
    _, operation = debit(WALLET, 1, metadata=metadata)
    metadata["tokens"].append(2)
    assert operation.members["metadata"] == {"tokens": [1]}
