"""Metrics of the audit trail."""

from prometheus_client import CollectorRegistry, Counter


class ReadMetrics:
    """Counts the reads that the audit trail records."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._recorded = Counter(
            "wallet_recorded_reads",
            "Reads that the audit trail recorded, by action: of other persons' data by callers with the rights of the "
            "operator, and of the audit trail itself.",
            ["action"],
            registry=registry or CollectorRegistry(),
        )

    def recorded(self, action: str) -> None:
        """Count a read."""
        self._recorded.labels(action).inc()
