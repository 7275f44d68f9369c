"""What hooks are told. They are called where the call is made, and should be quick; nothing of theirs breaks a call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from wallet_client.errors import WalletError


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """A request leaves.

    Attributes:
        name: the call, such as ``consume``.
        method: as in HTTP.
        route: the path, without anybody's data.
        attempt: 1 for the first try.
    """

    name: str
    method: str
    route: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ResponseEvent(RequestEvent):
    """An answer came.

    Attributes:
        status: as in HTTP.
        duration_s: from the request to the end of the answer.
    """

    status: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class RetryEvent(RequestEvent):
    """A try failed, and the next will follow.

    Attributes:
        wait_s: how long until then.
        error: what the try ended with.
    """

    wait_s: float
    error: WalletError


OnRequest: TypeAlias = Callable[[RequestEvent], None]
OnResponse: TypeAlias = Callable[[ResponseEvent], None]
OnRetry: TypeAlias = Callable[[RetryEvent], None]
