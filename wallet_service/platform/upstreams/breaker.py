"""Stops calls of a service that keeps failing, so that callers do not wait for it."""

import time
from collections.abc import Callable

FAILURES = 5
"""After so many failed attempts in a row it opens."""
PAUSE_S = 10.0
"""Seconds. While it is open, one attempt in this time is let through; one that succeeds closes it."""


class Breaker:
    """The breaker of one service, for all its instances: one instance that works keeps it closed."""

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
