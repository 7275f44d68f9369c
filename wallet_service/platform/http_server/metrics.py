"""Metrics of connections."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

HEADS_REFUSED = ("malformed_request", "uri_too_long", "headers_too_large")
CLOSED_EARLY = ("head_timeout", "body_timeout", "send_timeout", "limit")


class ConnectionMetrics:
    """Connections that are open, and those that were closed or refused to protect the others."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._open = Gauge("wallet_http_connections", "Connections that are open.", registry=registry)
        closed = Counter(
            "wallet_http_connections_closed",
            "Connections closed by the service, by reason: head_timeout and body_timeout (the request did not arrive "
            "in time), send_timeout (the client does not read the response), limit (idle, and closed for a new "
            "connection at the limit).",
            ["reason"],
            registry=registry,
        )
        # Every series exists from the start, so that a rate sees the first one.
        self.closed = {reason: closed.labels(reason) for reason in CLOSED_EARLY}
        self.refused = Counter(
            "wallet_http_connections_refused",
            "Connections refused at the limit: closed at once, or answered with 503 unless they check health.",
            registry=registry,
        )
        heads = Counter(
            "wallet_http_heads_refused",
            "Requests refused because of their head, by the problem's code: malformed_request (no HTTP, or without a "
            "usable Host), uri_too_long, headers_too_large.",
            ["code"],
            registry=registry,
        )
        self._heads_refused = {code: heads.labels(code) for code in HEADS_REFUSED}
        self._limit = Gauge(
            "wallet_http_connections_limit",
            "Connections that may be open at once, without those for health checks.",
            registry=registry,
        )
        self.accept_failures = Counter(
            "wallet_http_accept_failures",
            "Attempts to accept a connection that failed, because the process or the machine had no file handle left.",
            registry=registry,
        )

    def count_open(self, count: Callable[[], float], limit: int) -> None:
        """Take the number of open connections from this function; there may be ``limit``."""
        self._open.set_function(count)
        self._limit.set(limit)

    def refuse_head(self, code: str) -> None:
        """Count a request that was refused with this problem before it had a body, unless it was only late."""
        if code in self._heads_refused:
            self._heads_refused[code].inc()
