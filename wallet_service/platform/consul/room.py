"""Declares the room."""

from wallet_service.core.room import Room
from wallet_service.platform.consul.settings import ConsulSettings

ROOM = Room(
    name="consul",
    module=__name__,
    summary="registration of this instance, and the client of the Consul agent",
    settings=ConsulSettings,
)
