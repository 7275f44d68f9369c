"""Metrics of rules."""

from prometheus_client import CollectorRegistry, Counter


class RulesMetrics:
    """Counts the entries to which this process applied rules by themselves.

    Args:
        registry: None for one of its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._ruled = Counter(
            "wallet_rules_applied_entries",
            "Entries of books to which this process applied the rules of the book, when they were catalogued.",
            registry=registry,
        )
        self._changed = Counter(
            "wallet_rules_changed_entries", "Those of them whose parts the rules changed.", registry=registry
        )

    def ruled(self, entries: int, changed: int) -> None:
        """Count entries to which rules were applied, and those that they changed."""
        self._ruled.inc(entries)
        self._changed.inc(changed)
