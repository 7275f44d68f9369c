"""uvicorn's server, with a listener and connections of our own."""

import math
import socket
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application

from wallet_service.platform.http_server.connections import Admission, Connections
from wallet_service.platform.http_server.limits import Deadlines
from wallet_service.platform.http_server.listener import Listener, allowed_connections
from wallet_service.platform.http_server.metrics import ConnectionMetrics
from wallet_service.platform.http_server.protocol import Connection
from wallet_service.platform.http_server.refusals import refusals
from wallet_service.platform.http_server.settings import HttpServerSettings
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.settings import WebSettings


class HttpServer(uvicorn.Server):
    """Serves an application on one socket: ``await server.serve(sockets=[listener])``. It handles no signals.

    Args:
        app: the application.
        web: how long connections and a stop may take.
        settings: limits of connections.
        requests: counts what is refused before it becomes a request.
        metrics: count connections.
    """

    def __init__(
        self,
        app: ASGIApp,
        web: WebSettings,
        settings: HttpServerSettings,
        requests: RequestMetrics,
        metrics: ConnectionMetrics,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # uvicorn trusts every local proxy; platform/rate_limits reads X-Forwarded-For
                timeout_graceful_shutdown=math.ceil(web.shutdown_grace_ms / 1000),
            )
        )
        self._connection_limits = settings
        self._deadlines = Deadlines(
            idle_s=web.keep_alive_ms / 1000,
            head_s=settings.head_timeout_ms / 1000,
            body_s=settings.body_timeout_ms / 1000,
        )
        self._metrics = metrics
        self._refusals = cast("ASGI3Application", refusals(requests))
        self._listener: Listener | None = None
        self._connections: Connections | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept connections.

        Raises:
            OSError: another process listens on the address.
        """
        await super().startup([])  # none of uvicorn's listeners
        if self.should_exit:
            return
        allowed = allowed_connections(self._connection_limits.max_connections)
        self._connections = connections = Connections(self.server_state, allowed, self._metrics)
        [listener] = sockets or []
        create = partial(self._new_connection, connections)
        self._listener = Listener(listener, connections, create, self._metrics)
        self._listener.start()
        self._connections.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, complete what is under way, and stop the application."""
        if self._listener is not None:
            await self._listener.stop()
        await super().shutdown(sockets)
        if self._connections is not None:
            self._connections.stop()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the process."""
        yield

    def _new_connection(self, connections: Connections, admission: Admission) -> Connection:
        return Connection(
            self.config,
            self.server_state,
            self.lifespan.state,
            deadlines=self._deadlines,
            metrics=self._metrics,
            refusals=self._refusals,
            lost=connections.lost,
            is_for_health=admission is Admission.HEALTH,
        )
