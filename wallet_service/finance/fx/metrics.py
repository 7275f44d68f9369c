"""Metrics of exchange rates."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge

_DAY_S = 86_400


class RateMetrics:
    """Shows how old the newest rates are, and counts refreshes.

    Args:
        registry: None for one of its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._age = Gauge(
            "wallet_fx_rates_age_seconds",
            "Age of the newest exchange rates of the service, in whole days; read by workers every 5 minutes. NaN before "
            "the first time, and where no provider is set.",
            registry=registry,
        )
        self._refreshes = Counter(
            "wallet_fx_refreshes",
            "Requests of the provider of exchange rates by outcome: stored, unchanged, failed.",
            ["outcome"],
            registry=registry,
        )
        self._age.set(math.nan)
        for outcome in ("stored", "unchanged", "failed"):
            self._refreshes.labels(outcome)

    def aged(self, days: int) -> None:
        """Show the age of the newest rates."""
        self._age.set(days * _DAY_S)

    def refreshed(self, outcome: str) -> None:
        """Count a request of the provider."""
        self._refreshes.labels(outcome).inc()
