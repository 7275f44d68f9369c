"""A span for each attempt of a call; the upstream service receives the trace context."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from wallet_service.platform.telemetry.spans import current

_PROPAGATOR = TraceContextTextMapPropagator()


class CallSpans:
    """Creates the spans of attempts."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def call(self, upstream: str, method: str, headers: Mapping[str, str]) -> Generator[Mapping[str, str]]:
        """The span of one attempt, if the request is traced; yields the headers with the trace context.

        Neither has the path, because paths contain ids of users.
        """
        sent = dict(headers)
        if not trace.get_current_span().is_recording():
            _PROPAGATOR.inject(sent)  # the caller's trace goes on, though it is not exported
            yield sent
            return
        attributes = {"http.request.method": method, "service.peer.name": upstream}
        with current(
            self._tracer.start_span(f"{method} {upstream}", kind=SpanKind.CLIENT, attributes=attributes)
        ):
            _PROPAGATOR.inject(sent)
            yield sent
