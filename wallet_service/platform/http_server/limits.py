"""The limits of a connection and of the heads that it sends."""

from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 65_536
"""Request line and headers together."""

TARGET_BYTES: Final = 8_192
"""Path and query. RFC 9112 recommends to accept at least 8,000."""

HEADERS: Final = 100

PARSED_BYTES: Final = 256
"""A header that is parsed. Parsers of media types take time that grows with the square of the length."""

PARSED: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"if-match",
        b"if-none-match",
        b"range",
        b"traceparent",
        b"transfer-encoding",
    }
)
"""Headers that the service, its framework or its parser takes apart. Credentials and keys have limits of their own."""

BODY_BYTES_PER_S: Final = 10_000
"""A body that arrives at this rate has all the time it needs."""

LINGER_BYTES: Final = 67_108_864
"""How much of a refused body is read and dropped, so that its sender receives the response."""

HEAD_LINGER_BYTES: Final = 4_194_304
"""How much is read and dropped after a refused head."""

LINGER_S: Final = 30.0
"""For how long it is read."""

LINGER_IDLE_S: Final = 5.0
"""For how long it is waited for when nothing arrives."""

SEND_S: Final = 60.0
"""After so long without progress, a client that does not read its response is disconnected."""

STOP_S: Final = 1.0
"""How long a stop waits for the rest of a body, and for the client's end of a connection."""

HEALTH_CONNECTIONS: Final = 16
"""Connections above the limit, for health checks."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a connection may spend in a phase.

    Attributes:
        idle_s: without a request, also before the first one.
        head_s: from the first byte of a request to the end of its headers.
        body_s: from there to the end of the body, apart from the time that its bytes earn.
    """

    idle_s: float
    head_s: float
    body_s: float
