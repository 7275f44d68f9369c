"""What the service counts, for Prometheus: for the scope ``admin``, and on a port of its own without a key."""

import asyncio
import contextlib
import io
import socket
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler

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
from wallet_service.platform.auth.authentication import Admin
from wallet_service.platform.web.openapi import READS, problems
from wallet_service.runtime.settings import MetricsSettings

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

router = APIRouter(tags=["health"])

_READ_S = 10
"""How long a question at the port without a key may take to arrive, and a write of its answer: each holds a thread."""

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
    """Requests, postings, batches, calls of the database and of other services, in the text format of Prometheus.

    While the database is away, only the key of WALLET_ADMIN_KEY is known here, and any other answered with 503: for
    Prometheus take that one, or the port without a key (WALLET_METRICS_PORT).
    """
    del caller  # only has to be one
    text = await asyncio.to_thread(generate_latest, request.app.state.metrics)  # for some 10 ms
    return Response(text, media_type=CONTENT_TYPE_LATEST)


@contextlib.asynccontextmanager
async def listening(settings: MetricsSettings, registry: CollectorRegistry) -> AsyncGenerator[int | None]:
    """The listener for Prometheus alone, where the settings have one; gives its port.

    It answers from a thread: what is counted can be read at any time, and requests don't wait for it.

    Raises:
        OSError: it can't listen there.
    """
    if settings.port is None:
        yield None
        return
    server, thread = await asyncio.to_thread(start_http_server, settings.port, settings.host, registry)
    server.RequestHandlerClass = _Scrape
    _log.info("metrics_listening", host=settings.host, port=server.server_port)
    try:
        yield server.server_port
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


class _Within(io.RawIOBase):
    """Reads a connection for so long: a socket's own timeout begins anew with each byte."""

    def __init__(self, connection: socket.socket, limit_s: float) -> None:
        self._connection = connection
        self._limit_s = limit_s
        self._until = time.monotonic() + limit_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._limit_s)  # for what is written


class _Scrape(WSGIRequestHandler):
    """A handler that does not wait for ever, and logs nothing, as prometheus_client's own."""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Within(self.connection, _READ_S))

    def handle(self) -> None:
        with contextlib.suppress(TimeoutError):  # who is silent, or drips, is not answered
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        del format, args
