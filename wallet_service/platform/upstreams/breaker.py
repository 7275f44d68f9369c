"""Stops calls of a service that keeps failing, so that callers do not wait for it."""

import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cachetools import LRUCache

FAILURES = 5
"""After so many failed attempts in a row it opens."""
PAUSE_S = 10.0
"""Seconds. While it is open, one attempt in this time is let through; one that succeeds closes it."""
MOST_PATHS = 10_000
"""Paths whose last attempts failed."""

Opened: TypeAlias = Literal["route", "path"]
"""The kind of a breaker that was opened."""


class Breaker:
    """Counts failed attempts in a row, over all instances: one instance that works keeps it closed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._paused_since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is open: attempts are refused, except one in each pause."""
        return self._paused_since is not None

    @property
    def is_paused(self) -> bool:
        """Whether no attempt is let through now."""
        return self._paused_since is not None and self._clock() - self._paused_since < PAUSE_S

    def allows(self) -> bool:
        """Whether an attempt is let through now. If it is open, a permitted attempt starts the next pause."""
        if self.is_paused:
            return False
        if self.is_open:
            self._paused_since = self._clock()
        return True

    def succeeded(self) -> None:
        """Record an attempt that got a response."""
        self._failures, self._paused_since = 0, None

    def failed(self) -> None:
        """Record an attempt without a usable response."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._paused_since = self._clock()


@dataclass(frozen=True, slots=True)
class Resource:
    """What a call is for.

    Attributes:
        route: the kind of path, such as ``members``. A route can fail while the service answers on the others.
        path: the whole path. It can fail alone: one organization, or one user.
    """

    route: str
    path: str


class Breakers:
    """The breakers of one service: one for each route, and one for each path that failed lately.

    A response on one route says nothing about another one, and a response on one path of a route nothing about a path
    that hangs. With one breaker for all of them, such responses would keep it closed, and every caller of what hangs
    would wait for the whole time limit.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._routes: dict[str, Breaker] = {}
        self._paths: LRUCache[str, Breaker] = LRUCache(MOST_PATHS)

    @property
    def is_open(self) -> bool:
        """Whether that of a route is open."""
        return any(breaker.is_open for breaker in self._routes.values())

    def is_paused(self, resource: Resource) -> bool:
        """Whether no attempt for this resource is let through now."""
        return any(breaker.is_paused for breaker in self._of(resource))

    def allows(self, resource: Resource) -> bool:
        """Whether an attempt for this resource is let through now, as ``Breaker.allows``."""
        return not self.is_paused(resource) and all(breaker.allows() for breaker in self._of(resource))

    def succeeded(self, resource: Resource) -> bool:
        """Record an attempt that got a response. Returns whether a breaker was open and is closed now."""
        was_open = any(breaker.is_open for breaker in self._of(resource))
        if (route := self._routes.get(resource.route)) is not None:
            route.succeeded()
        self._paths.pop(resource.path, None)
        return was_open

    def failed(self, resource: Resource) -> Opened | None:
        """Record an attempt without a usable response. Returns which breaker it opened: if both, that of the route."""
        opened_path = self._failed(self._paths, resource.path)
        if self._failed(self._routes, resource.route):
            return "route"
        return "path" if opened_path else None

    def _failed(self, breakers: MutableMapping[str, Breaker], name: str) -> bool:
        breaker = breakers.get(name)
        if breaker is None:
            breaker = breakers[name] = Breaker(self._clock)
        was_open = breaker.is_open
        breaker.failed()
        return breaker.is_open and not was_open

    def _of(self, resource: Resource) -> Iterator[Breaker]:
        for breaker in (self._routes.get(resource.route), self._paths.get(resource.path)):
            if breaker is not None:
                yield breaker
