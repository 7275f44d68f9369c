"""Declares the room."""

from wallet_service.core.room import Room

ROOM = Room(
    name="fx",
    module=__name__,
    summary="exchange rates of days, quotes, and conversions of money by them",
    schema="finance",
)
