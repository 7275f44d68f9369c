"""The options of a client, and those that some of its calls can have for themselves."""

import math
import os
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypedDict

from wallet_client._call import is_header

if TYPE_CHECKING:
    from wallet_client.events import OnRequest, OnResponse, OnRetry


class CallOptions(TypedDict, total=False):
    """The options of ``client.with_options``.

    Attributes:
        timeout_s: seconds that an attempt may take; default 10. The wait for a free connection before it may take as long
            again. Both end with the call's budget. For an ``https`` service behind an ``https`` proxy
            (``HTTPS_PROXY=https://…``), a WalletClient (not an AsyncWalletClient) limits each wait for a part of the
            response's status line and headers, but not their sum.
        retry_budget_s: seconds that a call may take with all its attempts and waits; default 30.
        connect_budget_s: seconds that a call may take while none of its attempts has reached the service, since nothing
            listens at its address (or Consul knows no instance); default 3. After an attempt that reached it, only
            ``retry_budget_s`` counts.
        max_retries: attempts after the first; default 10.
    """

    timeout_s: float
    retry_budget_s: float
    connect_budget_s: float
    max_retries: int


class Options(CallOptions, total=False):
    """The options of both clients, besides the address, the key and the transport.

    Attributes:
        max_connections: the size of the connection pool, and so the number of requests at the same time; default 100.
        max_answer_bytes: the size of the largest response that is read; default 32 MiB.
        user_agent: sent before the package's own ``User-Agent``.
        on_request: a plain function, called before each attempt with a RequestEvent.
        on_response: a plain function, called after each response with a ResponseEvent.
        on_retry: a plain function, called before each wait with a RetryEvent.
    """

    max_connections: int
    max_answer_bytes: int
    user_agent: str
    on_request: "OnRequest"
    on_response: "OnResponse"
    on_retry: "OnRetry"


_OF_CALLS: Mapping[str, Any] = {
    "timeout_s": 10.0,
    "retry_budget_s": 30.0,
    "connect_budget_s": 3.0,
    "max_retries": 10,
}
_SECONDS = ("timeout_s", "retry_budget_s", "connect_budget_s")
_LEAST = {"max_retries": 0, "max_connections": 1, "max_answer_bytes": 1}
_HOOKS = ("on_request", "on_response", "on_retry")
_DEFAULTS: Mapping[str, Any] = {
    **_OF_CALLS,
    "max_connections": 100,
    "max_answer_bytes": 32 * 1024 * 1024,
    "user_agent": None,
    **dict.fromkeys(_HOOKS),
}


def options_of_client(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every option of a client; those that were not given have their defaults.

    Raises:
        TypeError: an option does not exist, or has the wrong type.
        ValueError: a value can't be used.
    """
    _check(given, _DEFAULTS)
    return {**_DEFAULTS, **given}


def check_options_of_calls(given: Mapping[str, Any]) -> None:
    """Refuse an option that does not exist for calls, or a value that can't be used, as ``options_of_client`` does."""
    _check(given, _OF_CALLS)


def from_environment(argument: str, variable: str) -> str:
    """The value of an environment variable, for an argument that was not given.

    Raises:
        ValueError: it is not set, or empty.
    """
    value = os.environ.get(variable)
    if not value:
        raise ValueError(f"{argument} is missing: give it, or set the environment variable {variable}")
    return value


def _check(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"there is no option {name}; the options are: {', '.join(known)}")
        if name in _HOOKS:
            check_plain_function(name, value)
        elif name == "user_agent":
            if not (isinstance(value, str) and is_header(value)):
                raise ValueError("user_agent is a text of printable ASCII without blanks around it")
        else:
            _check_number(name, value)


def _check_number(name: str, value: Any) -> None:
    kinds = (int, float) if name in _SECONDS else int
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(f"{name} is a number, not {type(value).__name__}")
    if name in _SECONDS:
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is more than 0 and finite, not {value}")
    elif value < _LEAST[name]:
        raise ValueError(f"{name} is {_LEAST[name]} or more, not {value}")


def check_plain_function(name: str, function: Any) -> None:
    """Refuse a callback that is not a plain function.

    Raises:
        TypeError: it can't be called, or it is a coroutine function, which would never be awaited.
    """
    if not callable(function):
        raise TypeError(f"{name} is a function, not {type(function).__name__}")
    if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        raise TypeError(f"{name} is a plain function: a coroutine function would never run")


def timeouts(longest_s: float, connect_s: float) -> dict[str, float]:
    """The timeouts of a request, as httpx takes them."""
    return {"connect": min(connect_s, longest_s), "read": longest_s, "write": longest_s, "pool": longest_s}
