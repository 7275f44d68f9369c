"""The permission ``admin``, which includes all others. Rooms declare the permissions that their paths require."""

from collections.abc import Iterable

from wallet_service.core.room import Permission, Room

ADMIN = Permission("admin", "Everything, of every user")


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
