"""Runs jobs in a process of its own, with its health and metrics."""

import contextlib
from collections.abc import Callable, Sequence

from wallet_service.core.room import Room
from wallet_service.core.settings import Settings
from wallet_service.platform.database.dsns import existing_database
from wallet_service.platform.jobs.settings import JobsSettings
from wallet_service.platform.telemetry.settings import TelemetrySettings
from wallet_service.platform.telemetry.tracing import traced_part, tracing
from wallet_service.platform.web.settings import WebSettings
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app
from wallet_service.runtime.serve import Server, Stop, bound_socket, metrics_port
from wallet_service.runtime.settings import MetricsSettings

_SERVED = ("/health", "/metrics")


async def work(settings: Settings, print_line: Callable[[str], None], rooms: Sequence[Room] = ROOMS) -> None:
    """Run jobs until SIGINT or SIGTERM, then let them end for a while and return the others to the queue.

    The rooms are opened as for the service, because the handlers of jobs need them; of its paths only health and metrics
    are served.

    Args:
        settings: of all rooms.
        print_line: prints a text for the person at the terminal.
        rooms: their jobs are run.

    Raises:
        StartError: a port is in use, or the embedded server has no data yet.
        SettingsError: tracing is on, and its extra is not installed.
        EmbeddedError: the embedded server does not start.
    """
    own = settings[JobsSettings]
    stop = Stop()
    with stop.on_signals():
        flush_s = settings[WebSettings].shutdown_grace_ms / 1000
        async with (
            tracing(settings[TelemetrySettings], flush_s) as provider,
            existing_database(settings) as dsns,
        ):
            app = create_app(settings, dsns.service, provider, traced_part(), rooms, worker=True)
            app.router.routes[:] = [
                each for each in app.router.routes if getattr(each, "path", "").startswith(_SERVED)
            ]
            async with metrics_port(settings[MetricsSettings], app.state.metrics):
                with contextlib.closing(bound_socket(own.worker_host, own.worker_port)) as listener:
                    port: int = listener.getsockname()[1]
                    server = Server(settings, app)
                    server.on_started = lambda: print_line(
                        f"Running jobs of {dsns.place}; health on {own.worker_host} port {port}"
                    )
                    stop.server = server
                    await server.run_on(listener)
