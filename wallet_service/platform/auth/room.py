"""Declares the room."""

from wallet_service.core.errors import Forbidden, Unauthorized
from wallet_service.core.room import Room
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
    problems=(Unauthorized, Forbidden),
)
