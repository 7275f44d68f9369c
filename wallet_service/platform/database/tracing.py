"""A span for each call of the database that a traced request makes."""

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer

from wallet_service.platform.database.gateway import Database, Param
from wallet_service.platform.telemetry.spans import current


class TracedDatabase(Database):
    """Records a span for each call of another ``Database``. It has the function's name, but no parameters."""

    def __init__(self, database: Database, tracer: Tracer) -> None:
        self._database = database
        self._tracer = tracer
        self.limit = database.limit

    async def call(self, function: str, /, **params: Param) -> bytes:
        """See the base class."""
        if not trace.get_current_span().is_recording():
            return await self._database.call(function, **params)
        name = f"wallet_api.{function}"
        attributes = {"db.system.name": "postgresql", "db.stored_procedure.name": name}
        with current(self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)):
            return await self._database.call(function, **params)

    async def close(self) -> None:
        """See the base class."""
        await self._database.close()
