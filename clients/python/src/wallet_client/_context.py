"""What both clients are made of: all but the sending and the waiting."""

import copy
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from wallet_client import _tracing
from wallet_client._call import ROOT, is_header
from wallet_client._options import CallOptions, Options, check_options_of_calls, options_of_client, timeouts
from wallet_client._retries import RetryPolicy, RetryTokens
from wallet_client._version import __version__
from wallet_client.metrics import Metrics

if TYPE_CHECKING:
    from concurrent.futures import Future

E = TypeVar("E")

log = logging.getLogger("wallet_client")
log.addHandler(logging.NullHandler())


class Places(Protocol):
    """Where the service is."""

    def missing(self) -> bool:
        """Whether ``load`` has to be called before ``choose``."""
        ...

    def load(self) -> "Future[None]":
        """Begin to find out where it is, unless that is under way. Done when it is over, found or not."""
        ...

    def choose(self) -> str | None:
        """A base URL for the next try, without a slash at its end; None: nowhere."""
        ...

    def nowhere(self) -> tuple[str, Exception | None]:
        """Why ``choose`` gave none: in words that hold no secret, and what went wrong."""
        ...

    def failed(self, url: str) -> None:
        """Tell that it did not answer there."""
        ...

    def close(self) -> None:
        """Nobody will ask any more."""
        ...


class FixedPlace:
    """One base URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
            raise ValueError("base_url starts with http:// or https:// and names a host")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("base_url has no user, query or fragment; the key goes into api_key")
        if parts.path.rstrip("/").endswith(ROOT):
            raise ValueError(f"base_url ends before {ROOT}, which the client adds")
        try:
            httpx.URL(url)
            _ = parts.port
        except (ValueError, httpx.InvalidURL) as error:
            raise ValueError(f"base_url can't be used: {error}") from None
        self._url = url.rstrip("/")

    def missing(self) -> bool:
        """It is known."""
        return False

    def load(self) -> "Future[None]":
        """There is nothing to find out."""
        raise NotImplementedError  # asked for only where something is missing

    def choose(self) -> str:
        """The one."""
        return self._url

    def nowhere(self) -> tuple[str, Exception | None]:
        """It is always somewhere."""
        raise NotImplementedError  # asked for only where ``choose`` found nothing

    def failed(self, url: str) -> None:
        """There is no other."""

    def close(self) -> None:
        """There is nothing to close."""


class Core:
    """One client's configuration and counters; what the plan of each call is made of.

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
        self.tokens = RetryTokens()
        self._options = chosen = options_of_client(options)
        self._choose_for_calls()
        self.connections = connections = chosen["max_connections"]
        self.limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self.max_answer_bytes = chosen["max_answer_bytes"]
        agent = f"wallet-client/{__version__}"
        own = chosen["user_agent"]
        self.headers = (
            ("Authorization", f"Bearer {api_key}"),
            ("User-Agent", f"{own} {agent}" if own else agent),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
        )
        self.on_request = chosen["on_request"]
        self.on_response = chosen["on_response"]
        self.on_retry = chosen["on_retry"]
        self.tracing = _tracing.tracing()

    def _choose_for_calls(self) -> None:
        chosen: Any = self._options
        self.policy = RetryPolicy(max_retries=chosen["max_retries"], budget_s=chosen["retry_budget_s"])
        self.timeout_s: float = chosen["timeout_s"]
        self.timeouts = timeouts(self.timeout_s)

    def with_options(self, options: CallOptions) -> Self:
        """The same, places, counters and tokens included, with other options for its calls.

        Raises:
            TypeError, ValueError: one of them is none.
        """
        check_options_of_calls(options)
        made = copy.copy(self)
        made._options = {**self._options, **options}  # noqa: SLF001 - of its own class
        made._choose_for_calls()  # noqa: SLF001
        return made

    def tell(self, hook: Callable[[E], None], event: E) -> None:
        """Call a hook. What it raises is logged: an answer about money is not lost for it."""
        try:
            hook(event)
        except Exception:  # whatever the caller's own code raises
            log.exception("a hook failed: %s", type(event).__name__)
