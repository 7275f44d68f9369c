"""Opens the files when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.files.metrics import FilesMetrics
from wallet_service.platform.files.repository import FileRepository
from wallet_service.platform.files.service import FileService
from wallet_service.platform.files.settings import FilesSettings


@asynccontextmanager
async def open_files(context: RoomContext) -> AsyncGenerator[None]:
    """The files of all owners, as ``state.files``."""
    context.state.files = FileService(
        FileRepository(context.state.database),
        context.state.vault,
        context.settings[FilesSettings],
        FilesMetrics(context.metrics),
    )
    yield
