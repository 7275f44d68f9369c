"""Parameter types of endpoints: the caller, who has the permission."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from wallet_service.core.room import Permission, Room
from wallet_service.money.permissions import MOVES, STATS_READ, USAGE_WRITE, WALLETS_READ, WALLETS_WRITE
from wallet_service.platform.auth.authentication import BearerPrincipal, Principal, requires


def batch_permissions(rooms: Sequence[Room]) -> Sequence[Permission]:
    """The permissions of the operations that a batch may have: those of the ledger, and those of rooms above."""
    declared = {each.name: each for room in rooms for each in room.permissions}
    of_rooms = {
        kind.permission: declared[kind.permission]
        for room in rooms
        for kind in room.operation_types
        if kind.request is not None
    }
    return (*MOVES, *of_rooms.values())


class BatchPrincipal(BearerPrincipal):
    """A caller with the permission of at least one type of operations. Of which types, all rooms declare."""

    def check_permission(self, request: Request, known: Principal) -> None:
        """Refuse a caller who may post nothing.

        Raises:
            Forbidden: with the permissions as a fact.
        """
        known.require_one_of(request.app.state.posting_hooks.senders)


WalletReader = Annotated[Principal, requires(WALLETS_READ)]
WalletWriter = Annotated[Principal, requires(WALLETS_WRITE)]
UsageWriter = Annotated[Principal, requires(USAGE_WRITE)]
BatchSender = Annotated[Principal, Depends(BatchPrincipal())]
"""May post at least one kind of operation; each operation is checked by itself."""
StatsReader = Annotated[Principal, requires(STATS_READ)]
