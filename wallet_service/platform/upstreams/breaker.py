"""Stops asking a service that keeps failing, so that nobody waits for it."""

import time
from collections.abc import Callable

FAILURES = 5
"""So many attempts in a row open it."""
PAUSE_S = 10.0
"""While open, one attempt in so many seconds is let through; the first that succeeds closes it."""


class Breaker:
    """Of one service, over all its instances: one that works among them keeps it closed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._paused_since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether attempts are held back."""
        return self._paused_since is not None

    @property
    def is_paused(self) -> bool:
        """Whether no attempt may be made now."""
        return self._paused_since is not None and self._clock() - self._paused_since < PAUSE_S

    def allows(self) -> bool:
        """Whether an attempt may be made now; one that is allowed while open starts another pause for the rest."""
        if self.is_paused:
            return False
        if self.is_open:
            self._paused_since = self._clock()
        return True

    def succeeded(self) -> None:
        """An attempt was answered."""
        self._failures, self._paused_since = 0, None

    def failed(self) -> None:
        """An attempt was not answered, or not with what was asked for."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._paused_since = self._clock()
