"""Metrics of events."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class EventsMetrics:
    """Counts events and streams, and shows what waits for a number.

    Attributes:
        waiting: calls whose events wait for their numbers.
        oldest_s: the age of the oldest of them, in seconds.
        streams: open streams.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._numbered = Counter(
            "wallet_events_numbered", "Events that this instance has given their numbers.", registry=registry
        )
        self._streamed = Counter(
            "wallet_events_streamed", "Events that were sent to open streams.", registry=registry
        )
        self.waiting = Gauge(
            "wallet_events_outbox_rows",
            "Calls whose events wait for their numbers, at most 10,000; counted every 10 s.",
            registry=registry,
        )
        self.oldest_s = Gauge(
            "wallet_events_outbox_oldest_seconds",
            "How long the oldest event has waited for its number; 0 if none waits.",
            registry=registry,
        )
        self.streams = Gauge("wallet_events_streams", "Open streams of events.", registry=registry)

    def numbered(self, events: int) -> None:
        """Count events that got their numbers."""
        self._numbered.inc(events)

    def streamed(self, events: int) -> None:
        """Count events that were sent to a stream."""
        self._streamed.inc(events)
