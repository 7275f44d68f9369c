"""Traces, exported by OpenTelemetry when the settings ask for them; nothing of its SDK is loaded otherwise."""

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
"""How long a stop waits for the last spans to be exported, at most."""

_PART = 0.1

_log = structlog.get_logger(__name__)


def traced_part() -> float:
    """The part of traces that begin here which are made: a tenth, unless OTEL_TRACES_SAMPLER is set and decides.

    What happens to a trace that began elsewhere was decided there. To export all of them takes half as much CPU again.
    """
    return 1.0 if os.environ.get("OTEL_TRACES_SAMPLER") else _PART


@contextlib.asynccontextmanager
async def tracing(
    settings: TelemetrySettings, longest_flush_s: float = FLUSH_S
) -> AsyncGenerator["TracerProvider | None"]:
    """The provider of spans, None where tracing is off. At the end, what was not yet exported is.

    Where to, how many and under which name is said by the variables of OpenTelemetry (``OTEL_…``).

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
    # A third of a second, for those only who need it.
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
    """Export what is left. In a thread that holds up nobody: the SDK's own limit is 30 s."""
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
