"""Retries of the service: which errors, how many attempts, which pauses."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from wallet_service.core.retries import RetryPolicy


class Temporary(Exception):
    pass


class Permanent(Exception):
    pass


class Failing:
    """A call that raises these errors in their order, and succeeds afterwards."""

    def __init__(self, *errors: BaseException, takes_s: float = 0.0) -> None:
        self.errors = list(errors)
        self.takes_s = takes_s
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def policy(**settings: Any) -> RetryPolicy:
    given: dict[str, Any] = {"pause_s": 0.0, "longest_pause_s": 1.0, **settings}
    return RetryPolicy(is_temporary=lambda error: isinstance(error, Temporary), **given)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    return made


async def test_a_call_that_succeeds_is_made_once() -> None:
    call = Failing()
    assert await policy().run(call) == "done"
    assert call.calls == 1


async def test_it_is_repeated_until_it_succeeds() -> None:
    call = Failing(*(Temporary() for _ in range(50)))
    assert await policy().run(call) == "done"
    assert call.calls == 51


async def test_another_error_is_raised_at_once() -> None:
    for errors, calls in (([Permanent()], 1), ([Temporary(), Permanent()], 2)):
        call = Failing(*errors)
        with pytest.raises(Permanent):
            await policy().run(call)
        assert call.calls == calls


async def test_attempts_are_counted_and_the_last_failure_is_raised() -> None:
    call = Failing(*(Temporary(str(number)) for number in range(1, 9)))
    with pytest.raises(Temporary, match=r"^3$") as raised:
        await policy(attempts=3).run(call)
    assert call.calls == 3
    assert raised.value.__context__ is None
    call = Failing(Temporary("only"), Temporary())
    with pytest.raises(Temporary, match=r"^only$"):
        await policy(attempts=1).run(call)
    assert call.calls == 1


async def test_the_duration_begins_with_the_first_failure() -> None:
    call = Failing(*(Temporary() for _ in range(9)), takes_s=0.2)
    with pytest.raises(Temporary):
        await policy(duration_s=0.1).run(call)
    assert call.calls == 2  # the first attempt took longer than the duration

    call = Failing(*(Temporary() for _ in range(99)), takes_s=0.01)
    began = time.monotonic()
    with pytest.raises(Temporary):
        await policy(duration_s=0.2).run(call)
    assert call.calls > 2
    assert time.monotonic() - began >= 0.2


async def test_the_deadline_begins_with_the_first_attempt() -> None:
    call = Failing(*(Temporary() for _ in range(9)), takes_s=0.2)
    with pytest.raises(Temporary):
        await policy(deadline_s=0.1).run(call)
    assert call.calls == 1


async def test_no_pause_ends_after_the_deadline() -> None:
    call = Failing(*(Temporary() for _ in range(9)))
    began = time.monotonic()
    with pytest.raises(Temporary):
        await policy(deadline_s=5.0, pause_s=10.0, longest_pause_s=10.0, shortest_pause_s=10.0).run(call)
    assert call.calls == 1
    assert time.monotonic() - began < 5


def at_most(limit: float) -> Callable[[float], bool]:
    return lambda pause: limit / 2 < pause <= limit


async def test_pauses_are_random_and_their_limit_doubles(pauses: list[float]) -> None:
    by_attempt: list[list[float]] = []
    for _ in range(50):
        pauses.clear()
        await policy(pause_s=0.1, longest_pause_s=0.4).run(Failing(*(Temporary() for _ in range(5))))
        by_attempt.append(list(pauses))
    longest = [max(column) for column in zip(*by_attempt, strict=True)]
    assert len({pause for made in by_attempt for pause in made}) > 240
    assert all(at_most(limit)(pause) for limit, pause in zip((0.1, 0.2, 0.4, 0.4, 0.4), longest, strict=True))
    assert min(min(made) for made in by_attempt) < 0.05


async def test_the_shortest_pause(pauses: list[float]) -> None:
    await policy(pause_s=0.1, longest_pause_s=8.0, shortest_pause_s=0.3).run(
        Failing(*(Temporary() for _ in range(30)))
    )
    assert pauses[:2] == [0.3, 0.3]
    assert all(0.3 <= pause <= 8 for pause in pauses)


async def test_the_first_retry_at_once(pauses: list[float]) -> None:
    third: list[float] = []
    for _ in range(50):
        pauses.clear()
        await policy(pause_s=0.1, longest_pause_s=0.4, first_at_once=True).run(
            Failing(*(Temporary() for _ in range(3)))
        )
        assert pauses[0] == 0
        third.append(pauses[1])
    assert at_most(0.1)(max(third))


async def test_each_failure_before_a_pause_is_reported() -> None:
    errors = [Temporary("1"), Temporary("2"), Temporary("3")]
    reported: list[Exception] = []
    with pytest.raises(Temporary, match="3"):
        await policy(attempts=3).run(Failing(*errors), before_pause=reported.append)
    assert reported == errors[:2]
    reported.clear()
    await policy().run(Failing(), before_pause=reported.append)
    assert reported == []


async def test_a_cancellation_is_never_repeated() -> None:
    everything = RetryPolicy(is_temporary=lambda _: True, pause_s=0.0, longest_pause_s=0.0)
    for errors, calls in (([asyncio.CancelledError()], 1), ([Temporary(), asyncio.CancelledError()], 2)):
        call = Failing(*errors)
        with pytest.raises(asyncio.CancelledError):
            await everything.run(call)
        assert call.calls == calls


async def test_one_policy_serves_calls_at_the_same_time() -> None:
    shared = policy(attempts=3)
    calls = [Failing(*(Temporary() for _ in range(number % 3)), takes_s=0.001) for number in range(30)]
    assert await asyncio.gather(*(shared.run(call) for call in calls)) == ["done"] * 30
    assert [call.calls for call in calls] == [number % 3 + 1 for number in range(30)]
