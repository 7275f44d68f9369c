"""Refusals of heads: what is checked before there is a request."""

import re
from functools import lru_cache
from urllib.parse import unquote

import httptools
from uvicorn._types import HTTPScope

from wallet_service.core.errors import MalformedRequest
from wallet_service.platform.http_server import limits
from wallet_service.platform.http_server.problems import HeadersTooLarge, UriTooLong

_HOST = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?",
)
"""RFC 3986, with an optional port. It may be empty."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


@lru_cache(maxsize=256)
def is_host(value: bytes) -> bool:
    """Whether this is a value of the header Host. Cached, because callers send few different values."""
    return _HOST.fullmatch(value) is not None


def add_target(scope: HTTPScope, url: bytes, root_path: str) -> None:
    """Add path and query of a request line to the scope.

    Raises:
        HttpParserInvalidURLError, UnicodeDecodeError: it is neither a path nor a URL.
    """
    target = httptools.parse_url(url)
    raw_path = target.path or b"/"
    path = raw_path.decode("ascii")
    scope["path"] = root_path + (unquote(path) if "%" in path else path)
    scope["raw_path"] = root_path.encode("ascii") + raw_path
    scope["query_string"] = target.query or b""


def without_upgrade(data: bytes) -> bytes:
    """The start of a request, with its header Upgrade renamed.

    The service upgrades no connection, and RFC 9110 lets it ignore the header. But the parser would take the request as
    one without a body, and the body as the next request. Java's client sends the header by default (``h2c``).
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nX-Upgrade:", head) + end + body


def not_upgraded() -> MalformedRequest:
    """A request for an upgrade that can't be parsed again, because its head came in several packets; and CONNECT."""
    return MalformedRequest("The service upgrades no connection, and is no proxy")


def not_http(error: httptools.HttpParserError) -> MalformedRequest:
    """The parser's refusal. Its reason never has any of what was sent."""
    is_ours = isinstance(error, httptools.HttpParserCallbackError)
    reason = "its path can't be parsed" if is_ours else f"{error}".rstrip(".")
    return MalformedRequest(f"The request is not valid HTTP: {reason}")


def wrong_version(version: str) -> MalformedRequest:
    """Not 505: that counts as a fault of the service, and wakes its operator."""
    return MalformedRequest(f"The request is in HTTP/{version}. The service accepts HTTP/1.1 and HTTP/1.0")


def wrong_hosts(count: int) -> MalformedRequest:
    """None in HTTP/1.1, or several."""
    return MalformedRequest(f"The request has {count} headers Host. HTTP/1.1 requires one")


def not_a_host() -> MalformedRequest:
    """Not what RFC 9110 allows."""
    return MalformedRequest("The header Host is not a host with an optional port")


def target_too_long() -> UriTooLong:
    """Path and query."""
    limit = limits.TARGET_BYTES
    return UriTooLong(f"The path and query are longer than {limit} bytes", limit_bytes=limit)


def header_too_long(name: str) -> HeadersTooLarge:
    """A header that would be parsed."""
    limit = limits.PARSED_BYTES
    detail = f"The header {name} is longer than {limit} bytes"
    return HeadersTooLarge(detail, limit_bytes=limit, header=name)


def too_many_headers() -> HeadersTooLarge:
    """Their number."""
    return HeadersTooLarge(f"There are more than {limits.HEADERS} headers", limit=limits.HEADERS)


def head_too_large() -> HeadersTooLarge:
    """Everything before the body; also trailers after it."""
    limit = limits.HEAD_BYTES
    return HeadersTooLarge(f"The path and headers are larger than {limit} bytes", limit_bytes=limit)
