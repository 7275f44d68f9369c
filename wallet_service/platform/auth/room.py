"""Declares the room."""

from wallet_service.core.errors import Forbidden, Unauthorized
from wallet_service.core.room import EventType, Room
from wallet_service.platform.auth.permissions import ADMIN
from wallet_service.platform.auth.settings import AuthSettings

ROOM = Room(
    name="auth",
    module=__name__,
    summary="callers: API keys, user tokens, permissions",
    settings=AuthSettings,
    permissions=(ADMIN,),
    lifespan="lifespan:open_authenticator",
    commands="commands:add_commands",
    event_types=(
        EventType(name="api_key.created", summary="An API key was created.", data="schemas:ApiKey"),
        EventType(name="api_key.revoked", summary="An API key was revoked.", data="schemas:ApiKey"),
    ),
    problems=(Unauthorized, Forbidden),
)
