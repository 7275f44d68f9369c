"""Declares the room."""

from wallet_service.core.room import Room
from wallet_service.platform.vault.problems import VaultUnavailable
from wallet_service.platform.vault.settings import VaultSettings

ROOM = Room(
    name="vault",
    module=__name__,
    summary="encryption of stored secrets and personal files: keys, sealing, rotation",
    settings=VaultSettings,
    problems=(VaultUnavailable,),
    lifespan="lifespan:open_vault",
    commands="commands:add_commands",
)
