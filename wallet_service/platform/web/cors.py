"""Cross-origin requests of browsers, from the pages of origins that the settings name (CORS).

Starlette's middleware is not used: it is either outside of the request context, so that preflights have no log line and
no request id, or inside of it, so that a page can't read the problem of a fault. Its refusals are not problems.
"""

from collections.abc import Collection
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

CORS_HEADERS = "cors_headers"
"""The member of a request's state with the headers of its response; ``RequestContext`` sends them, also with a fault."""

_VARY = (b"vary", b"Origin")
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_EXPOSED = (
    b"ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    b"X-Request-Id"
)
_MAX_AGE_S = 7200
"""How long a browser may keep the result of a preflight; Chromium keeps none longer."""


class Cors:
    """ASGI middleware: lets pages of the given origins send requests and read the responses.

    No response allows credentials in the sense of browsers: cookies are never sent and never read. A page sends a
    user's token in the header ``Authorization``. For any other origin the responses say nothing, so that the browser
    refuses the page; the same holds for a preflight, which is OPTIONS and is answered by the routes.

    Args:
        app: the next application; ``RequestContext`` is outside.
        origins: such as ``https://app.example.com``; compared exactly.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or answer the preflight."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: dict[str, Any] = scope["state"]
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin not in self._origins:
            state[CORS_HEADERS] = (_VARY,)
            await self.app(scope, receive, send)
            return
        state[CORS_HEADERS] = (
            _VARY,
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
        )
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await _preflight(headers)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _preflight(headers: dict[bytes, bytes]) -> Response:
    # The requested headers are allowed whatever they are: without cookies they carry no rights but the page's own.
    allowed = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Max-Age": str(_MAX_AGE_S),
    }
    if requested := headers.get(b"access-control-request-headers"):
        allowed["Access-Control-Allow-Headers"] = requested.decode("latin-1")
    return Response(status_code=204, headers=allowed)
