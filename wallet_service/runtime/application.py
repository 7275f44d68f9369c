"""The application: settings, database, routers."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI
from opentelemetry.trace import Tracer, TracerProvider
from prometheus_client import CollectorRegistry

from wallet_service import __version__
from wallet_service.core.settings import Settings
from wallet_service.ledger.group_commit import Limits
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.service import Ledger
from wallet_service.ledger.tracing import BatchSpans
from wallet_service.money.credits.router import router as credits_router
from wallet_service.money.opening_balances.router import PATH as IMPORT_PATH
from wallet_service.money.opening_balances.router import router as imports_router
from wallet_service.money.statements.router import router as statements_router
from wallet_service.money.transactions.router import router as transactions_router
from wallet_service.money.wallet_statistics.router import router as statistics_router
from wallet_service.money.wallets.router import router as wallets_router
from wallet_service.platform.auth.authentication import Authenticator
from wallet_service.platform.database.connect import connect
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.metrics import DatabaseMetrics, MeasuredDatabase
from wallet_service.platform.database.tracing import TracedDatabase
from wallet_service.platform.membership.access import WalletAccess
from wallet_service.platform.rate_limits.limiter import open_limiter
from wallet_service.platform.upstreams.discovery import Discovery
from wallet_service.platform.upstreams.metrics import UpstreamMetrics
from wallet_service.platform.upstreams.tracing import CallSpans
from wallet_service.platform.upstreams.watch import UPSTREAMS, discovering
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.setup import install
from wallet_service.runtime.health import router as health_router
from wallet_service.runtime.health import watching
from wallet_service.runtime.metrics import new_registry
from wallet_service.runtime.metrics import router as metrics_router

DESCRIPTION = (
    "A wallet and credits ledger: every movement of money is one atomic, idempotent, balanced posting."
)

_ROUTERS = (
    health_router,
    metrics_router,
    imports_router,
    wallets_router,
    transactions_router,
    statements_router,
    statistics_router,
    credits_router,
)


def create_app(
    settings: Settings,
    database_url: str | None = None,
    tracer_provider: TracerProvider | None = None,
    traced_part: float = 1.0,
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
        lifespan=lambda app: _running(app, settings, database_url, tracer),
        # Each request would pass through it, and see RequestSpans on why not.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.metrics = registry
    app.state.upstream_metrics = UpstreamMetrics(registry)
    install(
        app, settings, {IMPORT_PATH: settings.import_max_bytes}, RequestMetrics(registry), tracer, traced_part
    )
    for router in _ROUTERS:
        # Not include_router: its look-ups cost 15 % of each request, and these bring their prefixes with them.
        app.router.routes.extend(router.routes)
    return app


@asynccontextmanager
async def _running(
    app: FastAPI, settings: Settings, database_url: str | None, tracer: Tracer | None
) -> AsyncGenerator[None]:
    """Everything that works as long as the application does. The ledger ends first: it tells the access of debits."""
    # Of what ends with the lifespan: an application can have one after the other.
    metrics = CollectorRegistry()
    upstream_metrics = app.state.upstream_metrics
    database = MeasuredDatabase(await connect(settings, database_url), DatabaseMetrics(metrics))
    database = database if tracer is None else TracedDatabase(database, tracer)
    app.state.database = database
    app.state.auth = Authenticator.from_settings(settings, database)
    batch_spans, call_spans = (None, None) if tracer is None else (BatchSpans(tracer), CallSpans(tracer))
    try:
        async with (
            open_limiter(settings, metrics) as app.state.limiter,
            discovering(settings, UPSTREAMS, upstream_metrics) as discovery,
            _guarding(app, settings, database, discovery, call_spans) as app.state.access,
            watching(database, metrics),
        ):
            app.state.ledger = Ledger(database, _limits(settings), CommitMetrics(metrics), batch_spans)
            try:
                with _shown(metrics, app.state.metrics):
                    yield
            finally:
                await app.state.ledger.close()
    finally:
        await app.state.auth.close()
        await database.close()


@asynccontextmanager
async def _guarding(
    app: FastAPI, settings: Settings, database: Database, discovery: Discovery, spans: CallSpans | None
) -> AsyncGenerator[WalletAccess]:
    """The access, and the clients that it asks."""
    if not settings.verify_users:
        yield WalletAccess()
        return
    # Its imports, aiohttp among them, are for those only whose users are looked up.
    from wallet_service.platform.membership.clients import open_clients  # noqa: PLC0415

    async with open_clients(settings, database, discovery, app.state.upstream_metrics, spans) as clients:
        app.state.clients = clients
        yield clients.access


@contextmanager
def _shown(metrics: CollectorRegistry, registry: CollectorRegistry) -> Generator[None]:
    """Makes metrics a part of a registry for as long as this is open."""
    registry.register(metrics)  # it collects, as any collector does
    try:
        yield
    finally:
        registry.unregister(metrics)


def _limits(settings: Settings) -> Limits:
    """Calls that wait for a locked wallet leave half of the other connections to everybody else."""
    lanes = settings.commit_lanes
    return Limits(
        lanes=lanes,
        locked_lanes=max(1, (settings.database_pool_size - lanes) // 2),
        batch_operations=settings.commit_batch_operations,
        queue_operations=settings.commit_queue_operations,
        queue_wait_ms=settings.commit_queue_wait_ms,
        lock_wait_ms=max(1, min(settings.commit_lock_wait_ms, settings.database_timeout_ms // 2)),
    )
