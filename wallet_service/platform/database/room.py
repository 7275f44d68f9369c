"""Declares the room."""

from wallet_service.core.errors import Overloaded, Unavailable, WalletBusy
from wallet_service.core.room import Room
from wallet_service.platform.database.settings import DatabaseSettings, find_faults

ROOM = Room(
    name="database",
    module=__name__,
    summary="calls of database functions, over asyncpg or PostgREST; migrations",
    settings=DatabaseSettings,
    settings_checks=(find_faults,),
    lifespan="lifespan:open_database",
    commands="commands:add_commands",
    problems=(Unavailable, Overloaded, WalletBusy),
)
