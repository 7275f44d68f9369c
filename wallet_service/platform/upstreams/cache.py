"""A cache of results of upstream services. Callers that need the same result share one call."""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from cachetools import LRUCache, TLRUCache

KNOWN_S = 300.0
"""How long a positive result ("it exists") is used, in seconds."""
UNKNOWN_S = 30.0
"""How long a negative result is used: the thing may be created in the meantime."""
RENEW_S = 240.0
"""A positive result that is used after this time is renewed in the background, so that no caller waits at its end."""
RENEWAL_PAUSE_S = 10.0
"""The shortest time between two renewals of the same result."""
MAX_RENEWALS = 5
"""The maximum number of renewals at a time: the other connections are for calls that a caller waits for."""
MAX_RESULTS = 20_000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Cached(Generic[_Value]):
    value: _Value
    until_s: float
    renew_s: float


class ResultCache(Generic[_Key, _Value]):
    """The results of a call, by key.

    Args:
        fetch: calls the service. Its errors go to all callers that wait, and are not cached.
        clock: seconds.
        is_positive: whether a result means "it exists".
    """

    def __init__(
        self,
        fetch: Callable[[_Key], Awaitable[_Value]],
        clock: Callable[[], float] = time.monotonic,
        is_positive: Callable[[_Value], bool] = bool,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._is_positive = is_positive
        self._cached: TLRUCache[_Key, _Cached[_Value]] = TLRUCache(MAX_RESULTS, _until, clock)
        self._negative: LRUCache[_Key, None] = LRUCache(MAX_RESULTS)
        self._under_way: dict[_Key, asyncio.Task[_Value]] = {}
        self._renewals = 0

    async def get(self, key: _Key, *, refresh: bool = False) -> _Value:
        """The result: from the cache while it may be used, unless ``refresh`` is set."""
        cached = None if refresh else self._cached.get(key)
        if cached is not None:
            if cached.renew_s <= self._clock():
                self._renew(key, cached)
            return cached.value
        task = self._under_way.get(key)
        if task is None:
            # A task, because the first caller may be cancelled while others wait.
            task = self._begin(key, None)
        return await asyncio.shield(task)

    def was_negative(self, key: _Key) -> bool:
        """Whether the last result, however old, was negative."""
        return key in self._negative

    async def close(self) -> None:
        """Cancel the calls under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _renew(self, key: _Key, cached: _Cached[_Value]) -> None:
        if key in self._under_way or self._renewals >= MAX_RENEWALS:
            return
        self._cached[key] = replace(cached, renew_s=self._clock() + RENEWAL_PAUSE_S)
        self._renewals += 1
        # In a context of its own: no request waits for it, so it has no request id.
        self._begin(key, contextvars.Context()).add_done_callback(self._renewal_ended)

    def _renewal_ended(self, _task: asyncio.Task[_Value]) -> None:
        self._renewals -= 1

    def _begin(self, key: _Key, context: contextvars.Context | None) -> asyncio.Task[_Value]:
        task = self._under_way[key] = asyncio.create_task(self._fetch_and_cache(key), context=context)
        task.add_done_callback(_retrieve_error)
        return task

    async def _fetch_and_cache(self, key: _Key) -> _Value:
        try:
            value = await self._fetch(key)
        finally:
            del self._under_way[key]
        now = self._clock()
        if self._is_positive(value):
            self._negative.pop(key, None)
            self._cached[key] = _Cached(value, now + KNOWN_S, now + RENEW_S)
        else:
            self._negative[key] = None
            self._cached[key] = _Cached(value, now + UNKNOWN_S, now + UNKNOWN_S)
        return value


def _until(_key: object, cached: _Cached[Any], _now: float) -> float:
    return cached.until_s


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    """Mark the error as seen, or asyncio logs it when no caller waits any more. The client has logged it."""
    if not task.cancelled():
        task.exception()
