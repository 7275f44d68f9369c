"""Metrics of files."""

from prometheus_client import CollectorRegistry, Counter


class FilesMetrics:
    """Counts uploads, and bytes in both directions."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._uploads = Counter(
            "wallet_files_uploads",
            "Uploads by outcome: stored, replayed, or the code of the problem; disconnected (the client closed the "
            "connection), failed (a fault of this service).",
            ["outcome"],
            registry=registry,
        )
        self._bytes = Counter(
            "wallet_files_bytes",
            "Bytes of files that were written to the database, and read from it.",
            ["direction"],
            registry=registry,
        )
        for direction in ("written", "read"):
            self._bytes.labels(direction)

    def uploaded(self, outcome: str) -> None:
        """Count an upload."""
        self._uploads.labels(outcome).inc()

    def written(self, size: int) -> None:
        """Count bytes that were written."""
        self._bytes.labels("written").inc(size)

    def read(self, size: int) -> None:
        """Count bytes that were read."""
        self._bytes.labels("read").inc(size)
