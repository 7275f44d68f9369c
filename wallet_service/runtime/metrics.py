"""Metrics for Prometheus: with the permission ``admin``, and on a port of its own without a key."""

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

_TRANSFER_S = 10
"""The most time to receive a request at the port without a key, and for a write of its response. Each has a thread."""

_log = structlog.get_logger(__name__)


def new_registry() -> CollectorRegistry:
    """A registry with the metrics of the process and the release; the rooms add theirs."""
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
    operation_id="get_metrics",
    summary="Metrics for Prometheus",
)
async def metrics(request: Request, caller: Admin) -> Response:
    """Requests, postings, batches, calls of the database and of other services, in the text format of Prometheus.

    While the database is unavailable, only the key of WALLET_ADMIN_KEY can be checked, and a request with another key
    gets 503. So give Prometheus that key, or the port without a key (WALLET_METRICS_PORT).
    """
    del caller  # it only has to have the permission
    text = await asyncio.to_thread(generate_latest, request.app.state.metrics)  # takes about 10 ms
    return Response(text, media_type=CONTENT_TYPE_LATEST)


@contextlib.asynccontextmanager
async def metrics_listener(
    settings: MetricsSettings, registry: CollectorRegistry
) -> AsyncGenerator[int | None]:
    """The listener for Prometheus, if the settings have a port for it; yields the port, or None.

    It responds from a thread, so that requests to the service don't wait for it.

    Raises:
        OSError: it can't listen on that address.
    """
    if settings.port is None:
        yield None
        return
    server, thread = await asyncio.to_thread(start_http_server, settings.port, settings.host, registry)
    server.RequestHandlerClass = _ScrapeHandler
    _log.info("metrics_listening", host=settings.host, port=server.server_port)
    try:
        yield server.server_port
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


class _LimitedReader(io.RawIOBase):
    """Reads a connection up to a time limit; the timeout of a socket starts again with each byte."""

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
            self._connection.settimeout(self._limit_s)  # for writes


class _ScrapeHandler(WSGIRequestHandler):
    """A handler with a time limit. It logs nothing, like that of prometheus_client."""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_LimitedReader(self.connection, _TRANSFER_S))

    def handle(self) -> None:
        with contextlib.suppress(
            TimeoutError
        ):  # a client that sends nothing, or too slowly, gets no response
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        del format, args
