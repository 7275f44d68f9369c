"""What operators see of upstream services."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DURATIONS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class UpstreamMetrics:
    """Metrics of requests to upstream services."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._calls = Counter(
            "wallet_upstream_calls",
            "Questions to another service: answered, unusable (with what is no answer), unavailable (no attempt was "
            "answered), not_asked (it is left alone after failures), not_known (nobody knows where it is), cancelled.",
            ["upstream", "outcome"],
            registry=registry,
        )
        self._durations = Histogram(
            "wallet_upstream_call_duration_seconds",
            "How long a question took with all its attempts.",
            ["upstream"],
            buckets=_DURATIONS_S,
            registry=registry,
        )
        self._open = Gauge(
            "wallet_upstream_breaker_open",
            "1 while a service is left alone because it failed too often.",
            ["upstream"],
            registry=registry,
        )

    def asked(self, upstream: str, outcome: str, duration_s: float) -> None:
        """Count a question."""
        self._calls.labels(upstream, outcome).inc()
        self._durations.labels(upstream).observe(duration_s)

    def watch_breaker(self, upstream: str, is_open: Callable[[], bool]) -> None:
        """Show whether a service is left alone."""
        self._open.labels(upstream).set_function(is_open)
