"""The permission that includes all others. Every other permission is declared by the room whose paths need it."""

from collections.abc import Iterable

from wallet_service.core.room import Permission, Room

ADMIN = Permission("admin", "Everything, of every user")


def names_of(rooms: Iterable[Room], *, users_only: bool = False) -> frozenset[str]:
    """The permissions that rooms declare.

    Args:
        rooms: all of them.
        users_only: those that a user's token has, for the user's own wallets.
    """
    return frozenset(
        permission.name
        for room in rooms
        for permission in room.permissions
        if permission.is_users or not users_only
    )
