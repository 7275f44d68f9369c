"""An OpenTelemetry span for each call, if the application has set up a tracer provider; otherwise nothing, at no cost."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from wallet_client._call import Call


class Tracing:
    """Creates the spans of one client."""

    def __init__(self, tracer: "Tracer") -> None:
        # Imported here, because the application has loaded them: see ``tracing``.
        from opentelemetry import propagate, trace  # noqa: PLC0415

        self._tracer = tracer
        self._propagate = propagate
        self._trace = trace

    def start(self, call: "Call[Any]") -> "tuple[Span, dict[str, str]]":
        """The span of a call, a child of the current one, and the headers that carry it to the service."""
        attributes = {
            "http.request.method": call.method,
            "url.template": call.route,
            "wallet.call": call.name,
        }
        kind = self._trace.SpanKind.CLIENT
        span = self._tracer.start_span(f"wallet {call.name}", kind=kind, attributes=attributes)
        headers: dict[str, str] = {}
        self._propagate.inject(headers, self._trace.set_span_in_context(span))
        return span, headers

    def end(self, span: "Span", status: int | None, attempts: int, error: BaseException | None) -> None:
        """End the span with the outcome of the call."""
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if attempts > 1:
            span.set_attribute("http.request.resend_count", attempts - 1)
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(self._trace.StatusCode.ERROR, type(error).__name__)
        span.end()


def tracing() -> Tracing | None:
    """Creates spans; None if no tracer provider is set.

    A provider that is set has loaded the OpenTelemetry API, so this imports nothing.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None or isinstance(provider := api.get_tracer_provider(), api.ProxyTracerProvider):
        return None
    return Tracing(provider.get_tracer("wallet_client"))
