"""Runs the service: the embedded PostgreSQL if no database is configured, migrations, HTTP, and an orderly stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator

import structlog
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
from wallet_service.platform.database.dsns import Dsns, StartError, configured_dsns, embedded_dsns
from wallet_service.platform.database.migrate import (
    DatabaseNewerError,
    DatabaseReadOnlyError,
    IndexBuildError,
    latest_migration,
    migrate,
)
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres
from wallet_service.platform.embedded_postgres.settings import EmbeddedPostgresSettings
from wallet_service.platform.http_server.server import HttpServer
from wallet_service.platform.http_server.settings import HttpServerSettings
from wallet_service.platform.jobs.settings import JobsSettings
from wallet_service.platform.telemetry.settings import TelemetrySettings
from wallet_service.platform.telemetry.tracing import traced_part, tracing
from wallet_service.platform.web.settings import WebSettings
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app
from wallet_service.runtime.first_steps import first_steps
from wallet_service.runtime.metrics import metrics_listener
from wallet_service.runtime.settings import MetricsSettings

PrintLine = Callable[[str], None]
"""Prints a text for the person at the terminal."""

_OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""Python's default is 700, the objects of a few requests that are under way."""

_PRIMARY_CHECK_S = 1.0
"""How often a start checks whether the database has a primary again."""

_FORCE_CHECK_S = 0.1
"""How often to check for a second signal; uvicorn does it as often."""

_log = structlog.get_logger(__name__)


async def serve(settings: Settings, print_line: PrintLine) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way and stop the embedded server.

    Raises:
        StartError: a port is in use, the database or a required Consul is unavailable, or the application does not start.
        SettingsError: tracing is on, and its extra is not installed.
        EmbeddedError: the embedded server does not start, or another process has its data folder.
        MigrationError: the database can't be migrated to this release, and is not at a newer one.
    """
    stop = Stop()
    with stop.on_signals():
        flush_s = settings[WebSettings].shutdown_grace_ms / 1000
        async with (
            tracing(settings[TelemetrySettings], flush_s) as provider,
            _database(settings) as (dsns, listener),
        ):
            if settings[DatabaseSettings].migrate_on_start and dsns.admin is not None:
                await _migrate_on_primary(dsns.admin, settings)
            app = create_app(
                settings, dsns.service, provider, traced_part(), worker=settings[JobsSettings].worker
            )
            port: int = listener.getsockname()[1]
            consul_metrics: ConsulMetrics = app.state.consul_metrics
            async with (
                _first_key(settings, dsns, print_line) as first_key,
                metrics_port(settings[MetricsSettings], app.state.metrics),
                registration(settings, port, capabilities_of(app), consul_metrics) as consul,
            ):
                server = Server(settings, app, consul)
                server.on_started = lambda: print_line(
                    first_steps(listener.getsockname(), dsns.place, first_key.take())
                )
                stop.server = server
                await server.run_on(listener)


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncGenerator[tuple[Dsns, socket.socket], None]:
    """The database and the port. A port or data folder in use by another process is found before anything starts."""
    if (dsns := configured_dsns(settings)) is not None:
        with contextlib.closing(
            bound_socket(settings[WebSettings].host, settings[WebSettings].port)
        ) as listener:
            yield dsns, listener
        return
    embedded = EmbeddedPostgres(settings[EmbeddedPostgresSettings].data_dir)
    try:
        await embedded.claim()
        with contextlib.closing(
            bound_socket(settings[WebSettings].host, settings[WebSettings].port)
        ) as listener:
            await embedded.start()
            yield embedded_dsns(embedded), listener
    finally:
        await embedded.stop()


async def _migrate_on_primary(dsn: str, settings: Settings) -> None:
    """Migrate; while the database has no primary, as during a failover, wait for one. A signal ends the wait."""
    is_logged = False
    while True:
        try:
            return await _migrate(dsn, settings)
        except DatabaseReadOnlyError as error:
            if not is_logged:
                _log.warning("waiting_for_primary", reason=str(error))
            is_logged = True
        await asyncio.sleep(_PRIMARY_CHECK_S)


async def _migrate(dsn: str, settings: Settings) -> None:
    """Migrate, but accept a newer database: it must not stop a rollback, or a restart while others are upgraded."""
    try:
        report = await migrate(dsn, ROOMS, test_clock=settings[DatabaseSettings].test_clock)
    except DatabaseNewerError as newer:
        _log.warning(
            "database_is_newer",
            release=__version__,
            migration=latest_migration(ROOMS),
            database_release=newer.release,
            database_migration=newer.migration,
            meaning="it is used as it is, which is supported one release back; further back, restore the backup",
        )
    except IndexBuildError as failure:
        _log.warning("index_not_built", error=str(failure))
    else:
        _log.info(
            "migrated",
            applied=list(report.applied),
            functions_repaired=list(report.functions_repaired),
            indexes_built=list(report.indexes_built),
            indexes_left=list(report.indexes_left),
        )


class _FirstKey:
    """The admin key of the first start, until it is printed. None: there is no new key."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def take(self) -> str | None:
        key, self._key = self._key, None
        return key


