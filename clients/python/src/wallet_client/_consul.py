"""Where the service's healthy instances are, as Consul says; the last answer is used while the next is fetched."""

import logging
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger("wallet_client")

ASIDE_S = 5.0
"""How long an instance that did not answer goes last; Consul needs about as long to see it."""

_LONGEST_S = 5.0

Fetch = Callable[[], list[str]]
"""Asks for the base URLs of the healthy instances. It may wait, and raises OSError, ValueError or LookupError."""


class Instances:
    """The base URLs of the instances, one after the other; those that failed lately only where there is no other.

    The first call asks where they are and waits for it; later, a thread asks again every ``refresh_s``, started by a
    call that finds the list to be old, so that no call waits and an idle client asks nothing. While Consul does not
    answer, or knows of no healthy instance, the last list is kept.
    """

    def __init__(self, fetch: Fetch, refresh_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._refresh_s = refresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._fetching = threading.Lock()
        self._urls: list[str] = []
        self._next = 0
        self._aside: dict[str, float] = {}
        self._fetch_after = 0.0

    def missing(self) -> bool:
        """Whether none is known."""
        return not self._urls

    def load(self) -> None:
        """Ask where they are, unless somebody else did meanwhile."""
        with self._fetching:
            if self.missing():
                self._refresh()

    def choose(self) -> str | None:
        """The next one; None: none is known."""
        now = self._clock()
        if self._urls and now >= self._fetch_after and self._fetching.acquire(blocking=False):
            threading.Thread(
                target=self._refresh_and_release, name="wallet-client-consul", daemon=True
            ).start()
        with self._lock:
            if not self._urls:
                return None
            self._next += 1
            start = self._next % len(self._urls)
            turn = self._urls[start:] + self._urls[:start]
            # The first that is not set aside, or else the one that was set aside first.
            return min(turn, key=lambda url: max(now, self._aside.get(url, now)))

    def failed(self, url: str) -> None:
        """Others go first for a while."""
        with self._lock:
            self._aside[url] = self._clock() + ASIDE_S

    def _refresh_and_release(self) -> None:
        try:
            self._refresh()
        finally:
            self._fetching.release()

    def _refresh(self) -> None:
        urls: list[str] = []
        try:
            urls = self._fetch()
        except (OSError, ValueError, LookupError) as error:
            log.warning("Consul does not say where the service is: %s", type(error).__name__)
        now = self._clock()
        with self._lock:
            self._fetch_after = now + self._refresh_s
            if urls:
                self._urls = urls
                self._aside = {
                    url: until for url, until in self._aside.items() if url in urls and until > now
                }


def instances(consul_url: str, service: str, scheme: str, token: str | None, refresh_s: float) -> Instances:
    """The instances of a service that Consul knows to be healthy.

    Raises:
        ImportError: the extra ``wallet-client[consul]`` is not installed.
        ValueError: the address can't be used.
    """
    at = urlsplit(consul_url)
    if at.scheme not in {"http", "https"} or at.hostname is None:
        raise ValueError("consul_url starts with http:// or https://")
    try:
        standard = import_module("consul.std")
        errors = import_module("consul.exceptions")
    except ImportError as error:
        raise ImportError("to find the service through Consul, install wallet-client[consul]") from error
    agent: Any = standard.Consul(
        at.hostname,
        at.port or (443 if at.scheme == "https" else 80),
        scheme=at.scheme,
        verify=True,
        connections_timeout=_LONGEST_S,
    )
    if token is not None:
        agent.token = token  # not by the constructor: CONSUL_HTTP_TOKEN would go before it

    def fetch() -> list[str]:
        try:
            _, entries = agent.health.service(service, passing=True)
        except errors.ConsulException as error:
            raise ConnectionError("Consul refused") from error
        return [_url(scheme, entry) for entry in entries]

    return Instances(fetch, refresh_s)


def _url(scheme: str, entry: dict[str, Any]) -> str:
    host = entry["Service"]["Address"] or entry["Node"]["Address"]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{entry['Service']['Port']}"
