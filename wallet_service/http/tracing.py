"""A span for each request, in the trace of whoever sent it; and the log's lines name both."""

import random
from collections.abc import Sequence

from opentelemetry import context, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, WrappedLogger

from wallet_service.http.middleware import route_template
from wallet_service.spans import current, mark_failed

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
_OUR_FAULTS = 500

_Headers = Sequence[tuple[bytes, bytes]]

_PROPAGATOR = TraceContextTextMapPropagator()


class RequestSpans:
    """Pure ASGI, around everything else.

    Args:
        app: what it is around.
        tracer: makes the spans.
        part: of the requests whose trace begins here, those that get a span. Which is decided before anything is made:
            the SDK's own sampler costs a tenth of a request, and says no to most.

    FastAPI's own telemetry does nearly the same, but puts the path and the query into the span, in which a user's id
    can stand; here it is the route's template alone.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer, part: float = 1.0) -> None:
        self.app = app
        self._tracer = tracer
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within its span."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers: _Headers = scope["headers"]
        if random.random() >= self._part and all(name != b"traceparent" for name, _ in headers):  # noqa: S311 - a sample
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        known = _PROPAGATOR.extract(headers, getter=_GETTER)
        attributes = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        span = self._tracer.start_span(method, known, SpanKind.SERVER, attributes)
        if span.is_recording():
            with current(span):
                await self._recorded(span, method, scope, receive, send)
        elif known:
            # Nobody will see it, but log and callees are told of the caller's trace.
            token = context.attach(trace.set_span_in_context(span))
            try:
                await self.app(scope, receive, send)
            finally:
                context.detach(token)
        else:  # as most requests are: a trace that is nowhere to be found needs no name
            await self.app(scope, receive, send)

    async def _recorded(self, span: Span, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                status: int = message["status"]
                span.set_attribute("http.response.status_code", status)
                if status >= _OUR_FAULTS:
                    mark_failed(span, str(status))
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = route_template(scope)
            if route is not None:
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)


class _HeaderGetter(Getter[_Headers]):
    def get(self, carrier: _Headers, key: str) -> list[str] | None:
        wanted = key.encode()
        return [value.decode("latin-1") for name, value in carrier if name == wanted] or None

    def keys(self, carrier: _Headers) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_GETTER = _HeaderGetter()


def trace_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add to a line of the log which trace and span it belongs to."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event
