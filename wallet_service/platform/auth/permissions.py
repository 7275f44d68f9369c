"""The permission ``admin``, which includes all others. Rooms declare the permissions that their paths require."""

from collections.abc import Iterable, Mapping

from wallet_service.core.room import Permission, Room

ADMIN = Permission(
    "admin", "Everything, of every user; a key with it can't be restricted", spans_wallets=True
)


def names_of(rooms: Iterable[Room], *, users_only: bool = False) -> frozenset[str]:
    """The names of the permissions that rooms declare.

    Args:
        rooms: all rooms.
        users_only: only the permissions of a user token.
    """
    return frozenset(
        permission.name
        for room in rooms
        for permission in room.permissions
        if permission.is_users or not users_only
    )


class Bundles:
    """Which permissions include which others."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self._includes: Mapping[str, tuple[str, ...]] = {
            permission.name: permission.includes for room in rooms for permission in room.permissions
        }

    def expand(self, scopes: Iterable[str]) -> frozenset[str]:
        """The scopes, and all that they include. A scope that no room declares includes nothing."""
        found: set[str] = set()
        pending = list(scopes)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self._includes.get(name, ())
        return frozenset(found)
