"""Declares the room."""

from wallet_service.core.room import Room
from wallet_service.platform.http_server.problems import (
    HeadersTooLarge,
    RequestTimeout,
    UriTooLong,
)
from wallet_service.platform.http_server.settings import HttpServerSettings

ROOM = Room(
    name="http_server",
    module=__name__,
    summary="the HTTP server's connections: limits, deadlines, refusals of what can't be parsed, an orderly close",
    settings=HttpServerSettings,
    problems=(RequestTimeout, UriTooLong, HeadersTooLarge),
)
