"""What ops see of requests: how many, how they ended, how long they took."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Metrics of requests, by the route's template: real paths hold ids, and there is no end of them.

    Attributes:
        in_flight: requests under way.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.in_flight = 0
        self._requests = Counter(
            "wallet_http_requests",
            "Requests by route, method and class of status (499, nobody waited for the answer, is 4xx).",
            ["route", "method", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "wallet_http_request_duration_seconds",
            "How long requests took, from their first byte here until the last of the answer was handed on.",
            ["route", "method"],
            buckets=_DURATIONS_S,
            registry=registry,
        )
        Gauge("wallet_http_requests_in_flight", "Requests under way.", registry=registry).set_function(
            lambda: self.in_flight
        )
        # Looking a series up by its labels costs several times what counting does.
        self._series: dict[tuple[str | None, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str | None, method: str, status: int | None, duration_s: float) -> None:
        """Count a request that is over.

        Args:
            route: the path's template; None where there is nothing.
            method: as it came; there is no end of these either.
            status: of the answer; None when there was none.
            duration_s: seconds.
        """
        if method not in _METHODS:
            method = "other"
        hundreds = (status or 0) // 100
        series = self._series.get((route, method, hundreds))
        if series is None:
            series = self._series[route, method, hundreds] = self._made(
                route or "unmatched", method, hundreds
            )
        requests, durations = series
        requests.inc()
        durations.observe(duration_s)

    def _made(self, route: str, method: str, hundreds: int) -> tuple[Counter, Histogram]:
        status = f"{hundreds}xx" if hundreds else "none"
        # A rate sees the first failures only when the series was there before them.
        self._requests.labels(route, method, "5xx")
        return self._requests.labels(route, method, status), self._durations.labels(route, method)
