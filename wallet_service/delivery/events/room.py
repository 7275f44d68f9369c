"""Declares the room."""

from wallet_service.core.room import Room

ROOM = Room(
    name="events",
    module=__name__,
    summary="events in one stable order, as CloudEvents: pages, and a stream of server-sent events",
    schema="delivery",
)
