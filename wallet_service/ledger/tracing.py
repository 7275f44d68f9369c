"""The span of a batch, which has the units of many requests."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Tracer

from wallet_service.platform.telemetry.spans import current


class BatchSpans:
    """Creates the spans of batches."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def origin(self) -> SpanContext | None:
        """The span of the current request; None when it is not exported."""
        context = trace.get_current_span().get_span_context()
        return context if context.trace_flags.sampled else None

    @contextmanager
    def batch(self, origins: Sequence[SpanContext], operations: int) -> Generator[None]:
        """The span of one batch; none when no request in it has a span that is exported.

        It belongs to the trace of the first request and has links to the others. So the trace of a request that is
        alone in its batch is complete.
        """
        if not origins:
            yield
            return
        span = self._tracer.start_span(
            "group_commit",
            trace.set_span_in_context(NonRecordingSpan(origins[0]), Context()),
            attributes={"wallet.batch.operations": operations},
            links=[Link(origin) for origin in origins[1:]],
        )
        with current(span):
            yield
