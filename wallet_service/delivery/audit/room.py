"""Declares the room."""

from wallet_service.core.room import EventType, JobType, RecordedRead, RequestCost, Room, VerifyWalk
from wallet_service.delivery.audit.permissions import AUDIT_READ
from wallet_service.delivery.audit.settings import AuditSettings

ROOM = Room(
    name="audit",
    module=__name__,
    summary="the audit trail: who changed what, and who read another person's data",
    schema="delivery",
    routers=("router:router",),
    tags={
        "audit": "Who changed wallets, keys and files, and who read another person's data with the operator's rights."
    },
    settings=AuditSettings,
    permissions=(AUDIT_READ,),
    commands="commands:add_commands",
    jobs=(
        JobType(
            name="delete_old_audit_entries",
            summary="deletes entries of the audit trail that are older than the retention",
            handler="jobs:delete_old_entries",
            schedule="53 3 * * *",
        ),
    ),
    # With `Accept: text/csv` the response has every entry that matches.
    request_costs={"list_audit_entries": RequestCost(csv_tokens=20)},
    recorded_reads={"list_audit_entries": RecordedRead(action="audit_entries.read", by_all=True)},
    event_types=(
        EventType(
            name="audit_entries.expired",
            summary="Entries of the audit trail that were older than the retention were deleted.",
            data="schemas:ExpiredEntries",
        ),
    ),
    verify_walks=(
        VerifyWalk(
            "verify_audit_entries",
            "audit entries",
            {
                "audit event": "an entry of a change names its event, and one of a read has none",
                "event of entry": "the event that an entry names exists, as long as events are kept",
                "audit changes": "an entry with a before and an after has what differs",
                "audit time": "no entry was recorded after the present moment",
            },
        ),
        VerifyWalk(
            "verify_audited_events",
            "changes with an event",
            {"audited": "each change that has an event has an entry in the audit trail"},
        ),
    ),
)
