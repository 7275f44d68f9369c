"""The log: one JSON object per line on stdout, with UTC timestamps and the request's id."""

import json
import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

QUIET = ("httpx", "httpcore", "uvicorn.access")
"""They log addresses, in which an id or a secret can stand; the middleware logs requests instead."""

_REPEAT_CALLERS = ("opentelemetry.trace.span", "opentelemetry.trace.propagation.tracecontext")
"""They warn of each malformed header, and repeat what stands in it."""


def configure_logging(level: str, stream: TextIO | None = None, *, traced: bool = False) -> None:
    """Log everything from ``level`` on, our own events and those of the standard library, in the same form.

    Args:
        level: a name of the standard library's levels, in any case.
        stream: where to; stdout unless told otherwise.
        traced: each line names the trace and the span that it belongs to.
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
        # uvicorn brings its own handlers; everything goes the one way.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in _REPEAT_CALLERS:
        logging.getLogger(name).setLevel(max(number, logging.ERROR))


def _tracing(*, traced: bool) -> list[Processor]:
    if not traced:
        return []
    # Its imports are OpenTelemetry and what serves HTTP: not for the commands beside the service.
    from wallet_service.platform.telemetry.spans import trace_ids  # noqa: PLC0415

    return [trace_ids]


_ENCODER = json.JSONEncoder(default=repr)


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """The line. structlog's own renderer makes an encoder anew for each."""
    return _ENCODER.encode(event)
