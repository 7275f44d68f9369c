"""Metrics of parts."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class PartsMetrics:
    """Counts the entries that this process catalogued, and shows whether it keeps up.

    Args:
        registry: None for one of its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._catalogued = Counter(
            "wallet_parts_catalogued_entries",
            "Entries of books that got their parts from this process.",
            registry=registry,
        )
        self._oldest = Gauge(
            "wallet_parts_oldest_pending_seconds",
            "How long the oldest posting of this process has waited to be catalogued, in seconds; 0 if none waits.",
            registry=registry,
        )

    def catalogued(self, entries: int) -> None:
        """Count entries that were catalogued."""
        self._catalogued.inc(entries)

    def watch(self, oldest_s: Callable[[], float]) -> None:
        """Show this age, in seconds, whenever the metrics are read."""
        self._oldest.set_function(oldest_s)
