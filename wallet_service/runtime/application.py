"""The application, built from what the rooms declare."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from fastapi import FastAPI
from opentelemetry.trace import Tracer, TracerProvider
from prometheus_client import CollectorRegistry

from wallet_service import __version__
from wallet_service.core.room import Room, RoomContext, problems_of
from wallet_service.core.settings import Settings
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.settings import WebSettings
from wallet_service.platform.web.setup import install
from wallet_service.rooms import ROOMS
from wallet_service.runtime.metrics import new_registry

DESCRIPTION = (
    "A wallet and credits ledger: every movement of money is one atomic, idempotent, balanced posting."
)


def create_app(
    settings: Settings,
    database_url: str | None = None,
    tracer_provider: TracerProvider | None = None,
    traced_part: float = 1.0,
    rooms: Sequence[Room] = ROOMS,
) -> FastAPI:
    """The service on this database, or on the Supabase project of the settings.

    Connections are made when they are needed. With a ``tracer_provider`` requests, batches and calls have spans: those
    whose trace began elsewhere, and this part of the others.
    """
    tracer = None if tracer_provider is None else tracer_provider.get_tracer("wallet_service", __version__)
    registry = new_registry()
    app = FastAPI(
        title="Wallet service",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lambda app: _run(app, settings, database_url, tracer, rooms),
        # It would add work to each request; RequestSpans says why it is not used.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.metrics = registry
    app.state.consul_metrics = ConsulMetrics(registry)
    limits = {path: limit(settings) for room in rooms for path, limit in room.body_limits.items()}
    install(
        app,
        settings[WebSettings],
        problems_of(rooms),
        limits,
        RequestMetrics(registry),
        tracer,
        traced_part,
    )
    for room in rooms:
        for reference in room.routers:
            # Not include_router: its look-ups cost 15 % of each request, and these bring their prefixes with them.
            app.router.routes.extend(room.load(reference).routes)
    return app


@asynccontextmanager
async def _run(
    app: FastAPI, settings: Settings, database_url: str | None, tracer: Tracer | None, rooms: Sequence[Room]
) -> AsyncGenerator[None]:
    """Open the rooms in their order, and close them in reverse: an upper room may use all below it until its end."""
    # A registry of its own, since an application can run more than once.
    metrics = CollectorRegistry()
    context = RoomContext(settings, app.state, metrics, tracer, database_url, rooms)
    async with AsyncExitStack() as stack:
        for room in rooms:
            if room.lifespan is not None:
                await stack.enter_async_context(room.load(room.lifespan)(context))
        stack.enter_context(_registered(metrics, app.state.metrics))
        yield


@contextmanager
def _registered(metrics: CollectorRegistry, registry: CollectorRegistry) -> Generator[None]:
    """Make metrics a part of a registry for as long as this is open."""
    registry.register(metrics)  # it collects, as any collector does
    try:
        yield
    finally:
        registry.unregister(metrics)
