"""Middleware of every request: request id, log line, security headers, and the response to a fault."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wallet_service.core.errors import InternalError, Unavailable
from wallet_service.core.identifiers import new_id
from wallet_service.platform.rate_limits.headers import HEADERS
from wallet_service.platform.web.cors import CORS_HEADERS
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.problems import PROBLEM_CODE, problem_response

_SAFE_ID = re.compile(rb"[A-Za-z0-9._~:+/=@-]{1,128}")

_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
"""As in W3C Trace Context: more may follow, but not in version 00. An invalid trace id is not logged."""

_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")

_EVENTS = b"text/event-stream"

_CLIENT_CLOSED = 499
"""Logged, never sent: the client closed the connection before the response."""

_CHECKED = (HTTPStatus.OK, HTTPStatus.NO_CONTENT)

_log = structlog.get_logger()


class RequestContext:
    """ASGI middleware around all others except ``RequestSpans``.

    Args:
        app: the next application.
        metrics: counts the requests.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics | None = None) -> None:
        self.app = app
        self._metrics = metrics or RequestMetrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, trace_id = _ids(scope)
        # A copy, because the principal is stored in it and must not reach another request.
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        response = _Response(send, request_id, scope["state"], self._stream_began)
        known = (
            {"request_id": request_id}
            if trace_id is None
            else {"request_id": request_id, "trace_id": trace_id}
        )
        tokens = structlog.contextvars.bind_contextvars(**known)
        self._metrics.in_flight += 1
        started = time.perf_counter()
        try:
            await self._serve(scope, receive, response)
        finally:
            ended = time.perf_counter()
            if response.streams_since is None:
                self._metrics.in_flight -= 1
            route = route_template(scope)
            # A stream of events has no end of its own: the metric has the time to its beginning, the log its whole time.
            self._metrics.record(
                route, scope["method"], response.status, (response.streams_since or ended) - started
            )
            _log_request(scope, route, response, ended - started)
            structlog.contextvars.reset_contextvars(**tokens)

    def _stream_began(self) -> None:
        self._metrics.in_flight -= 1

    async def _serve(self, scope: Scope, receive: Receive, response: "_Response") -> None:
        try:
            await self.app(scope, receive, response.send)
        except ClientDisconnect:
            response.status = _CLIENT_CLOSED
        except asyncio.CancelledError:
            # When the grace period of a stop is over, the server cancels requests, which is not a fault.
            if response.status is None:
                stopping = Unavailable("The service stopped before the request was done")
                await problem_response(stopping, response.request_id)(scope, receive, response.send)
            raise
        except Exception:  # every other error is a fault
            _log.exception("request_failed")
            if response.status is not None:
                raise  # too late for a problem: the server closes the connection, so the client sees it cut off
            await problem_response(InternalError(), response.request_id)(scope, receive, response.send)


class _Response:
    """Adds headers to a response, and keeps what the log line needs."""

    def __init__(
        self, send: Send, request_id: str, state: Mapping[str, Any], stream_began: Callable[[], None]
    ) -> None:
        self._send = send
        self._stream_began = stream_began
        self._state = state
        self.request_id = request_id
        self.status: int | None = None
        self.streams_since: float | None = None
        self.body_bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers: list[tuple[bytes, bytes]] = message["headers"]
            # As bytes: Starlette's MutableHeaders would search all headers for each, 1 to 2 % of a request.
            added = [(b"x-request-id", self.request_id.encode()), _NO_SNIFF]
            added += self._state.get(HEADERS, ())
            added += self._state.get(CORS_HEADERS, ())
            if b"cache-control" not in [name for name, _ in headers]:
                added.append(_NO_STORE)
            elif any(name == b"content-type" and value.startswith(_EVENTS) for name, value in headers):
                self.streams_since = time.perf_counter()
                self._stream_began()
            message["headers"] = [*headers, *added]
        elif message["type"] == "http.response.body":
            self.body_bytes += len(message.get("body", b""))
        await self._send(message)


def _ids(scope: Scope) -> tuple[str, str | None]:
    """The request id (the caller's if it is safe to log and send back, else a new one) and the caller's trace id."""
    given = parent = b""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = given or value
        elif name == b"traceparent":
            parent = parent or value
    request_id = given.decode() if _SAFE_ID.fullmatch(given) else new_id()
    trace = _TRACEPARENT.fullmatch(parent) if parent else None
    return request_id, trace[1].decode() if trace else None


def _log_request(scope: Scope, route: str | None, response: _Response, duration_s: float) -> None:
    principal = scope["state"].get("principal")
    # Load balancers check health every few seconds. Only a check that fails is logged at info.
    is_routine = (route or "").startswith("/health") and response.status in _CHECKED
    log = _log.debug if is_routine else _log.info
    log(
        "request",
        client=principal.log_name if principal else None,
        method=scope["method"],
        route=route,
        status=response.status,
        **({"code": code} if (code := scope["state"].get(PROBLEM_CODE)) else {}),
        duration_ms=round(duration_s * 1000, 3),
        response_bytes=response.body_bytes,
    )


def route_template(scope: Scope) -> str | None:
    """The template of the path, once the request was routed. The real path can have ids of users."""
    # For a router that is included with a prefix, only this context has the whole path.
    context: Any = scope.get("fastapi", {}).get("effective_route_context")
    route: Any = context or scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None)