@contextlib.asynccontextmanager
async def _first_key(
    settings: Settings, dsns: Dsns, print_line: PrintLine
) -> AsyncGenerator[_FirstKey, None]:
    """The admin key, created if there is no key at all. It is printed at the end if the service was never ready."""
    key = _FirstKey(await _create_first_key(settings, dsns))
    try:
        yield key
    finally:
        if (unseen := key.take()) is not None:
            print_line(f"Admin key, shown only now: {unseen}")


async def _create_first_key(settings: Settings, dsns: Dsns) -> str | None:
    if settings[AuthSettings].admin_key is not None:
        return None
    database = await connect(settings, dsns.service, pool_size=1)
    try:
        return await create_first_admin_key(database)
    except Unavailable as error:
        raise StartError(f"{error} ({dsns.place})") from error
    finally:
        await database.close()


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound and does not listen yet.

    Raises:
        StartError: the address is in use, or is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise _listen_error(host, port, error) from error
    return listener


def _listen_error(host: str, port: int | None, error: OSError) -> StartError:
    return StartError(f"Can't listen on {host} port {port}: {error.strerror or error}")


@contextlib.asynccontextmanager
async def metrics_port(settings: MetricsSettings, registry: CollectorRegistry) -> AsyncGenerator[None]:
    """The port for Prometheus, if the settings name one.

    Raises:
        StartError: it is in use.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(metrics_listener(settings, registry))
        except OSError as error:
            raise _listen_error(settings.host, settings.port, error) from error
        yield


class Server(HttpServer):
    """The HTTP server, with Consul."""

    def __init__(self, settings: Settings, app: FastAPI, consul: Registration | None = None) -> None:
        super().__init__(
            app,
            settings[WebSettings],
            settings[HttpServerSettings],
            app.state.request_metrics,
            app.state.connection_metrics,
        )
        self._app = app
        self._web = settings[WebSettings]
        self._consul = consul
        self._consul_error: AgentError | None = None
        self.on_started: Callable[[], None] = lambda: None

    async def run_on(self, listener: socket.socket) -> None:
        """Serve until a stop.

        Raises:
            StartError: the application did not start, or another process has the port.
        """
        try:
            await self.serve(sockets=[listener])
        except OSError as error:  # another process began to listen after the socket was bound
            raise _listen_error(self._web.host, self._web.port, error) from error
        except SystemExit as error:
            raise StartError("The application did not start; the log has the reason") from error
        if self._consul_error is not None:
            raise StartError(
                f"Consul is required (WALLET_CONSUL_REQUIRED), and unavailable: {self._consul_error}"
            ) from self._consul_error

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application and the port, then register with Consul."""
        await super().startup(sockets)
        if self.started and not self.should_exit and self._consul is not None:
            try:
                await self._consul.start()
            except AgentError as error:
                self._consul_error = error
                self.should_exit = True
        if self.started and not self.should_exit:
            _tune_garbage_collector()
            self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave Consul, then end what is under way and close the application."""
        if self._consul is not None:
            # The port stays open while callers may still have this instance from Consul.
            await self._unless_forced(self._consul.leave_and_wait())
        for end_streams in tuple(self._app.state.when_stopping):
            end_streams()
        await super().shutdown(sockets)
        if self.force_exit:  # requests are not waited for, but their calls of the database are
            await self.lifespan.shutdown()

    async def _unless_forced(self, stopping: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(stopping)
        while not task.done() and not self.force_exit:
            await asyncio.wait([task], timeout=_FORCE_CHECK_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def capabilities_of(app: FastAPI) -> list[str]:
    """What the application can do: the tags of its OpenAPI document."""
    tags = {str(tag) for route in app.routes if isinstance(route, APIRoute) for tag in route.tags}
    return sorted(tags - {"health"})


def _tune_garbage_collector() -> None:
    """Exclude the objects of the start from Python's cyclic garbage collector, and let it run less often.

    Its walks over these 100,000 objects, and its many short walks, took 5 to 9 % of the service's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)


class Stop:
    """SIGINT and SIGTERM abort the start, or stop serving. After a second signal no request is waited for."""

    def __init__(self) -> None:
        self.server: Server | None = None
        self._requested = False

    @contextlib.contextmanager
    def on_signals(self) -> Generator[None, None, None]:
        """React to both signals while this context is open."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self._stop, task)
        try:
            yield
        finally:
            for each in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(each)

    def _stop(self, task: "asyncio.Task[None] | None") -> None:
        if self.server is not None:
            self.server.force_exit = self._requested
            self.server.should_exit = True
        elif task is not None and not self._requested:
            task.cancel()
        self._requested = True
