"""Declares the room."""

from wallet_service.core.room import Room

ROOM = Room(
    name="changes",
    module=__name__,
    summary="records who changed what, in the change's own transaction, for events and the audit trail",
    schema="platform",
    lifespan="lifespan:open_reads",
)
