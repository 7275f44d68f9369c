"""The head of a request, read strictly: path, query and headers are the text that they claim to be, or it is refused.

Servers and frameworks decode leniently. Bytes that are not UTF-8 become U+FFFD, so two paths that differ would name the
same user, and an encoded slash (``%2F``) becomes a slash that separates segments, so an id could reach another route.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from wallet_service.core.errors import MalformedRequest, ValidationFailed, WalletError
from wallet_service.platform.web.problems import problem_response

_SLASH = "\0"
"""Stands for an encoded slash while the request is routed. A path with a real U+0000 is refused."""

_ENCODED = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*+")
"""Printable ASCII, in which each ``%`` begins an encoded byte."""

_HEADERS = frozenset({b"accept", b"content-encoding", b"content-type", b"idempotency-key", b"if-match"})
"""The headers that are read as text. Credentials are compared as bytes, and a request id that is not safe is replaced.
Others, such as those that proxies add, are not read, so they may have any bytes."""


class StrictHead:
    """ASGI middleware: refuses a head that is not text, and keeps encoded slashes in their segments."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it before it is routed."""
        if scope["type"] == "http":
            try:
                _read(scope)
            except WalletError as refusal:
                request_id = scope.get("state", {}).get("request_id")
                await problem_response(refusal, request_id)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def path_params(scope: Scope) -> dict[str, Any]:
    """The parameters of the path after routing, with their slashes."""
    params: dict[str, Any] = scope["path_params"]
    if _SLASH not in scope["path"]:
        return params
    return {name: text.replace(_SLASH, "/") for name, text in params.items()}


def _read(scope: Scope) -> None:
    # Most paths and queries have no encoded byte, and headers are ASCII, so that this costs a request a microsecond.
    path: bytes | None = scope.get("raw_path")
    if path is not None and (b"%" in path or not path.isascii()):
        scope["path"] = _path(path)
    elif _SLASH in scope["path"]:  # from a server that does not pass the path as it was sent
        raise _nul("path")
    query: bytes = scope["query_string"]
    if b"%" in query or not query.isascii():
        _text(query, "query")
    for name, value in scope["headers"]:
        if not value.isascii() and name in _HEADERS:
            _utf8(value, f"header {name.decode().title()}")


def _path(path: bytes) -> str:
    if b"%2f" not in path.lower():
        return _text(path, "path")
    return "/".join(_text(segment, "path").replace("/", _SLASH) for segment in path.split(b"/"))


def _text(encoded: bytes, place: str) -> str:
    if not _ENCODED.fullmatch(encoded):
        raise MalformedRequest(
            f"The {place} is not percent-encoded: each character that is not ASCII, and each % that is meant as such, "
            "must be sent as % and two hexadecimal digits for each of its bytes in UTF-8"
        )
    text = _utf8(unquote_to_bytes(encoded), place)
    if "\0" in text:
        raise _nul(place)
    return text


def _utf8(data: bytes, place: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The {place} is not text in UTF-8") from error


def _nul(place: str) -> ValidationFailed:
    detail = f"The {place} contains U+0000"
    error = {"in": place, "pointer": "", "detail": detail, "code": "text_not_storable"}
    return ValidationFailed(detail, errors=[error])
