"""The declaration of the room of wallets."""

from wallet_service.core.errors import VersionMismatch, WalletNotFound
from wallet_service.core.room import EventType, Room
from wallet_service.money.permissions import WALLETS_READ, WALLETS_WRITE
from wallet_service.money.wallets.problems import (
    CreditLimitInUse,
    WalletExists,
    WalletNotEmpty,
)

ROOM = Room(
    name="wallets",
    module=__name__,
    summary="wallets: create, read, change, close, list",
    routers=("router:router",),
    tags={
        "wallets": "A wallet is an account of one user in one currency. Create it first; read, change and close it."
    },
    commands="commands:add_commands",
    permissions=(WALLETS_READ, WALLETS_WRITE),
    event_types=(EventType(name="wallet.closed", summary="A wallet was closed.", data="schemas:Wallet"),),
    problems=(WalletNotFound, WalletExists, WalletNotEmpty, CreditLimitInUse, VersionMismatch),
)
