import asyncio

import pytest
from support.polling import wait_until

from wallet_service.platform.upstreams import cache
from wallet_service.platform.upstreams.cache import (
    KNOWN_S,
    MOST_RENEWED,
    RENEW_AGAIN_S,
    RENEW_S,
    UNKNOWN_S,
    CachedResponses,
)
from wallet_service.platform.upstreams.problems import UpstreamUnavailable


class Seconds:
    value = 0.0

    def __call__(self) -> float:
        return self.value


class Source:
    """CachedResponses when it is let go; remembers who was asked about."""

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
    answers = CachedResponses(source.ask, clock)
    for now, asked in ((0, 1), (RENEW_S - 1, 1), (KNOWN_S, 2), (KNOWN_S + RENEW_S - 1, 2)):
        clock.value = now
        assert await answers.of("ann")
        assert len(source.asked) == asked, now


async def test_what_is_unknown_is_asked_for_sooner() -> None:
    source, clock = Source(), Seconds()
    answers = CachedResponses(source.ask, clock)
    for now, asked in ((0, 1), (UNKNOWN_S - 1, 1), (UNKNOWN_S, 2)):
        clock.value = now
        assert not await answers.of("unknown-1")
        assert len(source.asked) == asked, now
    assert UNKNOWN_S < KNOWN_S


async def test_a_yes_is_renewed_before_its_end_and_no_caller_waits() -> None:
    source, clock = Source(), Seconds()
    answers = CachedResponses(source.ask, clock)
    assert await answers.of("ann")
    source.free.clear()
    clock.value = RENEW_S
    for _ in range(10):
        assert await answers.of("ann"), "at once, while it is being asked for"
    await wait_until(lambda: len(source.asked) == 2)
    source.free.set()
    await wait_until(lambda: not answers._asked)
    clock.value = RENEW_S + KNOWN_S - 1
    assert await answers.of("ann")
    await answers.close()


async def test_a_renewal_that_fails_keeps_the_response_and_is_not_repeated_at_once() -> None:
    source, clock = Source(), Seconds()
    answers = CachedResponses(source.ask, clock)
    assert await answers.of("ann")
    source.away = True
    for now, asked in (
        (RENEW_S, 2),
        (RENEW_S + RENEW_AGAIN_S - 1, 2),
        (RENEW_S + RENEW_AGAIN_S, 3),
        (KNOWN_S - 1, 4),
    ):
        clock.value = now
        assert await answers.of("ann")
        await wait_until(lambda: not answers._asked)
        assert len(source.asked) == asked, now
    clock.value = KNOWN_S
    with pytest.raises(UpstreamUnavailable):
        await answers.of("ann")


async def test_renewals_leave_connections_for_those_who_wait() -> None:
    source, clock = Source(), Seconds()
    answers = CachedResponses(source.ask, clock)
    for number in range(3 * MOST_RENEWED):
        assert await answers.of(str(number))
    source.asked.clear()
    source.free.clear()
    clock.value = RENEW_S
    for number in range(3 * MOST_RENEWED):
        assert await answers.of(str(number))
    await wait_until(lambda: len(source.asked) == MOST_RENEWED)
    source.free.set()
    await wait_until(lambda: answers._renewed == 0)
    for number in range(3 * MOST_RENEWED):
        assert await answers.of(str(number))
    await wait_until(lambda: len(source.asked) == 2 * MOST_RENEWED)
    await answers.close()


async def test_a_fresh_response_can_be_required() -> None:
    source = Source()
    answers = CachedResponses(source.ask)
    assert not await answers.of("unknown-1")
    assert not await answers.of("unknown-1", anew=True)
    assert source.asked == ["unknown-1"] * 2


async def test_the_last_no_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 3)
    source, clock = Source(), Seconds()
    answers = CachedResponses(source.ask, clock)
    for key in ("ann", "unknown-1"):
        await answers.of(key)
    clock.value = 100 * KNOWN_S
    assert [answers.said_no(key) for key in ("ann", "unknown-1", "bob")] == [False, True, False]
    for number in range(2, 9):
        await answers.of(f"unknown-{number}")
    assert len(answers._no) == 3


async def test_many_who_ask_the_same_wait_for_one_answer() -> None:
    source = Source()
    source.free.clear()
    answers = CachedResponses(source.ask)
    waiting = [asyncio.create_task(answers.of(key)) for key in ["ann"] * 50 + ["bob"]]
    await wait_until(lambda: len(source.asked) == 2)
    source.free.set()
    assert await asyncio.gather(*waiting) == [True] * 51
    assert source.asked == ["ann", "bob"]


async def test_a_caller_that_disconnects_takes_the_response_from_no_other() -> None:
    source = Source()
    source.free.clear()
    answers = CachedResponses(source.ask)
    first, second = (asyncio.create_task(answers.of("ann")) for _ in range(2))
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
    answers = CachedResponses(source.ask)
    found = await asyncio.gather(*(answers.of("ann") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [UpstreamUnavailable] * 3
    assert source.asked == ["ann"]
    source.away = False
    assert await answers.of("ann")


async def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 10)
    source = Source()
    answers = CachedResponses(source.ask)
    for number in range(30):
        assert await answers.of(str(number))
    assert len(answers._kept) == 10
    assert await answers.of("29")
    assert len(source.asked) == 30


async def test_after_close_no_upstream_is_called() -> None:
    source = Source()
    source.free.clear()
    answers = CachedResponses(source.ask)
    waiting = asyncio.create_task(answers.of("ann"))
    await wait_until(lambda: source.asked == ["ann"])
    await answers.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not answers._asked
