"""What a client's metrics tell. Apart, so that it is loaded when somebody looks."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """How long calls took with all their tries, in seconds; 0 where there was none.

    Percentiles are the upper ends of buckets: at most 19 % too long, never too short.
    """

    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of calls.

    Attributes:
        calls: that ended, each counted once however often it was sent.
        retries: tries after a first.
        errors: calls that ended in an error, by its class.
    """

    calls: int
    retries: int
    errors: Mapping[str, int]
    latency: Latency


@dataclass(frozen=True, slots=True)
class Snapshot(Counts):
    """All calls, and those of each name, such as ``consume``."""

    by_name: Mapping[str, Counts]
