"""How much was done within a window of time."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Span: TypeAlias = "tuple[float, float]"
"""When a request was sent, and when it had its answer."""


def requests_within(spans: Iterable[Span], start: float, end: float) -> float:
    """The requests of a window; one that was under way at its edge counts with the part that lies within.

    CachedResponses come in bursts, a batch at a time: counting whole ones would make a short window a matter of luck.
    """
    total = 0.0
    for sent, answered in spans:
        within = min(answered, end) - max(sent, start)
        if within > 0:
            total += within / (answered - sent)
    return total


def latencies_us(spans: Sequence[Span], start: float, end: float) -> list[int]:
    """Microseconds that those requests took whose answers came within the window."""
    return [round((answered - sent) * 1e6) for sent, answered in spans if start <= answered < end]
