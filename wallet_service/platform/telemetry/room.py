"""Declares the room."""

from wallet_service.core.room import Room
from wallet_service.platform.telemetry.settings import TelemetrySettings

ROOM = Room(
    name="telemetry",
    module=__name__,
    summary="logs, traces and spans",
    settings=TelemetrySettings,
)
