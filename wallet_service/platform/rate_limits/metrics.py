"""What ops see of rate limits."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RateLimitMetrics:
    """Metrics of refusals, and of Redis; no caller is named in them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        refusals = Counter(
            "wallet_rate_limit_refusals",
            "Requests refused with 429, by what was used up: the limit of a client, or of a user.",
            ["scope"],
            registry=registry,
        )
        # Both are there from the start, so that a rate has a beginning.
        self.refusals = {scope: refusals.labels(scope=scope) for scope in ("client", "user")}
        self.waits = Counter(
            "wallet_rate_limit_waits",
            "Requests that waited for Redis because nothing was left of what the instance had taken.",
            registry=registry,
        )
        self.shared = Gauge(
            "wallet_rate_limit_shared",
            "1 while Redis counts for all instances; 0 while it does not answer, or none is set.",
            registry=registry,
        )
        self.redis_away = Gauge(
            "wallet_rate_limit_redis_unavailable",
            "1 while the Redis of the settings does not answer; 0 also where none is set.",
            registry=registry,
        )
