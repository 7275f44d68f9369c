"""What the service counts, for Prometheus: for the scope ``admin``, and on a port of its own without a key."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog
from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from starlette.responses import Response

from wallet_service import __version__
from wallet_service.http.auth import Admin
from wallet_service.http.openapi import READS, problems
from wallet_service.settings import Settings

router = APIRouter(tags=["health"])

_log = structlog.get_logger(__name__)


def new_registry() -> CollectorRegistry:
    """A registry that knows the process and the release; the rooms add what they count."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    Info("wallet_build", "The release.", registry=registry).info({"version": __version__})
    return registry


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(*READS)},
    operation_id="metrics",
    summary="Metrics for Prometheus",
)
async def metrics(request: Request, caller: Admin) -> Response:
    """Requests, postings, batches, calls of the database and of other services, in the text format of Prometheus."""
    del caller  # only has to be one
    return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)


@contextlib.asynccontextmanager
async def listening(settings: Settings, registry: CollectorRegistry) -> AsyncGenerator[int | None]:
    """The listener for Prometheus alone, where the settings have one; gives its port.

    It answers from a thread: what is counted can be read at any time, and requests don't wait for it.

    Raises:
        OSError: it can't listen there.
    """
    if settings.metrics_port is None:
        yield None
        return
    server, thread = await asyncio.to_thread(
        start_http_server, settings.metrics_port, settings.metrics_host, registry
    )
    _log.info("metrics_listening", host=settings.metrics_host, port=server.server_port)
    try:
        yield server.server_port
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
