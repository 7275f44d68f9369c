"""The values of a client's metrics. A module of its own, loaded when they are first read."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """How long calls took with all their attempts, in seconds; 0 if there were no calls.

    Percentiles are the upper limits of buckets: at most 19 % too long, never too short.
    """

    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Counts:
    """The outcomes of calls.

    Attributes:
        calls: calls that ended; a call with several attempts is counted once.
        retries: attempts after the first.
        errors: calls that ended with an error, by the name of its class.
    """

    calls: int
    retries: int
    errors: Mapping[str, int]
    latency: Latency


@dataclass(frozen=True, slots=True)
class Snapshot(Counts):
    """The counts of all calls, and of each name, such as ``consume``."""

    by_name: Mapping[str, Counts]
