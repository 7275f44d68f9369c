"""Chooses the instance of a service for the next attempt."""

import secrets
from collections.abc import Callable, Iterable


class Instances:
    """The instances of one service, taken in turn. One that failed is set aside for a while.

    The order: instances of Consul's last list that are not set aside; the configured URL unless it is set aside; the one
    that was set aside first. If there is none of these, the port on this machine.
    """

    def __init__(
        self, configured: str | None, local: str | None, set_aside_s: float, clock: Callable[[], float]
    ) -> None:
        self._configured = configured
        self._local = local
        self._set_aside_s = set_aside_s
        self._clock = clock
        self._known: list[str] = []
        self._aside_until: dict[str, float] = {}
        self._turn = 0

    @property
    def known(self) -> int:
        """The number of instances in Consul's last list."""
        return len(self._known)

    def found(self, urls: Iterable[str]) -> None:
        """Take a new list of healthy instances. An empty one is ignored: an old list is better than none."""
        fresh = sorted(set(urls))
        if not fresh or fresh == self._known:
            return
        if not self._known:
            self._turn = secrets.randbelow(len(fresh))  # so that not all callers begin with the same instance
        self._known = fresh
        self._aside_until = {
            url: until for url, until in self._aside_until.items() if url in fresh or url == self._configured
        }

    def failed(self, url: str) -> None:
        """Set an instance aside."""
        if url in self._known or url == self._configured:
            self._aside_until[url] = self._clock() + self._set_aside_s

    def pick(self) -> str | None:
        """The base URL for the next attempt; None if no instance is known."""
        now = self._clock()
        for _ in self._known:
            url = self._known[self._turn % len(self._known)]
            self._turn = (self._turn + 1) % len(self._known)
            if self._aside_until.get(url, now) <= now:
                return url
        configured = [] if self._configured is None else [self._configured]
        for url in configured:
            if self._aside_until.get(url, now) <= now:
                return url
        return min(
            [*self._known, *configured], key=lambda url: self._aside_until.get(url, now), default=self._local
        )
