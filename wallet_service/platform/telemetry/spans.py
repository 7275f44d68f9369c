"""What every span of the service has in common. Used only where tracing is on."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode
from structlog.typing import EventDict, WrappedLogger

from wallet_service.core.errors import WalletError

_OUR_FAULTS = 500


@contextmanager
def current(span: Span) -> Generator[None]:
    """Make a span the current one, and end it; a failure marks it.

    Only the kind of an error is kept: its text, and the values in its stack, can be somebody's.
    """
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            if not isinstance(error, WalletError):
                mark_failed(span, type(error).__name__)
            elif error.status >= _OUR_FAULTS:  # below, somebody was refused, as they should be
                mark_failed(span, error.code)
            raise


def mark_failed(span: Span, kind: str) -> None:
    """Say that what the span stands for failed, and how: a code of a problem, a status, the class of an exception."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def trace_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add to a line of the log which trace and span it belongs to."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event
