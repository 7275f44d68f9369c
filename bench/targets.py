"""What the ledger must reach, as ratios of one run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.results import Results

Outcome = Literal["pass", "miss", "not measured"]


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to reach.

    Attributes:
        name: the formula, for people.
        measured: the figure of a run; None when a row that it needs is missing.
        required: what it must be.
        aim: what we would like it to be; None when that is the same.
        at_most: whether it must not exceed ``required``, rather than reach it.
    """

    name: str
    measured: Callable[[Results], float | None]
    required: float
    aim: float | None = None
    at_most: bool = False

    def outcome(self, results: Results) -> Outcome:
        """Whether the run reached it."""
        measured = self.measured(results)
        if measured is None:
            return "not measured"
        reached = measured <= self.required if self.at_most else measured >= self.required
        return "pass" if reached else "miss"


def _ratio(key: str, beside: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(key, beside)


def _added_latency(results: Results) -> float | None:
    f, e, c = (results.p50_us(key) for key in ("f 1", "e 1", "c 1"))
    return None if f is None or e is None or c is None else f / (e + c)


def _over_rest(results: Results) -> float | None:
    """Beside the better of those that make one rpc for each operation, at 64 connections, all without HTTP before."""
    ratios = [results.ratio("s", beside) for beside in ("q", "t")]
    found = [ratio for ratio in ratios if ratio is not None]
    return min(found) if len(found) == len(ratios) else None


def _memory_mb(results: Results) -> float | None:
    return None if results.peak_rss_bytes is None else results.peak_rss_bytes / 1e6


TARGETS = (
    Target("d / a", _ratio("d", "a"), 0.9, aim=1.0),
    Target("d hot / d", _ratio("d hot", "d"), 0.9),
    Target("c / a", _ratio("c", "a"), 0.15, aim=0.25),
    Target("f / e", _ratio("f", "e"), 0.5, aim=0.65),
    Target("g / f", _ratio("g", "f"), 0.9),
    Target("i / f, operations", _ratio("i", "f"), 3.0),
    Target("j / e", _ratio("j", "e"), 0.65),
    Target("d many rows / d few rows", _ratio("d large", "d small"), 0.8),
    Target("n held / n none held", _ratio("n", "n base"), 0.8),
    Target("k many rows / k few rows", _ratio("k large", "k small"), 0.9),
    Target("s / the better of q and t", _over_rest, 5.0),
    Target("u / f", _ratio("u", "f"), 0.9),
    Target("w / v", _ratio("w", "v"), 0.8),
    Target("x / f", _ratio("x", "f"), 0.9),
    Target("import of our client / of httpx", lambda results: results.import_ratio, 1.2, at_most=True),
    Target("p50 with 1 connection: f / (e + c)", _added_latency, 1.3, at_most=True),
    Target("peak memory of the service, MB", _memory_mb, 200.0, at_most=True),
)
