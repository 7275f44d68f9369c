"""The targets of the ledger, as ratios of one run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.results import Results

Outcome = Literal["pass", "miss", "not measured"]


@dataclass(frozen=True, slots=True)
class Target:
    """One target.

    Attributes:
        name: the formula.
        measured: the figure of a run; None when a row that it needs is missing.
        required: the bound.
        aim: a better figure to work for; None without one.
        at_most: whether ``required`` is an upper bound; else it is a lower bound.
    """

    name: str
    measured: Callable[[Results], float | None]
    required: float
    aim: float | None = None
    at_most: bool = False

    def outcome(self, results: Results) -> Outcome:
        """Whether the run reached the target."""
        measured = self.measured(results)
        if measured is None:
            return "not measured"
        reached = measured <= self.required if self.at_most else measured >= self.required
        return "pass" if reached else "miss"


def _ratio(key: str, baseline: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(key, baseline)


def _added_latency(results: Results) -> float | None:
    consume, empty, kernel = (
        results.p50_us(f"{key}_serial") for key in ("http_consume", "http_empty", "kernel_single")
    )
    return None if consume is None or empty is None or kernel is None else consume / (empty + kernel)


def _over_rest(results: Results) -> float | None:
    """Relative to the faster of both ways with one RPC for each operation; all without the service's HTTP."""
    ratios = [results.ratio("rest_group_commit", other) for other in ("rest_supabase_py", "rest_driver")]
    found = [ratio for ratio in ratios if ratio is not None]
    return min(found) if len(found) == len(ratios) else None


def _memory_mb(results: Results) -> float | None:
    return None if results.peak_rss_bytes is None else results.peak_rss_bytes / 1e6


def _rows(key: str, baseline: str, required: float, aim: float | None = None, note: str = "") -> Target:
    return Target(f"{key} / {baseline}{note}", _ratio(key, baseline), required, aim)


TARGETS = (
    _rows("kernel_batch", "floor", 0.9, aim=1.0),
    _rows("kernel_batch_hot", "kernel_batch", 0.9),
    _rows("kernel_single", "floor", 0.15, aim=0.25),
    _rows("http_consume", "http_empty", 0.5, aim=0.65),
    _rows("http_hot_consume", "http_consume", 0.9),
    _rows("http_batch", "http_consume", 3.0, note=", operations"),
    _rows("http_balance", "http_empty", 0.65),
    _rows("kernel_batch_many_rows", "kernel_batch_few_rows", 0.8),
    _rows("http_locked_others", "http_locked_none", 0.8),
    _rows("http_list_many_rows", "http_list_few_rows", 0.9),
    Target("rest_group_commit / the better of rest_supabase_py and rest_driver", _over_rest, 5.0),
    _rows("http_production_consume", "http_consume", 0.9),
    _rows("client_library", "client_httpx", 0.8),
    _rows("http_traced_consume", "http_consume", 0.9),
    _rows("http_hostile_consume", "http_consume", 0.9),
    Target(
        "import of the client library / of httpx", lambda results: results.import_ratio, 1.2, at_most=True
    ),
    Target(
        "p50 with 1 connection: http_consume / (http_empty + kernel_single)",
        _added_latency,
        1.3,
        at_most=True,
    ),
    Target("peak memory of the service, MB", _memory_mb, 200.0, at_most=True),
)
