"""The application, built from what the rooms declare."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from fastapi import FastAPI
from opentelemetry.trace import Tracer, TracerProvider
from prometheus_client import CollectorRegistry
from starlette.datastructures import State

from wallet_service import __version__
from wallet_service.core.room import (
    Room,
    RoomContext,
    batch_operations_of,
    posting_members_of,
    posting_problems_of,
    problems_of,
)
from wallet_service.core.settings import Settings
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.http_server.metrics import ConnectionMetrics
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.openapi import DocumentParts
from wallet_service.platform.web.settings import WebSettings
from wallet_service.platform.web.setup import install
from wallet_service.rooms import ROOMS
from wallet_service.runtime.metrics import new_registry

DESCRIPTION = """\
A wallet and credits ledger: every movement of money is one atomic, idempotent, balanced posting.

**Credentials**: `Authorization: Bearer` with an API key or a user token. On the page /docs, press *Authorize*; the page \
keeps the key in this browser until you press *Logout*.

**Amounts** are decimal strings, such as `"12.50"`, in units of the wallet's currency. They are never rounded.

**Idempotency**: a request that moves money can have an `Idempotency-Key`. The same key and request have one effect and \
one response.

**Refusals** are problem documents (RFC 9457). Decide by their `code`. Where `retryable` is true, the same request can \
succeed later.

**Lists** have `items` and `next_cursor`. Send that as `cursor` for the next page.
"""
"""The introduction of the API's document, in Markdown."""


def create_app(
    settings: Settings,
    database_url: str | None = None,
    tracer_provider: TracerProvider | None = None,
    traced_part: float = 1.0,
    rooms: Sequence[Room] = ROOMS,
    *,
    worker: bool = False,
) -> FastAPI:
    """Create the application.

    Connections are opened when they are needed.

    Args:
        settings: of all rooms.
        database_url: of the PostgreSQL to use; None for the Supabase project of the settings.
        tracer_provider: if given, requests, batches and calls have spans.
        traced_part: the part, from 0 to 1, of the traces beginning here that are recorded. A trace that the caller
            began goes on as the caller decided.
        rooms: the application consists of these.
        worker: whether the application runs jobs while it is open.
    """
    tracer = None if tracer_provider is None else tracer_provider.get_tracer("wallet_service", __version__)
    app = FastAPI(
        title="Wallet service",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=[
            {"name": name, "description": text}
            for room in _in_order_of_use(rooms)
            for name, text in room.tags.items()
        ],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lambda app: _run(app, settings, database_url, tracer, rooms, worker=worker),
        # It would add work to each request. RequestSpans gives the other reason why it is not used.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    _set_metrics(app.state)
    app.state.worker = None
    limits = {path: limit(settings) for room in rooms for path, limit in room.body_limits.items()}
    install(
        app,
        settings[WebSettings],
        DocumentParts(
            codes=problems_of(rooms),
            of_debits=posting_problems_of(rooms),
            operations=batch_operations_of(rooms),
            members=[(model, each.problems) for each, model in posting_members_of(rooms)],
        ),
        limits,
        app.state.request_metrics,
        tracer,
        traced_part,
        [path for room in rooms for path in room.unlimited_paths],
    )
    for room in _in_order_of_use(rooms):
        for reference in room.routers:
            # Not include_router: its look-ups cost 15 % of each request, and these routes have their prefixes already.
            app.router.routes.extend(room.load(reference).routes)
    return app


def _set_metrics(state: State) -> None:
    """The registry, and the metrics of what runs before the application is open."""
    state.metrics = registry = new_registry()
    state.consul_metrics = ConsulMetrics(registry)
    state.connection_metrics = ConnectionMetrics(registry)
    state.request_metrics = RequestMetrics(registry)


def _in_order_of_use(rooms: Sequence[Room]) -> list[Room]:
    """What users call first, then what platform offers, and at the end health: the order of the API's document."""

    def place(room: Room) -> int:
        group = room.package.split(".")[1:2]
        return {"platform": 1, "runtime": 2}.get("".join(group), 0)

    return sorted(rooms, key=place)


@asynccontextmanager
async def _run(
    app: FastAPI,
    settings: Settings,
    database_url: str | None,
    tracer: Tracer | None,
    rooms: Sequence[Room],
    *,
    worker: bool,
) -> AsyncGenerator[None]:
    """Open the rooms in their order and close them in reverse: an upper room may use lower ones until it is closed."""
    # A registry of its own, because an application can run more than once.
    metrics = CollectorRegistry()
    context = RoomContext(settings, app.state, metrics, tracer, database_url, rooms)
    async with AsyncExitStack() as stack:
        for room in rooms:
            if room.lifespan is not None:
                await stack.enter_async_context(room.load(room.lifespan)(context))
        stack.enter_context(_registered(metrics, app.state.metrics))
        if worker:
            app.state.worker = await stack.enter_async_context(running_worker(app.state, settings, rooms))
        yield


@contextmanager
def _registered(metrics: CollectorRegistry, registry: CollectorRegistry) -> Generator[None]:
    """Include metrics in a registry while this context is open."""
    registry.register(metrics)  # a registry is a collector, too
    try:
        yield
    finally:
        registry.unregister(metrics)
