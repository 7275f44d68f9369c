"""Opens the vault when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.vault.metrics import VaultMetrics
from wallet_service.platform.vault.service import Vault
from wallet_service.platform.vault.settings import VaultSettings


@asynccontextmanager
async def open_vault(context: RoomContext) -> AsyncGenerator[None]:
    """The vault of the settings, as ``state.vault``."""
    context.state.vault = Vault.from_settings(context.settings[VaultSettings], VaultMetrics(context.metrics))
    yield
