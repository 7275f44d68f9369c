"""Answers of other services, kept for a while; who asks what is being asked waits for the same answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from cachetools import TLRUCache

KNOWN_S = 300.0
"""How long it is believed that something exists."""
UNKNOWN_S = 30.0
"""How long that it doesn't: somebody may be making it."""
MOST = 20_000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
_MISSING: Any = object()


class Answers(Generic[_Key, _Value]):
    """What another service says of each key; None and False stand for what it doesn't know.

    Args:
        ask: asks it. Its errors go to everybody who waits, and are not kept.
        clock: seconds.
    """

    def __init__(
        self, ask: Callable[[_Key], Awaitable[_Value]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._kept: TLRUCache[_Key, _Value] = TLRUCache(MOST, _expires, clock)
        self._asked: dict[_Key, asyncio.Task[_Value]] = {}

    async def of(self, key: _Key) -> _Value:
        """The answer, from memory while it is fresh."""
        kept = self._kept.get(key, _MISSING)
        if kept is not _MISSING:
            return kept
        task = self._asked.get(key)
        if task is None:
            # A task, since whoever asked first may go away while others wait.
            task = self._asked[key] = asyncio.create_task(self._fetch(key))
            task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Ask nothing more."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, key: _Key) -> _Value:
        try:
            answer = await self._ask(key)
        finally:
            del self._asked[key]
        self._kept[key] = answer
        return answer


def _expires(_key: object, answer: object, now: float) -> float:
    return now + (KNOWN_S if answer else UNKNOWN_S)


def _looked_at(task: asyncio.Task[Any]) -> None:
    """Nobody may be waiting any more: what failed is in the client's log, and needs no second line."""
    if not task.cancelled():
        task.exception()
