"""Metrics of calls of upstream services."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DURATIONS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class UpstreamMetrics:
    """Counts, durations and breakers of upstream services."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._calls = Counter(
            "wallet_upstream_calls",
            "Calls of upstream services by outcome: answered, unusable (the response can't be used), unavailable (no "
            "attempt got a response), breaker_open, no_instance (none is known), cancelled.",
            ["upstream", "outcome"],
            registry=registry,
        )
        self._durations = Histogram(
            "wallet_upstream_call_duration_seconds",
            "Duration of a call with all its attempts.",
            ["upstream"],
            buckets=_DURATIONS_S,
            registry=registry,
        )
        self._open = Gauge(
            "wallet_upstream_breaker_open",
            "1 while the breaker of a route is open: its calls failed too often, and one attempt in 10 s is made.",
            ["upstream"],
            registry=registry,
        )

    def called(self, upstream: str, outcome: str, duration_s: float) -> None:
        """Count a call."""
        self._calls.labels(upstream, outcome).inc()
        self._durations.labels(upstream).observe(duration_s)

    def watch_breaker(self, upstream: str, is_open: Callable[[], bool]) -> None:
        """Measure whether the breaker of a service is open."""
        self._open.labels(upstream).set_function(is_open)


def upstream_metrics(state: Any, registry: CollectorRegistry) -> UpstreamMetrics:
    """The metrics of the application, created for the first client: several rooms call upstream services."""
    found: UpstreamMetrics | None = getattr(state, "upstream_metrics", None)
    if found is None:
        found = state.upstream_metrics = UpstreamMetrics(registry)
    return found
