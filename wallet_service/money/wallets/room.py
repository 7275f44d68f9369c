"""The declaration of the room of wallets."""

from wallet_service.core.errors import VersionMismatch, WalletNotFound
from wallet_service.core.room import EventType, RecordedRead, Room
from wallet_service.money.permissions import WALLETS_READ, WALLETS_WRITE
from wallet_service.money.wallets.problems import (
    CreditLimitInUse,
    WalletExists,
    WalletNotEmpty,
)

_PERSONAL = ("metadata", "address")
"""Members that callers fill as they like."""


def _event(name: str, summary: str) -> EventType:
    return EventType(name=name, summary=summary, data="schemas:Wallet", masked=_PERSONAL)


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
    event_types=(
        _event("wallet.created", "A wallet was created, before its opening balance was posted."),
        _event("wallet.updated", "The name, metadata, credit limit or preference of a wallet changed."),
        _event("wallet.frozen", "A wallet was frozen; with it other properties may have changed."),
        _event("wallet.unfrozen", "A wallet is no longer frozen; with it other properties may have changed."),
        _event("wallet.verified", "The user of an unverified wallet was found to exist."),
        _event("wallet.closed", "A wallet was closed."),
    ),
    recorded_reads={
        "get_wallet": RecordedRead(action="wallet.read"),
        "list_wallets": RecordedRead(action="wallets.read"),
        "list_user_wallets": RecordedRead(action="user_wallets.read"),
    },
    problems=(WalletNotFound, WalletExists, WalletNotEmpty, CreditLimitInUse, VersionMismatch),
)
