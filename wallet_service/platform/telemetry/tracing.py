"""Traces, exported by OpenTelemetry if tracing is on. If not, nothing of its SDK is loaded."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import structlog

from wallet_service import __version__
from wallet_service.core.settings import SettingsError
from wallet_service.platform.telemetry.settings import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

FLUSH_S = 2.0
"""The longest time that a stop waits for the export of the last spans, in seconds."""

_PART = 0.1

_log = structlog.get_logger(__name__)


def traced_part() -> float:
    """The part of the traces beginning here that are recorded: a tenth, unless OTEL_TRACES_SAMPLER decides.

    Whether a trace of a caller is recorded was decided by the caller. Recording all costs half as much CPU again.
    """
    return 1.0 if os.environ.get("OTEL_TRACES_SAMPLER") else _PART


@contextlib.asynccontextmanager
async def tracing(
    settings: TelemetrySettings, longest_flush_s: float = FLUSH_S
) -> AsyncGenerator["TracerProvider | None"]:
    """The provider of spans; None if tracing is off. At the end, the remaining spans are exported.

    Destination, sampling and the service's name are set by the variables of OpenTelemetry (``OTEL_…``).

    Raises:
        SettingsError: the extra ``otel`` is not installed.
    """
    if not settings.tracing:
        yield None
        return
    provider = _provider()
    try:
        yield provider
    finally:
        await _shut_down(provider, min(FLUSH_S, longest_flush_s))


def _provider() -> "TracerProvider":
    # Imports that take a third of a second, only if tracing is on.
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            "WALLET_TRACING needs the extra otel. In a clone scripts/run installs it; beside a wheel: "
            f"pip install --require-hashes -r requirements/image.txt, of the same release ({__version__}): {error}"
        ) from error
    own = {"service.name": "wallet-service", "service.version": __version__}
    resource = Resource.create({**own, **OTELResourceDetector().detect().attributes})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


async def _shut_down(provider: "TracerProvider", longest_s: float) -> None:
    """Export the remaining spans. In a thread, because the SDK's own limit is 30 s, too long for a stop."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        with contextlib.suppress(RuntimeError):  # the loop did not wait
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=shut_down, name="last-spans", daemon=True).start()
    try:
        async with asyncio.timeout(longest_s):
            await done.wait()
    except TimeoutError:
        _log.warning("spans_lost", waited_s=longest_s)
