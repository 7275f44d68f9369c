"""The log: one JSON object per line on stdout, with UTC timestamps and request ids."""

import json
import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

QUIET = ("httpx", "httpcore", "uvicorn.access")
"""Loggers that log URLs, which can contain ids and secrets. The middleware logs requests instead."""

_REPEAT_HEADERS = ("opentelemetry.trace.span", "opentelemetry.trace.propagation.tracecontext")
"""Loggers that warn of each malformed header, with its content."""


def configure_logging(level: str, stream: TextIO | None = None, *, traced: bool = False) -> None:
    """Log all events from ``level`` on, our own and those of the standard library, in the same form.

    Args:
        level: a level of the standard library, in upper or lower case.
        stream: where the lines go; None for stdout.
        traced: whether lines have the ids of the current trace and span.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    output = stream or sys.stdout
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        *_tracing(traced=traced),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, _json],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _json,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncpg"):
        # uvicorn has handlers of its own; all lines go to the handler of the root.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in _REPEAT_HEADERS:
        logging.getLogger(name).setLevel(max(number, logging.ERROR))


def _tracing(*, traced: bool) -> list[Processor]:
    if not traced:
        return []
    # It imports OpenTelemetry and the HTTP code, which commands do not need.
    from wallet_service.platform.telemetry.spans import trace_ids  # noqa: PLC0415

    return [trace_ids]


_ENCODER = json.JSONEncoder(default=repr)


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """The line. structlog's own renderer would create an encoder for each."""
    return _ENCODER.encode(event)
