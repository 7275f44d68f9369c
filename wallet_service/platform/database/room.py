"""What the database room declares."""

from wallet_service.core.errors import Overloaded, Unavailable, WalletBusy
from wallet_service.core.room import Room
from wallet_service.platform.database.settings import DatabaseSettings

ROOM = Room(
    name="database",
    module=__name__,
    summary="the seam to PostgreSQL: one function call over asyncpg or PostgREST; migrations",
    settings=DatabaseSettings,
    lifespan="connect:open_database",
    commands="commands:add_commands",
    problems=(Unavailable, Overloaded, WalletBusy),
)
