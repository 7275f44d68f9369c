"""A span for each call, where the application has set OpenTelemetry up; otherwise nothing, at no cost."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from wallet_client._call import Call


class Tracing:
    """Makes the spans of one client."""

    def __init__(self, made: "Tracer") -> None:
        # Here, for the application has loaded them: see below.
        from opentelemetry import propagate, trace  # noqa: PLC0415

        self._tracer = made
        self._propagate = propagate
        self._trace = trace

    def start(self, call: "Call[Any]") -> "tuple[Span, dict[str, str]]":
        """The span of a call, a child of the current one, and the headers that carry it on."""
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
        """The call is over."""
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if attempts > 1:
            span.set_attribute("http.request.resend_count", attempts - 1)
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(self._trace.StatusCode.ERROR, type(error).__name__)
        span.end()


def tracing() -> Tracing | None:
    """What makes spans; None where no provider of them is set.

    A provider that is set has loaded the API, so nothing is imported for this.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None or isinstance(provider := api.get_tracer_provider(), api.ProxyTracerProvider):
        return None
    return Tracing(provider.get_tracer("wallet_client"))
