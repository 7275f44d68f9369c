"""Metrics of webhooks."""

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OUTCOMES = ("delivered", "failed", "dead", "gone", "lost")


class WebhookMetrics:
    """Counts attempts of this process, and shows what waits in the database.

    Args:
        registry: None for one of its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._attempts = Counter(
            "wallet_webhook_attempts",
            "Attempts of this worker by outcome: delivered, failed (there will be another one), dead (none follows), "
            "gone (the receiver answered 410), lost (another worker has the delivery, or the endpoint was deleted).",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "wallet_webhook_attempt_seconds",
            "Duration of attempts in seconds.",
            buckets=(0.05, 0.25, 1, 5, 15, 60),
            registry=registry,
        )
        self._deliveries = Gauge(
            "wallet_webhook_deliveries",
            "Deliveries by state: pending (of active endpoints), dead; at most 10,000 are counted. Read by each worker "
            "every 15 s; NaN before the first time.",
            ["state"],
            registry=registry,
        )
        self._disabled = Gauge(
            "wallet_webhook_endpoints_disabled", "Endpoints that are disabled.", registry=registry
        )
        self._oldest = Gauge(
            "wallet_webhooks_oldest_due_seconds",
            "How long the delivery that waits longest for a worker has been due, in seconds; 0 if none is due. Endpoints "
            "that fail do not count.",
            registry=registry,
        )
        for outcome in OUTCOMES:
            self._attempts.labels(outcome)
        for state in ("pending", "dead"):
            self._deliveries.labels(state).set(math.nan)
        self._disabled.set(math.nan)
        self._oldest.set(math.nan)

    def ended(self, outcome: str, seconds: float) -> None:
        """Count an attempt."""
        self._attempts.labels(outcome).inc()
        self._seconds.observe(seconds)

    def counted(self, counts: Mapping[str, int]) -> None:
        """Show what was read from the database."""
        for state in ("pending", "dead"):
            self._deliveries.labels(state).set(counts[state])
        self._disabled.set(counts["disabled"])
        self._oldest.set(counts["oldest_due_ms"] / 1000)
