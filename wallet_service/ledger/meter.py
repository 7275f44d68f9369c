"""What ops see of group commit."""

from prometheus_client import CollectorRegistry, Gauge, Histogram

_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_WAITS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class CommitMeter:
    """Metrics of the queue and of the batches.

    Attributes:
        registry: where they are collected.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self.batch = Histogram(
            "wallet_commit_batch_operations",
            "Operations sent in one call of the database; sent again they count again.",
            buckets=_SIZES,
            registry=registry,
        )
        self.wait = Histogram(
            "wallet_commit_wait_seconds",
            "How long a request's operations waited before they were first sent.",
            buckets=_WAITS_S,
            registry=registry,
        )
        self.queued = Gauge(
            "wallet_commit_queued_operations",
            "Operations that wait to be sent.",
            registry=registry,
        )
        self.held = Gauge(
            "wallet_commit_held_wallets",
            "Wallets and keys that somebody else holds and operations wait for.",
            registry=registry,
        )
