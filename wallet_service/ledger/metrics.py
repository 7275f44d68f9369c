"""Metrics of group commit and of operations."""

import re
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from wallet_service.core.errors import WalletError
from wallet_service.ledger.operation_types import LEDGER_TYPES
from wallet_service.ledger.operations import Operation
from wallet_service.ledger.outcomes import Outcome, Refused

_FROM_THE_START = ("posted", "internal_error", "overloaded", "unavailable", "wallet_busy")
"""Outcomes with alerts. Their series start at 0, because rate() misses the first increase of a new series."""

# In the bytes as wallet.format_entry writes them. In the caller's own texts each quote has a backslash before it.
_MOVED = re.compile(rb'"currency":"([^"]+)","direction":"[a-z]+","amount":"([0-9.]+)"')

_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_WAITS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class CommitMetrics:
    """Metrics of the queue, of the batches, and of the outcomes of operations.

    Attributes:
        registry: the registry of the metrics.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self.batch = Histogram(
            "wallet_commit_batch_operations",
            "Operations sent in one call of the database. Each attempt is counted.",
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
        self.locked = Gauge(
            "wallet_commit_locked_wallets",
            "Wallets and keys that another database session has locked and that operations wait for.",
            registry=registry,
        )
        self.queue_limit = Gauge(
            "wallet_commit_queue_limit_operations",
            "Most operations that may wait to be sent. More are refused as overloaded.",
            registry=registry,
        )
        self._postings = Counter(
            "wallet_postings",
            "Operations by outcome: posted, replayed, dry_run, or the code of the refusal. Without opening balances "
            "and imports.",
            ["type", "outcome"],
            registry=registry,
        )
        self._moved = Counter(
            "wallet_posted_amount",
            "Units of the currency moved by postings. A float: for graphs, never for accounting.",
            ["type", "currency"],
            registry=registry,
        )
        # Finding a series by its labels costs several times as much as counting.
        self._postings_of: dict[tuple[str, str], Counter] = {}
        self._moved_of: dict[tuple[str, bytes], Counter] = {}
        for kind in (each.name for each in LEDGER_TYPES):
            for outcome in _FROM_THE_START:
                self._postings_of[kind, outcome] = self._postings.labels(kind, outcome)

    def decided(self, operation: Operation, outcome: Outcome) -> None:
        """Count an operation that was decided, also if its request was cancelled."""
        if isinstance(outcome, Refused):
            self._count(operation.type, outcome.error.code)
        elif outcome.replayed or outcome.dry_run:
            self._count(operation.type, "replayed" if outcome.replayed else "dry_run")
        else:
            self._count(operation.type, "posted")
            self._move(operation.type, outcome.transaction)

    def failed(self, operations: Iterable[Operation], error: WalletError) -> None:
        """Count operations whose call failed as a whole."""
        for operation in operations:
            self._count(operation.type, error.code)

    def _count(self, kind: str, outcome: str) -> None:
        series = self._postings_of.get((kind, outcome))
        if series is None:
            series = self._postings_of[kind, outcome] = self._postings.labels(kind, outcome)
        series.inc()

    def _move(self, kind: str, transaction: bytes) -> None:
        moved = _MOVED.search(transaction)
        if moved is None:
            return
        currency, amount = moved.groups()
        series = self._moved_of.get((kind, currency))
        if series is None:
            series = self._moved_of[kind, currency] = self._moved.labels(kind, currency.decode())
        series.inc(float(amount))
