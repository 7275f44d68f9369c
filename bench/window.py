"""Counts requests within a window of time."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Span: TypeAlias = "tuple[float, float]"
"""When a request was sent, and when it had its response."""


def requests_within(spans: Iterable[Span], start: float, end: float) -> float:
    """The requests of a window. A request at its edge counts with the part within.

    Responses come in bursts, a batch at a time: counting whole requests would give random results in a short window.
    """
    total = 0.0
    for sent, answered in spans:
        within = min(answered, end) - max(sent, start)
        if within > 0:
            total += within / (answered - sent)
    return total


def latencies_us(spans: Sequence[Span], start: float, end: float) -> list[int]:
    """The microseconds of the requests whose responses came within the window."""
    return [round((answered - sent) * 1e6) for sent, answered in spans if start <= answered < end]
