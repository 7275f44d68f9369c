"""What can be chosen when a client is made, and what of it call by call."""

import math
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypedDict

from wallet_client._call import is_header

if TYPE_CHECKING:
    from wallet_client.events import OnRequest, OnResponse, OnRetry


class CallOptions(TypedDict, total=False):
    """What ``client.with_options`` takes.

    Attributes:
        timeout_s: how long a try may take, its wait for a connection apart, which may take as long again; default 10.
            It never goes beyond the call's budget. For an ``https`` service behind a proxy that is itself spoken to
            by TLS (``HTTPS_PROXY=https://…``), a WalletClient (not an AsyncWalletClient) bounds each wait for a part
            of the answer's status line and headers, not their sum.
        retry_budget_s: how long a call may take with all its tries and waits; default 30.
        max_retries: tries after the first; default 10.
    """

    timeout_s: float
    retry_budget_s: float
    max_retries: int


class Options(CallOptions, total=False):
    """What both clients take beside where the service is and how to call it.

    Attributes:
        max_connections: of the pool, and so requests at the same time; default 100.
        max_answer_bytes: the largest answer that is read; default 32 MiB.
        user_agent: said before the package's own.
        on_request: a plain function, told before each try.
        on_response: the same, told after each answer.
        on_retry: the same, told before each wait.
    """

    max_connections: int
    max_answer_bytes: int
    user_agent: str
    on_request: "OnRequest"
    on_response: "OnResponse"
    on_retry: "OnRetry"


_OF_CALLS: Mapping[str, Any] = {"timeout_s": 10.0, "retry_budget_s": 30.0, "max_retries": 10}
_SECONDS = ("timeout_s", "retry_budget_s")
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
    """Every option of a client, those that were not given with their defaults.

    Raises:
        TypeError: an option that there is not, or not of its kind.
        ValueError: a number that is not one of its kind.
    """
    _check(given, _DEFAULTS)
    return {**_DEFAULTS, **given}


def check_options_of_calls(given: Mapping[str, Any]) -> None:
    """Refuse what is no option of a call, as ``options_of_client`` does."""
    _check(given, _OF_CALLS)


def _check(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"{name} is no option; there are: {', '.join(known)}")
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
    """Refuse what nobody would await.

    Raises:
        TypeError: it can't be called, or is a coroutine function.
    """
    if not callable(function):
        raise TypeError(f"{name} is a function, not {type(function).__name__}")
    if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        raise TypeError(f"{name} is a plain function: a coroutine function would never run")


def timeouts(longest_s: float) -> dict[str, float]:
    """As the transport takes them."""
    return {"connect": longest_s, "read": longest_s, "write": longest_s, "pool": longest_s}
