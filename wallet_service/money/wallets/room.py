"""What the wallets room declares."""

from wallet_service.core.room import Room
from wallet_service.money.permissions import WALLETS_READ, WALLETS_WRITE

ROOM = Room(
    name="wallets",
    module=__name__,
    summary="wallets: create, read, change, close, list",
    routers=("router:router",),
    permissions=(WALLETS_READ, WALLETS_WRITE),
)
