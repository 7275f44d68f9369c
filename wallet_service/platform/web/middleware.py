"""Around every request: its id, its line in the log, security headers, and the answer to a fault of ours."""

import asyncio
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wallet_service.core.errors import InternalError, Unavailable
from wallet_service.core.identifiers import new_id
from wallet_service.platform.rate_limits.limiter import HEADERS
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.problems import problem_response

_SAFE_ID = re.compile(rb"[A-Za-z0-9._~:+/=@-]{1,128}")

_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
"""As W3C's Trace Context has it: more may follow, but not in version 00. What is no id of a trace is not logged."""

_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")

_CLIENT_GONE = 499
"""Logged, never sent: the client closed the connection before its answer."""

_log = structlog.get_logger()


class RequestContext:
    """Pure ASGI, the outermost of ours, but for a trace's.

    Args:
        app: what it is around.
        metrics: counts the requests.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics | None = None) -> None:
        self.app = app
        self._metrics = metrics or RequestMetrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within its context."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, trace_id = _ids(scope)
        # A copy, whatever the server does: the caller is kept in it, and is nobody else's.
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        answer = _Answer(send, request_id, scope["state"])
        known = (
            {"request_id": request_id}
            if trace_id is None
            else {"request_id": request_id, "trace_id": trace_id}
        )
        tokens = structlog.contextvars.bind_contextvars(**known)
        self._metrics.in_flight += 1
        started = time.perf_counter()
        try:
            await self._serve(scope, receive, answer)
        finally:
            duration_s = time.perf_counter() - started
            self._metrics.in_flight -= 1
            route = route_template(scope)
            self._metrics.answered(route, scope["method"], answer.status, duration_s)
            _log_request(scope, route, answer, duration_s)
            structlog.contextvars.reset_contextvars(**tokens)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self.app(scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = _CLIENT_GONE
        except asyncio.CancelledError:
            # So the server ends what is left when the grace of a stop is over, and would call it a fault.
            if answer.status is None:
                stopping = Unavailable("The service stopped before the request was done")
                await problem_response(stopping, answer.request_id)(scope, receive, answer.send)
            raise
        except Exception:  # whatever it was is logged, and answered as a fault of ours
            _log.exception("request_failed")
            if answer.status is not None:
                raise  # too late for another answer; the server closes the connection, so it reads as cut off
            await problem_response(InternalError(), answer.request_id)(scope, receive, answer.send)


class _Answer:
    """Adds the headers on the way out, and remembers what the log says of the answer."""

    def __init__(self, send: Send, request_id: str, state: Mapping[str, Any]) -> None:
        self._send = send
        self._state = state
        self.request_id = request_id
        self.status: int | None = None
        self.body_bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers: list[tuple[bytes, bytes]] = message["headers"]
            # As bytes: Starlette's MutableHeaders looks through all of them for each, 1 to 2 % of a request.
            added = [(b"x-request-id", self.request_id.encode()), _NO_SNIFF, *self._state.get(HEADERS, ())]
            if all(name != b"cache-control" for name, _ in headers):
                added.append(_NO_STORE)
            message["headers"] = [*headers, *added]
        elif message["type"] == "http.response.body":
            self.body_bytes += len(message.get("body", b""))
        await self._send(message)


def _ids(scope: Scope) -> tuple[str, str | None]:
    """The caller's id of the request when it is safe to log and to send back, or a new one; their trace's, if any."""
    given = parent = b""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = given or value
        elif name == b"traceparent":
            parent = parent or value
    request_id = given.decode() if _SAFE_ID.fullmatch(given) else new_id()
    trace = _TRACEPARENT.fullmatch(parent) if parent else None
    return request_id, trace[1].decode() if trace else None


def _log_request(scope: Scope, route: str | None, answer: _Answer, duration_s: float) -> None:
    principal = scope["state"].get("principal")
    # Each balancer asks for it every few seconds; a check that fails is worth a line.
    is_routine = (route or "").startswith("/health") and answer.status == HTTPStatus.OK
    log = _log.debug if is_routine else _log.info
    log(
        "request",
        client=principal.log_name if principal else None,
        method=scope["method"],
        route=route,
        status=answer.status,
        duration_ms=round(duration_s * 1000, 3),
        response_bytes=answer.body_bytes,
    )


def route_template(scope: Scope) -> str | None:
    """The path as it was declared, once it was served: a real one can hold the id of a person."""
    # Of a router that is included with a prefix, only this context knows the whole path.
    context: Any = scope.get("fastapi", {}).get("effective_route_context")
    route: Any = context or scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None)
