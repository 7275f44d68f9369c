"""What the credits room declares."""

from wallet_service.core.room import Room

ROOM = Room(
    name="credits",
    module=__name__,
    summary="a user's credits, for older clients",
    routers=("router:router",),
)
