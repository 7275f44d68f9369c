"""The application: settings, database, routers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from wallet_service import __version__
from wallet_service.credits.router import router as credits_router
from wallet_service.database.connect import connect
from wallet_service.health import router as health_router
from wallet_service.http.auth import Authenticator
from wallet_service.http.limits.limiter import open_limiter
from wallet_service.http.setup import install
from wallet_service.imports.router import PATH as IMPORT_PATH
from wallet_service.imports.router import router as imports_router
from wallet_service.ledger.group_commit import Limits
from wallet_service.ledger.meter import CommitMeter
from wallet_service.ledger.service import Ledger
from wallet_service.metrics import router as metrics_router
from wallet_service.neighbours.clients import open_clients
from wallet_service.neighbours.watch import discovering
from wallet_service.settings import Settings
from wallet_service.statements.router import router as statements_router
from wallet_service.statistics.router import router as statistics_router
from wallet_service.transactions.router import router as transactions_router
from wallet_service.wallets.router import router as wallets_router

DESCRIPTION = (
    "A wallet and credits ledger: every movement of money is one atomic, idempotent, balanced posting."
)


def create_app(settings: Settings, database_url: str | None = None) -> FastAPI:
    """The service on this database, or on the Supabase project of the settings.

    Connections are made when they are needed.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        database = await connect(settings, database_url)
        app.state.database = database
        app.state.metrics = CollectorRegistry()
        app.state.ledger = Ledger(database, _limits(settings), CommitMeter(app.state.metrics))
        app.state.auth = Authenticator.from_settings(settings, database)
        try:
            async with (
                open_limiter(settings, app.state.metrics) as app.state.limiter,
                discovering(settings) as discovery,
                open_clients(settings, database, discovery) as app.state.clients,
            ):
                app.state.guard = app.state.clients.guard
                yield
        finally:
            await app.state.ledger.close()
            await app.state.auth.close()
            await database.close()

    app = FastAPI(
        title="Wallet service",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # Each request would pass through it to find that nobody exports anything.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    install(app, settings, {IMPORT_PATH: settings.import_max_bytes})
    for router in (
        health_router,
        metrics_router,
        imports_router,
        wallets_router,
        transactions_router,
        statements_router,
        statistics_router,
        credits_router,
    ):
        # Not include_router: its look-ups cost 15 % of each request, and these bring their prefixes with them.
        app.router.routes.extend(router.routes)
    return app


def _limits(settings: Settings) -> Limits:
    """Calls that wait for a held wallet leave half of the other connections to everybody else."""
    lanes = settings.commit_lanes
    return Limits(
        lanes=lanes,
        held_lanes=max(1, (settings.database_pool_size - lanes) // 2),
        batch_operations=settings.commit_batch_operations,
        queue_operations=settings.commit_queue_operations,
        queue_wait_ms=settings.commit_queue_wait_ms,
        lock_wait_ms=max(1, min(settings.commit_lock_wait_ms, settings.database_timeout_ms // 2)),
    )
