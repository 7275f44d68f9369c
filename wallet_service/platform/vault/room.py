"""Declares the room."""

from wallet_service.core.room import EventType, Room
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
    event_types=(
        EventType(
            name="credentials.rotated",
            summary="Sealed values of a room were sealed with the first key of the vault.",
            data="schemas:RotatedCredentials",
        ),
    ),
)
