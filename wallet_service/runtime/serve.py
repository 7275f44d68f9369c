"""Runs the service: a database of its own when none is given, migrations, HTTP, and an orderly end."""

import asyncio
import contextlib
import gc
import math
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator

import structlog
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from wallet_service import __version__
from wallet_service.core.errors import Unavailable
from wallet_service.core.settings import Settings
from wallet_service.platform.auth.keys import create_first_admin_key
from wallet_service.platform.auth.settings import AuthSettings
from wallet_service.platform.consul.agent import AgentError
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.consul.registration import Registration, registration
from wallet_service.platform.database.connect import connect
from wallet_service.platform.database.dsns import Dsns, StartError, embedded_dsns, given
from wallet_service.platform.database.migrate import (
    DatabaseNewerError,
    IndexBuildError,
    latest_migration,
    migrate,
)
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres
from wallet_service.platform.embedded_postgres.settings import EmbeddedPostgresSettings
from wallet_service.platform.telemetry.settings import TelemetrySettings
from wallet_service.platform.telemetry.tracing import traced_part, tracing
from wallet_service.platform.web.settings import WebSettings
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app
from wallet_service.runtime.metrics import listening
from wallet_service.runtime.settings import MetricsSettings

Say = Callable[[str], None]
"""Tells the person at the terminal one line."""

_OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""Python's default is 700, the objects of a few requests that are under way."""

_FORCE_LOOK_S = 0.1
"""How often it is looked whether a second signal came, as often as uvicorn does."""

_log = structlog.get_logger(__name__)


