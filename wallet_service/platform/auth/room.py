"""What the auth room declares."""

from wallet_service.core.errors import Forbidden, Unauthorized
from wallet_service.core.room import Room
from wallet_service.platform.auth.permissions import ADMIN
from wallet_service.platform.auth.settings import AuthSettings

ROOM = Room(
    name="auth",
    module=__name__,
    summary="callers: keys of services, tokens of users, permissions",
    settings=AuthSettings,
    permissions=(ADMIN,),
    lifespan="authentication:open_authenticator",
    commands="commands:add_commands",
    problems=(Unauthorized, Forbidden),
)
