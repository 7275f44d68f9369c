"""Opens the database when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.database.connect import connect
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.metrics import DatabaseMetrics, MeasuredDatabase
from wallet_service.platform.database.tracing import TracedDatabase


@asynccontextmanager
async def open_database(context: RoomContext) -> AsyncGenerator[None]:
    """The database of the application, with metrics and, if tracing is on, spans, as ``state.database``."""
    database: Database = MeasuredDatabase(
        await connect(context.settings, context.database_url), DatabaseMetrics(context.metrics)
    )
    context.state.database = database if context.tracer is None else TracedDatabase(database, context.tracer)
    try:
        yield
    finally:
        await database.close()
