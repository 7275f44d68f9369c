"""Declares the room."""

from wallet_service.core.room import Room

ROOM = Room(
    name="parts",
    module=__name__,
    summary="parts: what the entries of a book were for, split by category, payee and tags",
    schema="finance",
    hooks={"finance.count_label_uses": "count_parts_of_label"},
)
