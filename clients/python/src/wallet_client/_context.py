"""What all calls of one client share: options, headers, counters, retry tokens and tracing. Nothing here does I/O."""

import copy
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from wallet_client import _tracing
from wallet_client._call import is_header
from wallet_client._endpoints import Discovery, Endpoints, FixedEndpoint
from wallet_client._options import CallOptions, Options, check_options_of_calls, options_of_client, timeouts
from wallet_client._retries import RetryPolicy, RetryTokens
from wallet_client._version import __version__
from wallet_client.errors import TransportNotUsable
from wallet_client.metrics import Metrics

if TYPE_CHECKING:
    from wallet_client.events import OnRequest, OnResponse, OnRetry

E = TypeVar("E")

log = logging.getLogger("wallet_client")
log.addHandler(logging.NullHandler())


class Context:
    """The options, counters and headers of one client, and the address of its service.

    Attributes:
        clock: seconds that never go back.
        discovery: the endpoints, if they have to be found first.
    """

    def __init__(
        self,
        endpoints: FixedEndpoint | Discovery,
        api_key: str,
        options: Options,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_header(api_key):
            raise ValueError(
                "api_key (or WALLET_API_KEY) is a text of printable ASCII without blanks around it"
            )
        self.endpoints: Endpoints = endpoints
        self.discovery: Discovery | None = None if isinstance(endpoints, FixedEndpoint) else endpoints
        self.clock = clock
        self.metrics: Metrics = Metrics()
        self.tokens: RetryTokens = RetryTokens()
        self._options = chosen = options_of_client(options)
        self._apply_call_options()
        self.connections: int = chosen["max_connections"]
        self.limits: httpx.Limits = httpx.Limits(
            max_connections=self.connections, max_keepalive_connections=self.connections
        )
        self.max_answer_bytes: int = chosen["max_answer_bytes"]
        agent = f"wallet-client/{__version__}"
        own = chosen["user_agent"]
        self.headers: tuple[tuple[str, str], ...] = (
            ("Authorization", f"Bearer {api_key}"),
            ("User-Agent", f"{own} {agent}" if own else agent),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
        )
        self.on_request: OnRequest | None = chosen["on_request"]
        self.on_response: OnResponse | None = chosen["on_response"]
        self.on_retry: OnRetry | None = chosen["on_retry"]
        self.tracing: _tracing.Tracing | None = _tracing.tracing()

    def _apply_call_options(self) -> None:
        chosen: Any = self._options
        self.policy: RetryPolicy = RetryPolicy(
            max_retries=chosen["max_retries"],
            budget_s=chosen["retry_budget_s"],
            connect_budget_s=chosen["connect_budget_s"],
        )
        self.timeout_s: float = chosen["timeout_s"]
        self.timeouts: dict[str, float] = timeouts(self.timeout_s, self.policy.connect_budget_s)

    def with_options(self, options: CallOptions) -> Self:
        """The same context with other options for its calls; endpoints, counters and tokens are shared.

        Raises:
            TypeError, ValueError: an option does not exist, or its value can't be used.
        """
        check_options_of_calls(options)
        made = copy.copy(self)
        made._options = {**self._options, **options}  # noqa: SLF001 - of its own class
        made._apply_call_options()  # noqa: SLF001
        return made

    def call_hook(self, hook: Callable[[E], None], event: E) -> None:
        """Call a hook. An exception of the hook is logged, so that a response about money is not lost."""
        try:
            hook(event)
        except Exception:  # any error of the caller's own code
            log.exception("a hook failed: %s", type(event).__name__)


def is_shareable(transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None) -> bool:
    """Whether any event loop and any process may use it: it has no connections. None: the client has its own for each."""
    return (
        transport is None
        or isinstance(transport, httpx.MockTransport)
        or getattr(transport, "has_no_connections", False)
    )


def transport_not_usable(place: str) -> TransportNotUsable:
    """The error for a transport that was used elsewhere before."""
    return TransportNotUsable(
        f"the client's transport belongs to another {place}, and nothing was sent: create a client in this {place}, or "
        "leave out `transport`"
    )
