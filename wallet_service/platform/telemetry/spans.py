"""What all spans of the service share. Used only if tracing is on."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode
from structlog.typing import EventDict, WrappedLogger

from wallet_service.core.errors import WalletError

_OUR_FAULTS = 500


@contextmanager
def current(span: Span) -> Generator[None]:
    """Make a span the current one, and end it. An error marks the span as failed.

    Only the kind of the error is recorded: its text and stack can have data of a user.
    """
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            if not isinstance(error, WalletError):
                mark_failed(span, type(error).__name__)
            elif error.status >= _OUR_FAULTS:  # a refusal (4xx) is not a failure
                mark_failed(span, error.code)
            raise


def mark_failed(span: Span, kind: str) -> None:
    """Mark a span as failed, with the kind of the error: a problem's code, a status or an exception's class."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def trace_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the current trace and span to a log line."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event
