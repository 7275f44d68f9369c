"""What operators see of the way to Consul."""

from prometheus_client import CollectorRegistry, Gauge


class ConsulMetrics:
    """Whether the agent answers, by what it is needed for."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._unavailable = Gauge(
            "wallet_consul_unavailable",
            "1 while Consul does not answer, by what it is needed for.",
            ["purpose"],
            registry=registry or CollectorRegistry(),
        )

    def report(self, purpose: str, *, is_unavailable: bool) -> None:
        """Show whether Consul answers for this purpose."""
        self._unavailable.labels(purpose).set(is_unavailable)
