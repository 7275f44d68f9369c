"""Metrics of the vault."""

from prometheus_client import CollectorRegistry, Counter


class VaultMetrics:
    """Counts values that were sealed and opened."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._values = Counter(
            "wallet_vault_values",
            "Values that the vault sealed or opened, by outcome: done, unavailable (a key is missing), invalid (the "
            "value was changed, or belongs to another row).",
            ["action", "outcome"],
            registry=registry or CollectorRegistry(),
        )
        for outcome in ("done", "unavailable", "invalid"):
            self._values.labels("open", outcome)

    def count(self, action: str, outcome: str) -> None:
        """Count a value."""
        self._values.labels(action, outcome).inc()
