"""Metrics of jobs."""

import math
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OUTCOMES = ("succeeded", "failed", "dead", "paused", "released", "lost")


class JobMetrics:
    """Counts attempts of this worker, and shows how many jobs wait in the database.

    Args:
        registry: None for one of its own.
        types: names of types, so that each has a series from the start.
    """

    def __init__(self, registry: CollectorRegistry | None = None, types: Iterable[str] = ()) -> None:
        registry = registry or CollectorRegistry()
        self._jobs = Gauge(
            "wallet_jobs",
            "Jobs by state: due (they wait for a worker), running, paused, dead; at most 10,000 are counted. Read by "
            "each worker every 15 s; NaN before the first time.",
            ["state"],
            registry=registry,
        )
        self._oldest = Gauge(
            "wallet_jobs_oldest_due_seconds",
            "How long the oldest due job has waited for a worker, in seconds; 0 if none waits.",
            registry=registry,
        )
        self._attempts = Counter(
            "wallet_job_attempts",
            "Attempts of this worker by type and outcome: succeeded, failed (there will be another one), dead, paused "
            "(the creator has lost its rights), released (the worker stopped), lost (cancelled, or given to another).",
            ["type", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "wallet_job_seconds",
            "Duration of attempts in seconds.",
            ["type"],
            buckets=(0.05, 0.25, 1, 5, 15, 60, 300, 1800),
            registry=registry,
        )
        self._expired = Counter(
            "wallet_job_leases_expired",
            "Leases of other workers that had expired when this one looked for jobs: those workers were killed or hung.",
            registry=registry,
        )
        self._polled = Gauge(
            "wallet_worker_polled_timestamp_seconds",
            "When this worker last looked for jobs with success, in Unix time.",
            registry=registry,
        )
        for state in ("due", "running", "paused", "dead"):
            self._jobs.labels(state).set(math.nan)
        self._oldest.set(math.nan)
        for kind in types:
            self._seconds.labels(kind)
            for outcome in OUTCOMES:
                self._attempts.labels(kind, outcome)

    def ended(self, kind: str, outcome: str, seconds: float) -> None:
        """Count an attempt."""
        self._attempts.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)

    def polled(self, expired: int) -> None:
        """Record a successful look for jobs."""
        self._polled.set_to_current_time()
        self._expired.inc(expired)

    def counted(self, counts: Mapping[str, int]) -> None:
        """Show what was read from the database."""
        for state in ("due", "running", "paused", "dead"):
            self._jobs.labels(state).set(counts[state])
        self._oldest.set(counts["oldest_due_ms"] / 1000)
