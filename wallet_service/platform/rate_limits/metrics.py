"""Metrics of rate limits."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RateLimitMetrics:
    """Refusals, and the state of Redis. No label names a caller."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        refusals = Counter(
            "wallet_rate_limit_refusals",
            "Requests refused with 429, by scope: the limit of a client, of a user, or of an address without valid "
            "credentials.",
            ["scope"],
            registry=registry,
        )
        # All series exist from the start, so that a rate sees the first refusal.
        self.refusals = {kind: refusals.labels(scope=kind) for kind in ("client", "user", "address")}
        self.waits = Counter(
            "wallet_rate_limit_waits",
            "Requests that waited for Redis, because the instance had no leased tokens left.",
            registry=registry,
        )
        self.shared = Gauge(
            "wallet_rate_limit_shared",
            "1 while Redis counts for all instances; 0 while it is unavailable or not configured.",
            registry=registry,
        )
        self.redis_unavailable = Gauge(
            "wallet_rate_limit_redis_unavailable",
            "1 while the configured Redis is unavailable; 0 also if none is configured.",
            registry=registry,
        )
