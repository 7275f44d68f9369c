"""The events that hooks get. A hook runs where the call is made, so it should be quick; its errors are only logged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from wallet_client.errors import WalletError


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """An attempt is about to be sent.

    Attributes:
        name: the call, such as ``consume``.
        method: the HTTP method.
        route: the path before ids are filled in, so it holds no personal data.
        attempt: 1 for the first attempt.
    """

    name: str
    method: str
    route: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ResponseEvent(RequestEvent):
    """A response arrived.

    Attributes:
        status: the HTTP status.
        duration_s: seconds from the request to the end of the response.
    """

    status: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class RetryEvent(RequestEvent):
    """An attempt failed, and another one follows.

    Attributes:
        wait_s: seconds until the next attempt.
        error: with which the attempt ended.
    """

    wait_s: float
    error: WalletError


OnRequest: TypeAlias = Callable[[RequestEvent], None]
OnResponse: TypeAlias = Callable[[ResponseEvent], None]
OnRetry: TypeAlias = Callable[[RetryEvent], None]
