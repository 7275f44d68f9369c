"""CachedResponses of other services, kept for a while; who asks what is being asked waits for the same answer."""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from cachetools import LRUCache, TLRUCache

KNOWN_S = 300.0
"""How long it is believed that something exists."""
UNKNOWN_S = 30.0
"""How long that it doesn't: somebody may be making it."""
RENEW_S = 240.0
"""A yes that is used when it is older is asked for again in the background, so that nobody waits at its end."""
RENEW_AGAIN_S = 10.0
"""When that failed: not sooner than this."""
MOST_RENEWED = 5
"""At once: the other connections are for those who wait."""
MOST = 20_000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[_Value]):
    answer: _Value
    until_s: float
    renew_s: float


class CachedResponses(Generic[_Key, _Value]):
    """What another service says of each key.

    Args:
        ask: asks it. Its errors go to everybody who waits, and are not kept.
        clock: seconds.
        is_yes: whether the answer is that it exists.
    """

    def __init__(
        self,
        ask: Callable[[_Key], Awaitable[_Value]],
        clock: Callable[[], float] = time.monotonic,
        is_yes: Callable[[_Value], bool] = bool,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._is_yes = is_yes
        self._kept: TLRUCache[_Key, _Kept[_Value]] = TLRUCache(MOST, _until, clock)
        self._no: LRUCache[_Key, None] = LRUCache(MOST)
        self._asked: dict[_Key, asyncio.Task[_Value]] = {}
        self._renewed = 0

    async def of(self, key: _Key, *, anew: bool = False) -> _Value:
        """The answer, from memory while it is fresh, unless it is wanted anew."""
        kept = None if anew else self._kept.get(key)
        if kept is not None:
            if kept.renew_s <= self._clock():
                self._renew(key, kept)
            return kept.answer
        task = self._asked.get(key)
        if task is None:
            # A task, since whoever asked first may go away while others wait.
            task = self._begin(key, None)
        return await asyncio.shield(task)

    def said_no(self, key: _Key) -> bool:
        """Whether the last answer, however old, was no."""
        return key in self._no

    async def close(self) -> None:
        """Ask nothing more."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _renew(self, key: _Key, kept: _Kept[_Value]) -> None:
        if key in self._asked or self._renewed >= MOST_RENEWED:
            return
        self._kept[key] = replace(kept, renew_s=self._clock() + RENEW_AGAIN_S)
        self._renewed += 1
        # In a context of its own: nobody waits for it, so it has the id of no request.
        self._begin(key, contextvars.Context()).add_done_callback(self._renewal_ended)

    def _renewal_ended(self, _task: asyncio.Task[_Value]) -> None:
        self._renewed -= 1

    def _begin(self, key: _Key, context: contextvars.Context | None) -> asyncio.Task[_Value]:
        task = self._asked[key] = asyncio.create_task(self._fetch(key), context=context)
        task.add_done_callback(_looked_at)
        return task

    async def _fetch(self, key: _Key) -> _Value:
        try:
            answer = await self._ask(key)
        finally:
            del self._asked[key]
        now = self._clock()
        if self._is_yes(answer):
            self._no.pop(key, None)
            self._kept[key] = _Kept(answer, now + KNOWN_S, now + RENEW_S)
        else:
            self._no[key] = None
            self._kept[key] = _Kept(answer, now + UNKNOWN_S, now + UNKNOWN_S)
        return answer


def _until(_key: object, kept: _Kept[Any], _now: float) -> float:
    return kept.until_s


def _looked_at(task: asyncio.Task[Any]) -> None:
    """Nobody may be waiting any more: what failed is in the client's log, and needs no second line."""
    if not task.cancelled():
        task.exception()
