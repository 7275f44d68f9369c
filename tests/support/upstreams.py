"""Clients of upstream services on addresses that a test chooses."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from wallet_service.platform.upstreams.client import UpstreamClient
from wallet_service.platform.upstreams.discovery import ACCOUNT, NoInstance


class ListedInstances:
    """Discovery for tests: returns its addresses in turn and records those that failed."""

    def __init__(self, *urls: str) -> None:
        self.urls = list(urls)
        self.failures: list[tuple[str, str]] = []
        self._next = 0

    def instance(self, service: str) -> str:
        if not self.urls:
            raise NoInstance(service)
        self._next += 1
        return self.urls[(self._next - 1) % len(self.urls)]

    def failed(self, service: str, url: str) -> None:
        self.failures.append((service, url))


class ManualClock:
    """A clock in seconds that stands still until a test sets it."""

    value = 50_000.0

    def __call__(self) -> float:
        return self.value


@asynccontextmanager
async def account_client(
    instances: ListedInstances,
    clock: Callable[[], float] | None = None,
    timeout_s: float = 5.0,
    **watched: Any,
) -> AsyncIterator[UpstreamClient]:
    """A client of the account service on these instances; ``watched``: its metrics and spans."""
    client = UpstreamClient(ACCOUNT, instances, timeout_s=timeout_s, clock=clock or ManualClock(), **watched)
    try:
        yield client
    finally:
        await client.close()
