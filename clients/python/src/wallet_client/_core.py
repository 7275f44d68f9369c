"""What both clients are made of: all but the sending and the waiting."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypedDict, TypeVar
from urllib.parse import urlsplit

import httpx

from wallet_client import _telemetry
from wallet_client._call import Call, is_header
from wallet_client._plan import Plan, timeouts
from wallet_client._retries import RetryPolicy
from wallet_client._version import __version__
from wallet_client.metrics import Metrics

if TYPE_CHECKING:
    from wallet_client.events import OnRequest, OnResponse, OnRetry

T = TypeVar("T")
E = TypeVar("E")

log = logging.getLogger("wallet_client")
log.addHandler(logging.NullHandler())


class Options(TypedDict, total=False):
    """What both clients take beside where the service is and how to call it.

    Attributes:
        timeout_s: for a connection, and for each wait for a part of an answer; default 10. A call's budget bounds it.
        retry_budget_s: how long a call may take with all its tries; default 30.
        max_retries: tries after the first; default 10.
        max_connections: of the pool; default 100.
        max_answer_bytes: the largest answer that is read; default 32 MiB.
        user_agent: said before the package's own.
        on_request: told before each try.
        on_response: told after each answer.
        on_retry: told before each wait.
    """

    timeout_s: float
    retry_budget_s: float
    max_retries: int
    max_connections: int
    max_answer_bytes: int
    user_agent: str
    on_request: "OnRequest"
    on_response: "OnResponse"
    on_retry: "OnRetry"


class Places(Protocol):
    """Where the service is."""

    def missing(self) -> bool:
        """Whether ``load`` has to be called before ``choose``."""
        ...

    def load(self) -> None:
        """Find out where it is. It may wait."""
        ...

    def choose(self) -> str | None:
        """A base URL for the next try, without a slash at its end; None: nowhere."""
        ...

    def failed(self, url: str) -> None:
        """Tell that it did not answer there."""
        ...


class FixedPlace:
    """One base URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("base_url starts with http:// or https:// and names a host")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("base_url has no user, query or fragment; the key goes into api_key")
        self._url = url.rstrip("/")

    def missing(self) -> bool:
        """It is known."""
        return False

    def load(self) -> None:
        """There is nothing to find out."""

    def choose(self) -> str:
        """The one."""
        return self._url

    def failed(self, url: str) -> None:
        """There is no other."""


class Core:
    """One client's configuration and counters; makes the plan of each call.

    Attributes:
        clock: seconds that never go back.
    """

    def __init__(
        self, places: Places, api_key: str, options: Options, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not is_header(api_key):
            raise ValueError("api_key is a text of printable ASCII without blanks around it")
        self.places = places
        self.clock = clock
        self.metrics = Metrics()
        self.policy = RetryPolicy(
            max_retries=options.get("max_retries", 10),
            budget_s=options.get("retry_budget_s", 30.0),
        )
        self.timeout_s = options.get("timeout_s", 10.0)
        connections = options.get("max_connections", 100)
        self.limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self.max_answer_bytes = options.get("max_answer_bytes", 32 * 1024 * 1024)
        self.timeouts = timeouts(self.timeout_s)
        agent = f"wallet-client/{__version__}"
        own = options.get("user_agent")
        self.headers = (
            ("Authorization", f"Bearer {api_key}"),
            ("User-Agent", f"{own} {agent}" if own else agent),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
        )
        self.on_request = options.get("on_request")
        self.on_response = options.get("on_response")
        self.on_retry = options.get("on_retry")
        self.tracing = _telemetry.tracing()

    def plan(self, call: Call[T]) -> Plan[T]:
        """The tries of a call.

        Raises:
            ValueError: its idempotency key can't be sent.
        """
        return Plan(self, call)

    def tell(self, hook: Callable[[E], None], event: E) -> None:
        """Call a hook. What it raises is logged: an answer about money is not lost for it."""
        try:
            hook(event)
        except Exception:
            log.exception("a hook failed: %s", type(event).__name__)
