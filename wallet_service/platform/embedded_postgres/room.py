"""What the room of the bundled server declares."""

from wallet_service.core.room import Room
from wallet_service.platform.embedded_postgres.settings import EmbeddedPostgresSettings

ROOM = Room(
    name="embedded_postgres",
    module=__name__,
    summary="the bundled PostgreSQL: its data folder, its start and stop, file rights",
    settings=EmbeddedPostgresSettings,
)
