"""The results of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.percentiles import median, percentile

SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


@dataclass(slots=True, kw_only=True)
class Result:
    """One row of the table.

    Attributes:
        baseline: key of the row that it is compared with.
        connections: on which it was measured; 0 before that.
        rounds: operations a second, round by round.
        requests_per_s: median of the rounds. An open loop runs at a part of this rate.
        closed_us: latencies of single requests in the closed loop, from the rounds.
        open_us: latencies in the open loop, from the time when a request was due.
        open_rate: requests a second of the open loop.
        cpu_us: CPU microseconds for an operation, by process.
        wal_bytes: write-ahead log for an operation.
        disk_bytes: growth of tables and indexes for an operation.
        notes: further counts of the row.
        error: why the row could not be measured; None without an error.
    """

    key: str
    title: str
    baseline: str | None = None
    connections: int = 0
    rounds: list[float] = field(default_factory=list[float])
    requests_per_s: float | None = None
    closed_us: list[int] = field(default_factory=list[int])
    open_us: list[int] = field(default_factory=list[int])
    open_rate: float | None = None
    cpu_us: dict[str, float] = field(default_factory=dict[str, float])
    wal_bytes: float | None = None
    disk_bytes: float | None = None
    notes: dict[str, int] = field(default_factory=dict[str, int])
    error: str | None = None

    @property
    def per_s(self) -> float | None:
        """Operations a second: the median of the rounds; None when the row failed or was not measured."""
        return median(self.rounds) if self.error is None else None

    @property
    def spread(self) -> float | None:
        """(Largest - smallest round) / median. A large spread means that the machine had other load."""
        middle = self.per_s
        return (max(self.rounds) - min(self.rounds)) / middle if middle else None

    @property
    def p50_us(self) -> float | None:
        """Median latency in the closed loop."""
        return median(self.closed_us) if self.error is None else None

    def open_ms(self, name: str) -> float | None:
        """A percentile (p50, p99, p99.9) of the open loop in milliseconds."""
        found = percentile(self.open_us, SHARES[name])
        return None if found is None else found / 1000

    def document(self) -> dict[str, Any]:
        """The row as JSON."""
        p50_us = self.p50_us
        return {
            "title": self.title,
            "connections": self.connections,
            "operations_per_s": _rounded(self.per_s),
            "rounds_operations_per_s": [_rounded(value) for value in self.rounds],
            "closed_p50_ms": None if p50_us is None else round(p50_us / 1000, 3),
            "open_loop": {
                "requests_per_s": _rounded(self.open_rate),
                "requests": len(self.open_us),
                **{f"{name}_ms": self.open_ms(name) for name in SHARES},
            },
            "cpu_us_per_operation": {name: round(value, 1) for name, value in self.cpu_us.items()},
            "wal_bytes_per_operation": _rounded(self.wal_bytes),
            "disk_bytes_per_operation": _rounded(self.disk_bytes),
            "notes": self.notes,
            "error": self.error,
        }


@dataclass(slots=True)
class Results:
    """A run.

    Attributes:
        rows: by key, in the order of the table.
        machine: facts about the machine, without its name.
        left_out: which chosen rows can't be measured here, and why.
        peak_rss_bytes: the peak memory of the service; None when it was not measured.
        import_ratio: CPU time of importing the client library / of importing httpx; None when it was not measured.
    """

    rows: dict[str, Result] = field(default_factory=dict[str, Result])
    machine: Mapping[str, Any] = field(default_factory=dict[str, Any])
    left_out: str | None = None
    peak_rss_bytes: int | None = None
    import_ratio: float | None = None

    def leave_out(self, keys: Sequence[str], why: object) -> str:
        """Remove these rows and record the reason. Returns the text about them."""
        text = f"rows {', '.join(keys)}: {why}"
        self.left_out = text if self.left_out is None else f"{self.left_out}; {text}"
        for key in keys:
            del self.rows[key]
        return text

    def per_s(self, key: str) -> float | None:
        """Operations a second of a row; None when there is no such figure."""
        return self.rows[key].per_s if key in self.rows else None

    def p50_us(self, key: str) -> float | None:
        """Median latency of a row in the closed loop; None when there is no such figure."""
        return self.rows[key].p50_us if key in self.rows else None

    def ratio(self, key: str, baseline: str) -> float | None:
        """Operations a second of one row divided by another's."""
        above, below = self.per_s(key), self.per_s(baseline)
        return None if above is None or not below else above / below

    @property
    def failed(self) -> dict[str, str]:
        """Why rows could not be measured, by key."""
        return {key: row.error for key, row in self.rows.items() if row.error is not None}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
