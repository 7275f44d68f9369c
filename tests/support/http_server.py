"""The HTTP server with a small application, in a thread of its own, as uvloop runs it in the service."""

import asyncio
import contextlib
import io
import json
import logging
import socket
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

import uvloop
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from structlog.testing import capture_logs

from support.settings import make_settings
from wallet_service.core.room import problems_of
from wallet_service.platform.http_server.metrics import ConnectionMetrics
from wallet_service.platform.http_server.server import HttpServer
from wallet_service.platform.http_server.settings import HttpServerSettings
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.openapi import DocumentParts
from wallet_service.platform.web.settings import WebSettings
from wallet_service.platform.web.setup import install
from wallet_service.rooms import ROOMS

BODY_LIMIT = 16_000_000
WAIT_S = 60
"""More than any of it takes on a busy machine."""

router = APIRouter()


@router.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/path/{rest:path}")
async def path(rest: str) -> dict[str, int]:
    return {"length": len(rest)}


@router.post("/size")
async def size(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@router.get("/large/{count}")
async def large(count: int) -> str:
    return "x" * count


@router.get("/held")
async def held(request: Request) -> dict[str, str]:
    """Responds when the test releases it."""
    server: RunningServer = request.app.state.server
    server.held += 1
    await server.released.wait()
    return {"status": "released"}


@dataclass
class Answer:
    """A response, and whether the connection ended after it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["x-request-id"]
        return document


class _Received(io.BufferedReader):
    """What a connection has received. Responses read it one after the other, and each would close it."""

    def makefile(self, _mode: str) -> "_Received":
        return self

    def close(self) -> None:
        pass


class Client:
    """A connection of a client that sends what it wants."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self._received = _Received(socket.SocketIO(self.socket, "r"))

    def send(self, *parts: bytes) -> "Client":
        for part in parts:
            self.socket.sendall(part)
        return self

    def read(self, method: str = "GET") -> Answer:
        response = HTTPResponse(self._received, method=method)  # pyright: ignore[reportArgumentType]  # it needs a file
        response.begin()
        body = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def is_ended(self) -> bool:
        """Wait for the end of the connection: True if it was orderly and nothing came before it."""
        try:
            return self._received.read(1) == b""
        except ConnectionError:
            return False

    def close(self) -> None:
        self.socket.close()


@dataclass
class RunningServer:
    """The server while it runs."""

    port: int
    registry: CollectorRegistry
    server: HttpServer
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    log: list[dict[str, Any]]
    held: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    clients: list[Client] = field(default_factory=list)

    def connect(self) -> Client:
        client = Client(self.port)
        self.clients.append(client)
        return client

    def send(self, *parts: bytes) -> Client:
        return self.connect().send(*parts)

    def metric(self, name: str, **labels: str) -> float:
        """The value; 0 of a series that does not exist yet."""
        return self.registry.get_sample_value(name, labels) or 0

    def release(self) -> None:
        self.loop.call_soon_threadsafe(self.released.set)

    def begin_stop(self) -> None:
        self.server.should_exit = True

    def stop(self) -> None:
        self.begin_stop()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == event]

    @property
    def tracebacks(self) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("exc_info") or line["log_level"] == "error"]


@contextlib.contextmanager
def http_server(**settings: Any) -> Generator[RunningServer]:
    """The server, with these settings: ``http_server(keep_alive_ms=1000)``."""
    chosen = make_settings(max_body_bytes=BODY_LIMIT, **settings)
    registry = CollectorRegistry()
    requests = RequestMetrics(registry)
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    install(app, chosen[WebSettings], DocumentParts(codes=problems_of(ROOMS)), metrics=requests)
    app.include_router(router)
    server = HttpServer(
        app, chosen[WebSettings], chosen[HttpServerSettings], requests, ConnectionMetrics(registry)
    )
    ready = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    with socket.create_server(("127.0.0.1", 0)) as bound, _log() as log:

        async def serve() -> None:
            loops.append(asyncio.get_running_loop())
            serving = asyncio.create_task(server.serve(sockets=[bound]))
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.001)
            ready.set()
            await serving

        thread = threading.Thread(target=lambda: uvloop.run(serve()), daemon=True)
        port = bound.getsockname()[1]
        thread.start()
        assert ready.wait(WAIT_S)
        running = RunningServer(port, registry, server, loops[0], thread, log)
        app.state.server = running
        try:
            yield running
        finally:
            for client in running.clients:
                client.close()
            if thread.is_alive():
                running.release()
                running.stop()


class _Records(logging.Handler):
    """Lines of libraries, beside those of structlog."""

    def __init__(self, lines: list[Any]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        line = {"event": record.getMessage(), "log_level": record.levelname.lower()}
        self._lines.append(line | ({"exc_info": record.exc_info} if record.exc_info else {}))


@contextlib.contextmanager
def _log() -> Generator[list[Any]]:
    with capture_logs() as lines:
        handler = _Records(lines)
        logging.getLogger().addHandler(handler)
        try:
            yield lines
        finally:
            logging.getLogger().removeHandler(handler)
