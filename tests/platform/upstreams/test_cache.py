import asyncio

import pytest
from support.polling import wait_until

from wallet_service.platform.upstreams import cache
from wallet_service.platform.upstreams.cache import (
    KNOWN_S,
    MAX_RENEWALS,
    RENEW_S,
    RENEWAL_PAUSE_S,
    UNKNOWN_S,
    ResultCache,
)
from wallet_service.platform.upstreams.problems import UpstreamUnavailable


class Seconds:
    value = 0.0

    def __call__(self) -> float:
        return self.value


class Source:
    """Returns a result when it is allowed to, and records the keys."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.free = asyncio.Event()
        self.free.set()
        self.away = False

    async def ask(self, key: str) -> bool:
        self.asked.append(key)
        await self.free.wait()
        if self.away:
            raise UpstreamUnavailable
        return not key.startswith("unknown")


async def test_answers_are_believed_for_a_while() -> None:
    source, clock = Source(), Seconds()
    answers = ResultCache(source.ask, clock)
    for now, asked in ((0, 1), (RENEW_S - 1, 1), (KNOWN_S, 2), (KNOWN_S + RENEW_S - 1, 2)):
        clock.value = now
        assert await answers.get("ann")
        assert len(source.asked) == asked, now


async def test_what_is_unknown_is_asked_for_sooner() -> None:
    source, clock = Source(), Seconds()
    answers = ResultCache(source.ask, clock)
    for now, asked in ((0, 1), (UNKNOWN_S - 1, 1), (UNKNOWN_S, 2)):
        clock.value = now
        assert not await answers.get("unknown-1")
        assert len(source.asked) == asked, now
    assert UNKNOWN_S < KNOWN_S


async def test_a_yes_is_renewed_before_its_end_and_no_caller_waits() -> None:
    source, clock = Source(), Seconds()
    answers = ResultCache(source.ask, clock)
    assert await answers.get("ann")
    source.free.clear()
    clock.value = RENEW_S
    for _ in range(10):
        assert await answers.get("ann"), "at once, while it is being asked for"
    await wait_until(lambda: len(source.asked) == 2)
    source.free.set()
    await wait_until(lambda: not answers._under_way)
    clock.value = RENEW_S + KNOWN_S - 1
    assert await answers.get("ann")
    await answers.close()


async def test_a_renewal_that_fails_keeps_the_response_and_is_not_repeated_at_once() -> None:
    source, clock = Source(), Seconds()
    answers = ResultCache(source.ask, clock)
    assert await answers.get("ann")
    source.away = True
    for now, asked in (
        (RENEW_S, 2),
        (RENEW_S + RENEWAL_PAUSE_S - 1, 2),
        (RENEW_S + RENEWAL_PAUSE_S, 3),
        (KNOWN_S - 1, 4),
    ):
        clock.value = now
        assert await answers.get("ann")
        await wait_until(lambda: not answers._under_way)
        assert len(source.asked) == asked, now
    clock.value = KNOWN_S
    with pytest.raises(UpstreamUnavailable):
        await answers.get("ann")


async def test_renewals_leave_connections_for_those_who_wait() -> None:
    source, clock = Source(), Seconds()
    answers = ResultCache(source.ask, clock)
    for number in range(3 * MAX_RENEWALS):
        assert await answers.get(str(number))
    source.asked.clear()
    source.free.clear()
    clock.value = RENEW_S
    for number in range(3 * MAX_RENEWALS):
        assert await answers.get(str(number))
    await wait_until(lambda: len(source.asked) == MAX_RENEWALS)
    source.free.set()
    await wait_until(lambda: answers._renewals == 0)
    for number in range(3 * MAX_RENEWALS):
        assert await answers.get(str(number))
    await wait_until(lambda: len(source.asked) == 2 * MAX_RENEWALS)
    await answers.close()


async def test_a_fresh_response_can_be_required() -> None:
    source = Source()
    answers = ResultCache(source.ask)
    assert not await answers.get("unknown-1")
    assert not await answers.get("unknown-1", refresh=True)
    assert source.asked == ["unknown-1"] * 2


async def test_the_last_no_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_RESULTS", 3)
    source, clock = Source(), Seconds()
    answers = ResultCache(source.ask, clock)
    for key in ("ann", "unknown-1"):
        await answers.get(key)
    clock.value = 100 * KNOWN_S
    assert [answers.was_negative(key) for key in ("ann", "unknown-1", "bob")] == [False, True, False]
    for number in range(2, 9):
        await answers.get(f"unknown-{number}")
    assert len(answers._negative) == 3


async def test_many_who_ask_the_same_wait_for_one_answer() -> None:
    source = Source()
    source.free.clear()
    answers = ResultCache(source.ask)
    waiting = [asyncio.create_task(answers.get(key)) for key in ["ann"] * 50 + ["bob"]]
    await wait_until(lambda: len(source.asked) == 2)
    source.free.set()
    assert await asyncio.gather(*waiting) == [True] * 51
    assert source.asked == ["ann", "bob"]


async def test_a_caller_that_disconnects_takes_the_response_from_no_other() -> None:
    source = Source()
    source.free.clear()
    answers = ResultCache(source.ask)
    first, second = (asyncio.create_task(answers.get("ann")) for _ in range(2))
    await wait_until(lambda: source.asked == ["ann"])
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.free.set()
    assert await second
    assert source.asked == ["ann"]


async def test_an_error_is_everybodys_and_is_not_kept() -> None:
    source = Source()
    source.away = True
    answers = ResultCache(source.ask)
    found = await asyncio.gather(*(answers.get("ann") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [UpstreamUnavailable] * 3
    assert source.asked == ["ann"]
    source.away = False
    assert await answers.get("ann")


async def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_RESULTS", 10)
    source = Source()
    answers = ResultCache(source.ask)
    for number in range(30):
        assert await answers.get(str(number))
    assert len(answers._cached) == 10
    assert await answers.get("29")
    assert len(source.asked) == 30


async def test_after_close_no_upstream_is_called() -> None:
    source = Source()
    source.free.clear()
    answers = ResultCache(source.ask)
    waiting = asyncio.create_task(answers.get("ann"))
    await wait_until(lambda: source.asked == ["ann"])
    await answers.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not answers._under_way
