"""Metrics of requests: counts by status, and durations."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Counts and times requests by route template, because the number of real paths, with their ids, is unlimited.

    Attributes:
        in_flight: requests under way.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.in_flight = 0
        self._requests = Counter(
            "wallet_http_requests",
            "Requests by route, method and class of status. A client that disconnected before its response is 4xx.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "wallet_http_request_duration_seconds",
            "Duration of requests, from the start of processing to the last byte of the response; of a stream of events, "
            "to its first byte.",
            ["route", "method"],
            buckets=_DURATIONS_S,
            registry=registry,
        )
        Gauge(
            "wallet_http_requests_in_flight",
            "Requests under way, without open streams of events.",
            registry=registry,
        ).set_function(lambda: self.in_flight)
        # Finding a series by its labels costs several times as much as counting.
        self._series: dict[tuple[str | None, str, int], tuple[Counter, Histogram]] = {}

    def record(self, route: str | None, method: str, status: int | None, duration_s: float) -> None:
        """Count a completed request.

        Args:
            route: its template; None if no route matches.
            method: as the client sent it; unknown ones count as "other".
            status: of the response; None if there was none.
            duration_s: seconds.
        """
        if method not in _METHODS:
            method = "other"
        hundreds = (status or 0) // 100
        series = self._series.get((route, method, hundreds))
        if series is None:
            series = self._series[route, method, hundreds] = self._create(
                route or "unmatched", method, hundreds
            )
        requests, durations = series
        requests.inc()
        durations.observe(duration_s)

    def _create(self, route: str, method: str, hundreds: int) -> tuple[Counter, Histogram]:
        status = f"{hundreds}xx" if hundreds else "none"
        # Without the series before them, the first failures would not show in a rate.
        self._requests.labels(route, method, "5xx")
        return self._requests.labels(route, method, status), self._durations.labels(route, method)
