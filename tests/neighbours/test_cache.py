import asyncio

import pytest
from support.waiting import until

from wallet_service.errors import NeighbourUnavailable
from wallet_service.neighbours import cache
from wallet_service.neighbours.cache import KNOWN_S, UNKNOWN_S, Answers


class Seconds:
    value = 0.0

    def __call__(self) -> float:
        return self.value


class Source:
    """Answers when it is let go; remembers who was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.free = asyncio.Event()
        self.free.set()
        self.away = False

    async def ask(self, key: str) -> bool:
        self.asked.append(key)
        await self.free.wait()
        if self.away:
            raise NeighbourUnavailable
        return not key.startswith("unknown")


async def test_answers_are_believed_for_a_while() -> None:
    source, clock = Source(), Seconds()
    answers = Answers(source.ask, clock)
    for now, asked in ((0, 1), (KNOWN_S - 1, 1), (KNOWN_S, 2), (2 * KNOWN_S - 1, 2)):
        clock.value = now
        assert await answers.of("ann")
        assert len(source.asked) == asked, now


async def test_what_is_unknown_is_asked_for_sooner() -> None:
    source, clock = Source(), Seconds()
    answers = Answers(source.ask, clock)
    for now, asked in ((0, 1), (UNKNOWN_S - 1, 1), (UNKNOWN_S, 2)):
        clock.value = now
        assert not await answers.of("unknown-1")
        assert len(source.asked) == asked, now
    assert UNKNOWN_S < KNOWN_S


async def test_many_who_ask_the_same_wait_for_one_answer() -> None:
    source = Source()
    source.free.clear()
    answers = Answers(source.ask)
    waiting = [asyncio.create_task(answers.of(key)) for key in ["ann"] * 50 + ["bob"]]
    await until(lambda: len(source.asked) == 2)
    source.free.set()
    assert await asyncio.gather(*waiting) == [True] * 51
    assert source.asked == ["ann", "bob"]


async def test_whoever_goes_away_takes_the_answer_from_nobody() -> None:
    source = Source()
    source.free.clear()
    answers = Answers(source.ask)
    first, second = (asyncio.create_task(answers.of("ann")) for _ in range(2))
    await until(lambda: source.asked == ["ann"])
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.free.set()
    assert await second
    assert source.asked == ["ann"]


async def test_an_error_is_everybodys_and_is_not_kept() -> None:
    source = Source()
    source.away = True
    answers = Answers(source.ask)
    found = await asyncio.gather(*(answers.of("ann") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [NeighbourUnavailable] * 3
    assert source.asked == ["ann"]
    source.away = False
    assert await answers.of("ann")


async def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 10)
    source = Source()
    answers = Answers(source.ask)
    for number in range(30):
        assert await answers.of(str(number))
    assert len(answers._kept) == 10
    assert await answers.of("29")
    assert len(source.asked) == 30


async def test_when_it_closes_nobody_is_asked_any_more() -> None:
    source = Source()
    source.free.clear()
    answers = Answers(source.ask)
    waiting = asyncio.create_task(answers.of("ann"))
    await until(lambda: source.asked == ["ann"])
    await answers.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not answers._asked
