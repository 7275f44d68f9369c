"""Declares the room."""

from wallet_service.core.room import PostingPart, Room

ROOM = Room(
    name="spending_limits",
    module=__name__,
    summary="limits: what a wallet may spend in one transaction, in a period, or in a rolling window",
    schema="billing",
    posting_part=PostingPart(mark=4, open="open_limits", follow="follow_limits", write="write_limits"),
)
