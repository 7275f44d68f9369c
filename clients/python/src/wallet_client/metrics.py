"""The metrics of a client: calls, retries, errors and durations, in a fixed amount of memory."""

import math
import threading
from collections import Counter
from typing import TYPE_CHECKING

from wallet_client._forks import renew_after_fork

if TYPE_CHECKING:
    from wallet_client.counts import Counts, Latency, Snapshot

_SHORTEST_S = 0.0001
_STEPS = 4
"""Buckets for each doubling of the duration: a percentile is at most 19 % too long."""

_BUCKETS = 22 * _STEPS
"""Up to 419 s; a longer call is in the last bucket."""


class _Series:
    def __init__(self) -> None:
        self.calls = 0
        self.retries = 0
        self.errors: Counter[str] = Counter()
        self.buckets = [0] * _BUCKETS
        self.max_s = 0.0

    def add(self, bucket: int, duration_s: float, retries: int, error: str | None) -> None:
        self.calls += 1
        self.retries += retries
        self.buckets[bucket] += 1
        self.max_s = max(self.max_s, duration_s)
        if error is not None:
            self.errors[error] += 1

    def merge(self, other: "_Series") -> None:
        self.calls += other.calls
        self.retries += other.retries
        self.errors += other.errors
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]
        self.max_s = max(self.max_s, other.max_s)

    def latency(self) -> "Latency":
        from wallet_client.counts import Latency  # noqa: PLC0415 - loaded when it is first needed

        return Latency(self._percentile(0.5), self._percentile(0.9), self._percentile(0.99), self.max_s)

    def _percentile(self, part: float) -> float:
        wanted, seen = math.ceil(self.calls * part), 0
        for bucket, count in enumerate(self.buckets):
            seen += count
            if count and seen >= wanted:
                return min(_SHORTEST_S * 2 ** ((bucket + 1) / _STEPS), self.max_s)
        return 0.0

    def counts(self) -> "Counts":
        from wallet_client.counts import Counts  # noqa: PLC0415 - as above

        return Counts(self.calls, self.retries, dict(self.errors), self.latency())


class Metrics:
    """Counts the calls of one client; ``snapshot()`` returns the counts."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._renew_lock()
        renew_after_fork(self, Metrics._renew_lock)

    def _renew_lock(self) -> None:
        """In a child process too: a thread of the parent may hold the lock."""
        self._lock = threading.Lock()

    def add(self, name: str, duration_s: float, retries: int, error: str | None) -> None:
        """Count a call that has ended; ``error`` is the name of its error's class, if any."""
        steps = int(math.log2(max(duration_s, _SHORTEST_S) / _SHORTEST_S) * _STEPS)
        with self._lock:
            series = self._series.get(name)
            if series is None:
                series = self._series[name] = _Series()
            series.add(min(steps, _BUCKETS - 1), duration_s, retries, error)

    def snapshot(self) -> "Snapshot":
        """The counts until now."""
        from wallet_client.counts import Snapshot  # noqa: PLC0415 - as above

        total = _Series()
        with self._lock:
            for series in self._series.values():
                total.merge(series)
            by_name = {name: series.counts() for name, series in self._series.items()}
        return Snapshot(total.calls, total.retries, dict(total.errors), total.latency(), by_name)
