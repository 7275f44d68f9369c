"""Metrics of top-ups. What happened to them is in ``wallet_changes_total``, as all changes are."""

import math
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

UNDER_WAY = ("created", "charging", "pending", "charged")
STOPPED_BY = ("charge_limit", "too_many_declines", "rights_lost", "failed")
"""Why a rule waits until it is set again. A pause that ends by itself is not counted."""


class TopUpMetrics:
    """Shows the top-ups that are under way, and the rules that charge no more.

    Args:
        registry: None for one of its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._top_ups = Gauge(
            "wallet_top_ups",
            "Top-ups that are under way, by state: created, charging (the outcome of the charge is not known), pending "
            "(the payment service still decides), charged (the deposit follows); at most 10,000 are counted. Read by "
            "each worker every 15 s; NaN before the first time.",
            ["state"],
            registry=registry,
        )
        self._oldest = Gauge(
            "wallet_top_ups_oldest_seconds",
            "For how long the oldest top-up in this state has been under way, in seconds; 0 if there is none.",
            ["state"],
            registry=registry,
        )
        self._stopped = Gauge(
            "wallet_top_up_rules_stopped",
            "Rules that charge no more until they are set again, by reason: charge_limit (one charge is above the "
            "limit), too_many_declines, rights_lost (of the key or user that set the rule), failed (what was charged "
            "could not be deposited); at most 10,000 are counted.",
            ["reason"],
            registry=registry,
        )
        for state in UNDER_WAY:
            self._top_ups.labels(state).set(math.nan)
            self._oldest.labels(state).set(math.nan)
        for reason in STOPPED_BY:
            self._stopped.labels(reason).set(math.nan)

    def counted(self, counts: Mapping[str, Any]) -> None:
        """Show what was read from the database."""
        for state in UNDER_WAY:
            found = counts["states"].get(state, {"top_ups": 0, "oldest_s": 0})
            self._top_ups.labels(state).set(found["top_ups"])
            self._oldest.labels(state).set(found["oldest_s"])
        for reason in STOPPED_BY:
            self._stopped.labels(reason).set(counts["stopped"].get(reason, 0))
