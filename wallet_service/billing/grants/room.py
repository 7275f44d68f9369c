"""Declares the room."""

from wallet_service.core.room import OperationType, Permission, PostingPart, Room

GRANTS_READ = Permission("grants:read", "Read grants and their schedules", is_users=True)
GRANTS_WRITE = Permission("grants:write", "Grant credits, void grants, and set schedules")

ROOM = Room(
    name="grants",
    module=__name__,
    summary="grants: credits with a source, a priority, an expiry and a price; schedules that grant again each month",
    schema="billing",
    permissions=(GRANTS_READ, GRANTS_WRITE),
    operation_types=(
        OperationType(
            name="grant",
            summary="credits are granted, now or from a later moment",
            permission="grants:write",
            form="room",
            decide="decide_grant",
        ),
        OperationType(
            name="grant_void",
            summary="what is left of a grant is taken back",
            permission="grants:write",
            form="room",
            decide="decide_grant_void",
            refundable=False,
        ),
        OperationType(
            name="grant_expiry",
            summary="what was left of a grant when it expired; the service posts it by itself",
            permission="grants:write",
            form="room",
            refundable=False,
        ),
    ),
    posting_part=PostingPart(
        mark=1, settle="settle_grants", open="open_grants", follow="follow_grants", write="write_grants"
    ),
)
