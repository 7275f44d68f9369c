"""Opens the room when the application starts."""

import asyncio
import contextvars
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.finance.parts.metrics import PartsMetrics
from wallet_service.finance.parts.repository import CatalogueRepository
from wallet_service.finance.parts.service import Cataloguing, stop


@asynccontextmanager
async def open_parts(context: RoomContext) -> AsyncGenerator[None]:
    """Catalogue what is posted, as ``state.cataloguing``."""
    cataloguing = Cataloguing(CatalogueRepository(context.state.database), PartsMetrics(context.metrics))
    context.state.cataloguing = cataloguing
    # In a context of its own: it belongs to no request.
    task = asyncio.create_task(cataloguing.run(), context=contextvars.Context())
    try:
        yield
    finally:
        await stop(task)
        await cataloguing.close()
