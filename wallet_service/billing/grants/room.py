"""Declares the room."""

from wallet_service.billing.grants.problems import (
    GrantEnded,
    GrantLimit,
    GrantNotFound,
    GrantScheduleLimit,
    GrantScheduleNotFound,
    GrantsNotUsable,
)
from wallet_service.billing.grants.settings import GrantsSettings
from wallet_service.core.room import (
    EventType,
    OperationType,
    Permission,
    PostingPart,
    RecordedRead,
    Room,
    VerifyWalk,
)

GRANTS_READ = Permission("grants:read", "Read grants and their schedules", is_users=True)
GRANTS_WRITE = Permission("grants:write", "Grant credits, void grants, and set schedules")

ROOM = Room(
    name="grants",
    module=__name__,
    summary="grants: credits with a source, a priority, an expiry and a price; schedules that grant again each month",
    routers=("router:router", "schedule_router:router"),
    tags={
        "grants": "Credits with a source, a priority, an end and a price. Debits take from them in order. A schedule "
        "grants credits each month."
    },
    settings=GrantsSettings,
    problems=(
        GrantNotFound,
        GrantEnded,
        GrantLimit,
        GrantsNotUsable,
        GrantScheduleNotFound,
        GrantScheduleLimit,
    ),
    schema="billing",
    event_types=(
        EventType(name="grant.created", summary="Credits were granted.", data="schemas:Grant"),
        EventType(name="grant.started", summary="A grant became effective.", data="schemas:Grant"),
        EventType(name="grant.ending", summary="A grant will end soon.", data="schemas:Grant"),
        EventType(
            name="grant.expired", summary="A grant ended; the rest went to breakage.", data="schemas:Grant"
        ),
        EventType(
            name="grant.carried",
            summary="A part of an allowance was carried over to the next period.",
            data="schemas:Grant",
        ),
        EventType(name="grant.voided", summary="A grant was taken back.", data="schemas:Grant"),
        EventType(
            name="grant_schedule.created",
            summary="A wallet is granted credits each month.",
            data="schedule_schemas:GrantSchedule",
        ),
        EventType(
            name="grant_schedule.updated",
            summary="A schedule of grants was changed.",
            data="schedule_schemas:GrantSchedule",
        ),
        EventType(
            name="grant_schedule.deleted",
            summary="A schedule of grants was deleted, by a request or because its wallet was closed.",
            data="schedule_schemas:GrantSchedule",
        ),
    ),
    recorded_reads={
        "list_grants": RecordedRead(action="grants.read"),
        "get_grant": RecordedRead(action="grant.read"),
        "list_grant_schedules": RecordedRead(action="grant_schedules.read"),
        "get_grant_schedule": RecordedRead(action="grant_schedule.read"),
    },
    permissions=(GRANTS_READ, GRANTS_WRITE),
    operation_types=(
        OperationType(
            name="grant",
            summary="credits are granted, now or from a later moment",
            permission="grants:write",
            form="room",
            decide="decide_grant",
            request="schemas:BatchGrant",
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
    verify_walks=(
        VerifyWalk(
            "verify_grants",
            "grants",
            {
                "grant figures": "what is used, expired, voided and left of a grant is what its postings did",
                "grant postings": "a grant that is effective was posted, one that is not has done nothing",
                "grant entries": "a posting took no more from grants, and gave no more back, than it posted",
                "grant reserves": "grants reserve no more than open holds have locked",
                "grant marks": "the kernel asks for the grants of a wallet that has some",
                "grant times": "a wallet is due no later than what is next to happen to its grants",
            },
        ),
        VerifyWalk(
            "verify_grant_schedules",
            "grant schedules",
            {
                "schedule wallets": "a wallet with a schedule is open, and due no later than the next period",
                "schedule periods": "the next period begins on the day of the schedule, and was not granted yet",
            },
        ),
    ),
    posting_part=PostingPart(
        mark=1,
        settle="settle_grants",
        open="open_grants",
        follow="follow_grants",
        write="write_grants",
        problems=(GrantsNotUsable,),
    ),
)
