"""Metrics of events."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class EventsMetrics:
    """Counts events and streams, and shows what waits for a number.

    Args:
        registry: None for one of its own.
        types: of changes, so that each has a series from the start.

    Attributes:
        waiting: calls whose events wait for their numbers.
        oldest_s: the age of the oldest of them, in seconds.
        streams: open streams.
    """

    def __init__(self, registry: CollectorRegistry | None = None, types: Iterable[str] = ()) -> None:
        registry = registry or CollectorRegistry()
        self._numbered = Counter(
            "wallet_events_numbered", "Events that this instance has given their numbers.", registry=registry
        )
        self._changes = Counter(
            "wallet_changes",
            "Changes by the type of their event, such as grant.expired or balance.low; each is counted once, by the "
            "instance that gives the event its number. Entries of the ledger are in wallet_postings_total.",
            ["type"],
            registry=registry,
        )
        for name in types:
            self._changes.labels(name)
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

    def numbered(self, events: int, changes: Mapping[str, int]) -> None:
        """Count events that got their numbers, and the changes among them by type."""
        self._numbered.inc(events)
        for name, count in changes.items():
            self._changes.labels(name).inc(count)

    def streamed(self, events: int) -> None:
        """Count events that were sent to a stream."""
        self._streamed.inc(events)