async def serve(settings: Settings, say: Say) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way and stop the embedded server.

    Raises:
        StartError: a port is in use, the database or a required Consul is away, or the application does not start.
        SettingsError: tracing is on, and its extra is not installed.
        EmbeddedError: the embedded server does not start, or another process has its data folder.
        MigrationError: the database can't be brought to this release, and is not at a newer one.
    """
    stop = _Stop()
    with stop.on_signals():
        flush_s = settings[WebSettings].shutdown_grace_ms / 1000
        async with (
            tracing(settings[TelemetrySettings], flush_s) as provider,
            _database(settings) as (dsns, listener),
        ):
            if settings[DatabaseSettings].migrate_on_start and dsns.admin is not None:
                await _migrate(dsns.admin)
            await _first_key(settings, dsns, say)
            app = create_app(settings, dsns.service, provider, traced_part())
            port: int = listener.getsockname()[1]
            consul_metrics: ConsulMetrics = app.state.consul_metrics
            async with (
                _metrics_listener(settings[MetricsSettings], app.state.metrics),
                registration(settings, port, capabilities_of(app), consul_metrics) as consul,
            ):
                server = _Server(settings[WebSettings], app, consul)
                server.announce = lambda: _announce(listener, dsns, say)
                stop.server = server
                await server.run_on(listener)


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncGenerator[tuple[Dsns, socket.socket], None]:
    """The port and the database. What somebody else has of them is found before anything is started."""
    if (named := given(settings)) is not None:
        with contextlib.closing(_bound(settings[WebSettings])) as listener:
            yield named, listener
        return
    embedded = EmbeddedPostgres(settings[EmbeddedPostgresSettings].data_dir)
    try:
        await embedded.claim()
        with contextlib.closing(_bound(settings[WebSettings])) as listener:
            await embedded.start()
            yield embedded_dsns(embedded), listener
    finally:
        await embedded.stop()


async def _migrate(dsn: str) -> None:
    """Not where a newer release has been: a rollback, or a crash while others are upgraded, must not stop the service."""
    try:
        report = await migrate(dsn, ROOMS)
    except DatabaseNewerError as newer:
        _log.warning(
            "database_is_newer",
            release=__version__,
            migration=latest_migration(ROOMS),
            database_release=newer.release,
            database_migration=newer.migration,
            meaning="it is served as it is, which is meant for one release back; further back, restore the backup",
        )
    except IndexBuildError as failure:
        _log.warning("index_not_built", error=str(failure))
    else:
        _log.info(
            "migrated",
            applied=list(report.applied),
            indexes_built=list(report.indexes_built),
            indexes_left=list(report.indexes_left),
        )


async def _first_key(settings: Settings, dsns: Dsns, say: Say) -> None:
    if settings[AuthSettings].admin_key is not None:
        return
    database = await connect(settings, dsns.service, pool_size=1)
    try:
        key = await create_first_admin_key(database)
    except Unavailable as error:
        raise StartError(f"{error} ({dsns.place})") from error
    finally:
        await database.close()
    if key is not None:
        say(f"Admin key, shown only now: {key}")


def _bound(settings: WebSettings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise _not_listening(settings.host, settings.port, error) from error
    return listener


def _not_listening(host: str, port: int | None, error: OSError) -> StartError:
    return StartError(f"Can't listen on {host} port {port}: {error.strerror or error}")


@contextlib.asynccontextmanager
async def _metrics_listener(settings: MetricsSettings, registry: CollectorRegistry) -> AsyncGenerator[None]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(listening(settings, registry))
        except OSError as error:
            raise _not_listening(settings.host, settings.port, error) from error
        yield


def _announce(listener: socket.socket, dsns: Dsns, say: Say) -> None:
    host, port = listener.getsockname()[:2]
    say(f"The wallet service is ready on http://{f'[{host}]' if ':' in host else host}:{port} (docs: /docs)")
    say(f"The data are in {dsns.place}")
    say("Ctrl-C stops it")


class _Server(uvicorn.Server):
    """uvicorn, whose signals are handled by us, since the database must stop after it."""

    def __init__(self, settings: WebSettings, app: FastAPI, consul: Registration | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                timeout_keep_alive=math.ceil(settings.keep_alive_ms / 1000),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_ms / 1000),
            )
        )
        self._settings = settings
        self._consul = consul
        self._consul_missing: AgentError | None = None
        self.announce: Callable[[], None] = lambda: None

    async def run_on(self, listener: socket.socket) -> None:
        try:
            await self.serve(sockets=[listener])
        except OSError as error:  # somebody else began to listen since we took the address
            raise _not_listening(self._settings.host, self._settings.port, error) from error
        except SystemExit as error:
            raise StartError("The application did not start; the log says why") from error
        if self._consul_missing is not None:
            raise StartError(
                f"Consul is required (WALLET_CONSUL_REQUIRED), and not to be had: {self._consul_missing}"
            ) from self._consul_missing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit and self._consul is not None:
            try:
                await self._consul.join()
            except AgentError as error:
                self._consul_missing = error
                self.should_exit = True
        if self.started and not self.should_exit:
            _spare_the_collector()
            self.announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._consul is not None:
            # The port is open for as long as callers may come by what Consul told them.
            await self._unless_forced(self._consul.farewell())
        await super().shutdown(sockets)
        if self.force_exit:  # requests are not waited for, but what they asked the database for is
            await self.lifespan.shutdown()

    async def _unless_forced(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        while not task.done() and not self.force_exit:
            await asyncio.wait([task], timeout=_FORCE_LOOK_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def capabilities_of(app: FastAPI) -> list[str]:
    """What the application can do, by the names under which its documentation has it."""
    tags = {str(tag) for route in app.routes if isinstance(route, APIRoute) for tag in route.tags}
    return sorted(tags - {"health"})


def _spare_the_collector() -> None:
    """Keep Python's cyclic collector off what lives as long as the process, and let it run less often.

    Its walks over the start's 100,000 objects, and its many short ones, took 5 to 9 % of the service's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)


class _Stop:
    """What SIGINT and SIGTERM do: give up the start, or end serving; a second one waits for no request."""

    def __init__(self) -> None:
        self.server: _Server | None = None
        self._asked = False

    @contextlib.contextmanager
    def on_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, self._stop, task)
        try:
            yield
        finally:
            for sign in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(sign)

    def _stop(self, task: "asyncio.Task[None] | None") -> None:
        if self.server is not None:
            self.server.force_exit = self._asked
            self.server.should_exit = True
        elif task is not None and not self._asked:
            task.cancel()
        self._asked = True
