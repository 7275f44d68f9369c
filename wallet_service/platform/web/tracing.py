"""A span for each request, in the trace of the caller; log lines have the ids of both."""

import random
import time
from collections.abc import Callable, Sequence

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wallet_service.platform.telemetry.spans import current, mark_failed
from wallet_service.platform.web.middleware import route_template

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
_OUR_FAULTS = 500

CALLERS_PER_S = 100
"""How many traces a second are recorded because a caller sampled them. The header needs no key, so it is limited."""

_Headers = Sequence[tuple[bytes, bytes]]

_PROPAGATOR = TraceContextTextMapPropagator()


class RequestSpans:
    """ASGI middleware around all others.

    Args:
        app: the next application.
        tracer: creates the spans.
        part: the part, from 0 to 1, of the requests without a caller's trace that get a span. It is decided before a span
            is created, because the SDK's own sampler costs a tenth of a request and refuses most.
        clock: seconds.

    A caller's trace goes on as the caller sampled it, up to ``CALLERS_PER_S``; beyond that as not sampled.

    FastAPI's own telemetry does nearly the same, but its spans have the path and the query, which can contain ids of
    users. These spans have the route's template.
    """

    def __init__(
        self,
        app: ASGIApp,
        tracer: Tracer,
        part: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self._tracer = tracer
        self._part = part
        self._allowance = _Allowance(CALLERS_PER_S, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with a span if it is traced."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        known = self._caller_context(scope["headers"])
        if known is None and random.random() >= self._part:  # noqa: S311 - a sample
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        span = self._tracer.start_span(method, known or Context(), SpanKind.SERVER, attributes)
        if span.is_recording():
            with current(span):
                await self._recorded(span, method, scope, receive, send)
        elif known is not None:
            # The span is not recorded, but the log and upstream services get the caller's trace.
            token = context.attach(trace.set_span_in_context(span))
            try:
                await self.app(scope, receive, send)
            finally:
                context.detach(token)
        else:  # most requests: a trace that is not recorded needs no id
            await self.app(scope, receive, send)

    def _caller_context(self, headers: _Headers) -> Context | None:
        """The caller's trace; None without a valid ``traceparent``."""
        if all(name != b"traceparent" for name, _ in headers):
            return None
        known = _PROPAGATOR.extract(headers, getter=_GETTER)
        span = trace.get_current_span(known).get_span_context()
        if not span.is_valid:
            return None
        if not span.trace_flags.sampled or self._allowance.take():
            return known
        flags = TraceFlags(span.trace_flags & ~TraceFlags.SAMPLED)
        unsampled = SpanContext(span.trace_id, span.span_id, True, flags, span.trace_state)  # noqa: FBT003 - remote
        return trace.set_span_in_context(NonRecordingSpan(unsampled), Context())

    async def _recorded(self, span: Span, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_record(message: Message) -> None:
            if message["type"] == "http.response.start":
                status: int = message["status"]
                span.set_attribute("http.response.status_code", status)
                if status >= _OUR_FAULTS:
                    mark_failed(span, str(status))
            await send(message)

        try:
            await self.app(scope, receive, send_and_record)
        finally:
            route = route_template(scope)
            if route is not None:
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)


class _Allowance:
    """A token bucket: so many a second, and as many at once after a pause."""

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = self._left = per_s
        self._clock = clock
        self._filled_at = clock()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = self._clock()
        self._left = min(self._per_s, self._left + (now - self._filled_at) * self._per_s)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _HeaderGetter(Getter[_Headers]):
    def get(self, carrier: _Headers, key: str) -> list[str] | None:
        wanted = key.encode()
        return [value.decode("latin-1") for name, value in carrier if name == wanted] or None

    def keys(self, carrier: _Headers) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_GETTER = _HeaderGetter()
