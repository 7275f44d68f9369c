"""Finds the healthy instances of the service through Consul. The last list is used while the next one is fetched."""

import logging
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wallet_client._endpoints import NoEndpoint
from wallet_client._forks import renew_after_fork

if TYPE_CHECKING:
    from concurrent.futures import Future

log = logging.getLogger("wallet_client")

ASIDE_S = 5.0
"""How long an instance that did not respond is used last; Consul needs about as long to notice it."""

_LONGEST_S = 5.0

Fetch = Callable[[], list[str]]
"""Fetches the base URLs of the healthy instances. It may wait, and raises OSError, ValueError or LookupError."""


class Instances:
    """The base URLs of the instances, in turn; those that failed recently only if there is no other.

    The first call waits until a thread has fetched the list. Later, a call that finds the list older than ``refresh_s``
    starts a thread that fetches it again, so no call waits, and an idle client sends nothing. While Consul does not
    respond, or knows no healthy instance, the last list is kept.
    """

    def __init__(
        self,
        fetch: Fetch,
        refresh_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        service: str,
        consul: str,
        close: Callable[[], None] | None = None,
        reconnect: Callable[[], None] | None = None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            fetch: gets the list from Consul.
            refresh_s: seconds after which the list is fetched again.
            clock: seconds that never go back.
            service: the service's name, for error messages.
            consul: Consul's address, for error messages.
            close: closes the connections to Consul.
            reconnect: gives up the connections to Consul without closing them, since they belong to another process.
        """
        self._fetch = fetch
        self._refresh_s = refresh_s
        self._clock = clock
        self._service = service
        self._consul = consul
        self._close = close
        self._reconnect = reconnect
        self._lock = threading.Lock()
        self._fetching: Future[None] | None = None
        self._urls: list[str] = []
        self._next = 0
        self._aside: dict[str, float] = {}
        self._fetch_after = 0.0
        self._failure: Exception | None = TimeoutError("Consul has not responded yet")
        renew_after_fork(self, Instances._renew_in_child)

    def must_load(self) -> bool:
        """Whether no instance is known."""
        return not self._urls

    def load(self) -> "Future[None]":
        """Start to fetch the list, unless that is running. The future is done when the fetch ends, also if it failed."""
        from concurrent.futures import Future  # noqa: PLC0415 - needed only with Consul

        with self._lock:
            if self._fetching is not None:
                return self._fetching
            self._fetching = fetching = Future[None]()
            fetching.set_running_or_notify_cancel()  # so that no waiting call can cancel it for the others
        thread = threading.Thread(
            target=self._refresh, args=(fetching,), name="wallet-client-consul", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # no threads left, or the interpreter ends
            log.warning("no thread to fetch from Consul: %s", error)
            self._fetched(fetching, [], error)
        return fetching

    def choose(self) -> str:
        """The next instance.

        Raises:
            NoEndpoint: no instance is known.
        """
        now = self._clock()
        if self._urls and now >= self._fetch_after:
            self.load()
        with self._lock:
            if not self._urls:
                raise self._no_instance()
            self._next += 1
            start = self._next % len(self._urls)
            turn = self._urls[start:] + self._urls[:start]
            # The first that did not fail recently, or else the one whose failure is the oldest.
            return min(turn, key=lambda url: max(now, self._aside.get(url, now)))

    def failed(self, url: str) -> None:
        """Use the other instances first for a while."""
        with self._lock:
            self._aside[url] = self._clock() + ASIDE_S

    def close(self) -> None:
        """Close the connections to Consul."""
        if self._close is not None:
            self._close()

    def _renew_in_child(self) -> None:
        """The thread that fetches exists only in the parent, and so do the threads that may hold the lock."""
        self._lock = threading.Lock()
        self._fetching = None
        if self._reconnect is not None:
            self._reconnect()

    def _no_instance(self) -> NoEndpoint:
        """Why no instance is known; the cause is the error of the last fetch, None: Consul responded, and knows none."""
        consul, service, failure = self._consul, self._service, self._failure
        if failure is None:
            return NoEndpoint(f"Consul at {consul} knows no healthy instance of the service {service!r}")
        kind = type(failure.__cause__ or failure).__name__  # the cause is py-consul's error, if it is one
        made = NoEndpoint(f"Consul at {consul} returned no list of the service {service!r} ({kind})")
        made.__cause__ = failure
        return made

    def _refresh(self, fetching: "Future[None]") -> None:
        urls: list[str] = []
        failure = self._failure
        try:
            urls = self._fetch()
            failure = None
        except (OSError, ValueError, LookupError) as error:
            log.warning("Consul returned no list of instances: %s", type(error).__name__)
            failure = error
        finally:
            self._fetched(fetching, urls, failure)

    def _fetched(self, fetching: "Future[None]", urls: list[str], failure: Exception | None) -> None:
        now = self._clock()
        with self._lock:
            self._fetching = None
            self._failure = failure
            self._fetch_after = now + self._refresh_s
            if urls:
                self._urls = urls
                self._aside = {
                    url: until for url, until in self._aside.items() if url in urls and until > now
                }
        fetching.set_result(None)


def instances(consul_url: str, service: str, scheme: str, token: str | None, refresh_s: float) -> Instances:
    """The instances of a service that are healthy according to Consul.

    Raises:
        ImportError: py-consul (the extra ``consul``) is not installed.
        ValueError: the address can't be used.
    """
    at = urlsplit(consul_url)
    if at.scheme not in {"http", "https"} or at.hostname is None:
        raise ValueError("consul_url starts with http:// or https://")
    try:
        standard = import_module("consul.std")
        errors = import_module("consul.exceptions")
    except ImportError as error:
        raise ImportError(
            "to find the service through Consul, install py-consul (the extra consul)"
        ) from error
    port = at.port or (443 if at.scheme == "https" else 80)

    def connect() -> Any:
        agent: Any = standard.Consul(
            at.hostname,
            port,
            scheme=at.scheme,
            verify=True,
            connections_timeout=_LONGEST_S,
        )
        if token is not None:
            agent.token = token  # set here, since in the constructor CONSUL_HTTP_TOKEN would take precedence
        return agent

    agents = [connect()]  # the last one is used

    def close() -> None:
        agents[-1].http.session.close()

    def fetch() -> list[str]:
        try:
            _, entries = agents[-1].health.service(service, passing=True)
        except errors.ConsulException as error:
            raise ConnectionError("Consul refused") from error
        return [
            _url(scheme, each["Service"]["Address"] or each["Node"]["Address"], each["Service"]["Port"])
            for each in entries
        ]

    return Instances(
        fetch,
        refresh_s,
        service=service,
        consul=_url(at.scheme, at.hostname, port),
        close=close,
        reconnect=lambda: agents.append(connect()),
    )


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
