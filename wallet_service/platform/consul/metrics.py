"""Metrics of Consul."""

from prometheus_client import CollectorRegistry, Gauge


class ConsulMetrics:
    """Whether the agent responds, by purpose."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._unavailable = Gauge(
            "wallet_consul_unavailable",
            "1 while Consul does not respond, by purpose: discovery or registration.",
            ["purpose"],
            registry=registry or CollectorRegistry(),
        )

    def report(self, purpose: str, *, is_unavailable: bool) -> None:
        """Record whether Consul responds for this purpose."""
        self._unavailable.labels(purpose).set(is_unavailable)
