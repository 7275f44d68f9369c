"""The log on stdout: one JSON object per line, with UTC timestamps and request ids; in a terminal, lines for people."""

import json
import logging
import os
import sys
from collections.abc import Collection
from io import StringIO
from typing import Literal, TextIO, TypeAlias

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

LogFormat: TypeAlias = Literal["auto", "console", "json"]
"""``console``: lines for people. ``auto``: these in a terminal, otherwise JSON."""

QUIET = ("httpx", "httpcore", "uvicorn.access")
"""Loggers that log URLs, which can contain ids and secrets. The middleware logs requests instead."""

_REPEAT_HEADERS = ("opentelemetry.trace.span", "opentelemetry.trace.propagation.tracecontext")
"""Loggers that warn of each malformed header, with its content."""


_IDS = ("request_id", "trace_id", "span_id")
_EMPTY: Collection[object] = (None, [])


def configure_logging(
    level: str, stream: TextIO | None = None, *, traced: bool = False, form: LogFormat = "auto"
) -> None:
    """Log all events from ``level`` on, our own and those of the standard library, in the same form.

    Args:
        level: a level of the standard library, in upper or lower case.
        stream: where the lines go; None for stdout.
        traced: whether lines have the ids of the current trace and span.
        form: of the lines.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    output = stream or sys.stdout
    is_for_people = form == "console" or (form == "auto" and output.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        *_tracing(traced=traced),
        structlog.processors.add_log_level,
    ]
    if is_for_people:
        shared += [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), _for_people]
        renderer: Processor = _console(output)
    else:
        shared += [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ]
        renderer = _json
    structlog.configure(
        processors=[*shared, renderer],
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
                renderer,
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


def _console(output: TextIO) -> structlog.dev.ConsoleRenderer:
    colors = output.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, pad_event_to=0, exception_formatter=_traceback
    )


def _for_people(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What is known and can be shown: no empty members, ids at the end, no characters that control a terminal."""
    shown = {name: _shown(value) for name, value in event.items() if value not in _EMPTY and name not in _IDS}
    return shown | {name: event[name] for name in _IDS if name in event}


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def printable(text: str) -> str:
    """The text with escapes in place of characters that control a terminal, line ends among them."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _traceback(output: TextIO, exc_info: ExcInfo) -> None:
    """The plain traceback: structlog's own shows the values of variables, and takes seconds for a deep stack."""
    plain = StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    output.write("\n".join(map(printable, plain.getvalue().split("\n"))))
