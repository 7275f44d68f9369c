"""The time at which the attempt that the current thread sends has to end."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_at_s: ContextVar[float | None] = ContextVar("wallet_client_deadline", default=None)


@contextmanager
def within(time_s: float) -> Generator[None]:
    """Limit the time of what is sent in this block. A call inside the call (by a signal handler) has its own limit."""
    outer = _at_s.set(time.monotonic() + time_s)
    try:
        yield
    finally:
        _at_s.reset(outer)


def left_s(longest_s: float | None, timed_out: type[Exception]) -> float | None:
    """How long the next step may take, at most ``longest_s``; None: without limit.

    Raises:
        Exception: ``timed_out``; the deadline has passed.
    """
    at_s = _at_s.get()
    if at_s is None:
        return longest_s
    left = at_s - time.monotonic()
    if left <= 0:
        raise timed_out("the time of the attempt is over")
    return left if longest_s is None else min(longest_s, left)
