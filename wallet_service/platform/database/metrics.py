"""Metrics of the database: calls by function, and connections."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from wallet_service.core.errors import WalletError
from wallet_service.platform.database.concurrency_limit import ConcurrencyLimit
from wallet_service.platform.database.gateway import Database, Param

_DURATIONS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_OUR_FAULTS = 500


class DatabaseMetrics:
    """Metrics of calls and connections. Labels have the function, never parameters."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry or CollectorRegistry()
        self._calls = Counter(
            "wallet_database_calls",
            "Calls by outcome: answered, refused (a rule was broken), cancelled, the code of the "
            "failure, or failed (a fault of this service). Each attempt counts.",
            ["function", "outcome"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "wallet_database_call_duration_seconds",
            "Duration of a call, including the wait for a connection.",
            ["function"],
            buckets=_DURATIONS_S,
            registry=self._registry,
        )
        self._series: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def called(self, function: str, outcome: str, duration_s: float) -> None:
        """Count a call."""
        series = self._series.get((function, outcome))
        if series is None:
            # Without the series before it, the first failure would not show in a rate.
            self._calls.labels(function, "unavailable")
            series = self._calls.labels(function, outcome), self._durations.labels(function)
            self._series[function, outcome] = series
        calls, durations = series
        calls.inc()
        durations.observe(duration_s)

    def watch(self, limit: ConcurrencyLimit) -> None:
        """Measure how the connections are used."""

        def add_gauge(name: str, text: str, read: Callable[[], int]) -> None:
            Gauge(f"wallet_database_pool_{name}", text, registry=self._registry).set_function(read)

        add_gauge(
            "size",
            "Calls that may be under way at a time, each on a connection of its own.",
            lambda: limit.size,
        )
        add_gauge("in_use", "Calls under way.", lambda: limit.taken)
        add_gauge("waiting", "Calls that wait for a connection.", lambda: limit.waiting)


class MeasuredDatabase(Database):
    """Counts and times the calls of another ``Database``."""

    def __init__(self, database: Database, metrics: DatabaseMetrics) -> None:
        self._database = database
        self._metrics = metrics
        self.limit = database.limit
        if self.limit is not None:
            metrics.watch(self.limit)

    async def call(self, function: str, /, **params: Param) -> bytes:
        """See the base class."""
        started = time.perf_counter()
        outcome = "failed"
        try:
            answer = await self._database.call(function, **params)
            outcome = "answered"
        except WalletError as error:
            outcome = error.code if error.status >= _OUR_FAULTS else "refused"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._metrics.called(function, outcome, time.perf_counter() - started)
        return answer

    async def close(self) -> None:
        """See the base class."""
        await self._database.close()
