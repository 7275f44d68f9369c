"""Which instance of a service the next attempt goes to."""

import secrets
from collections.abc import Callable, Iterable


class Instances:
    """Those of one service, in turn; who failed comes after the others for a while.

    In this order: the instances that Consul named last, then the configured URL, of both what is not set aside; then
    the one whose time aside is over first; the port on this machine where there is none of them.
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
        """How many instances Consul named."""
        return len(self._known)

    def found(self, urls: Iterable[str]) -> None:
        """These are healthy now. When there are none, the last ones stay: an old list beats none."""
        fresh = sorted(set(urls))
        if not fresh or fresh == self._known:
            return
        if not self._known:
            self._turn = secrets.randbelow(len(fresh))  # so that not all callers begin with the same one
        self._known = fresh
        self._aside_until = {
            url: until for url, until in self._aside_until.items() if url in fresh or url == self._configured
        }

    def failed(self, url: str) -> None:
        """Others go before this one for a while."""
        if url in self._known or url == self._configured:
            self._aside_until[url] = self._clock() + self._set_aside_s

    def pick(self) -> str | None:
        """The one for the next attempt; None when there is none at all."""
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
