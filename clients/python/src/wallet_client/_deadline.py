"""When the try that a thread sends is over."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_at_s: ContextVar[float | None] = ContextVar("wallet_client_deadline", default=None)


@contextmanager
def within(time_s: float) -> Generator[None]:
    """What is sent meanwhile is over in so long. A call within a call (of a signal handler) has its own time."""
    outer = _at_s.set(time.monotonic() + time_s)
    try:
        yield
    finally:
        _at_s.reset(outer)


def left_s(longest_s: float | None, late: type[Exception]) -> float | None:
    """How long the next step may take, which was to take ``longest_s`` at most; None: for ever.

    Raises:
        Exception: ``late``; the time is over.
    """
    at_s = _at_s.get()
    if at_s is None:
        return longest_s
    left = at_s - time.monotonic()
    if left <= 0:
        raise late("the time of the try is over")
    return left if longest_s is None else min(longest_s, left)
