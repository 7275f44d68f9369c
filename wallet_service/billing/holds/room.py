"""Declares the room."""

from wallet_service.billing.holds.problems import HoldEnded, HoldExceeded, HoldLimit, HoldNotFound
from wallet_service.billing.holds.settings import HoldsSettings
from wallet_service.core.room import (
    EventType,
    OperationType,
    Permission,
    PostingPart,
    RecordedRead,
    Room,
    VerifyWalk,
)

HOLDS_READ = Permission("holds:read", "Read holds", is_users=True)
HOLDS_WRITE = Permission(
    "holds:write",
    "Place holds, and capture, change and void them: a user those that its own tokens placed",
    is_users=True,
    includes=("usage:write",),
)


def _operation(name: str, summary: str, request: str) -> OperationType:
    return OperationType(
        name=name,
        summary=summary,
        permission="holds:write",
        form="room",
        users_operating=True,
        refundable=False,
        decide=f"decide_{name}",
        request=f"batch_operations:{request}",
    )


ROOM = Room(
    name="holds",
    module=__name__,
    summary="holds: an amount is kept for a payment, then captured in one or more steps, voided, or it expires",
    routers=("router:router",),
    tags={
        "holds": "An amount of a wallet that is kept for a payment: captured in one or more steps, voided, or it expires."
    },
    settings=HoldsSettings,
    permissions=(HOLDS_READ, HOLDS_WRITE),
    problems=(HoldNotFound, HoldEnded, HoldExceeded, HoldLimit),
    schema="billing",
    posting_part=PostingPart(mark=2, settle="settle_holds", write="write_holds"),
    operation_types=(
        _operation("hold", "an amount is kept for a payment", "BatchHold"),
        _operation(
            "hold_capture",
            "an amount of a hold is paid; its entry is of another type: `consume`",
            "BatchHoldCapture",
        ),
        _operation("hold_void", "what a hold still keeps is released", "BatchHoldVoid"),
        _operation("hold_extend", "a hold ends later", "BatchHoldExtend"),
        _operation("hold_increase", "a hold keeps more", "BatchHoldIncrease"),
    ),
    event_types=(
        EventType(name="hold.created", summary="A hold was placed.", data="schemas:Hold"),
        EventType(name="hold.captured", summary="An amount of a hold was paid.", data="schemas:Hold"),
        EventType(name="hold.extended", summary="A hold ends later.", data="schemas:Hold"),
        EventType(name="hold.increased", summary="A hold keeps more.", data="schemas:Hold"),
        EventType(name="hold.voided", summary="A hold was voided.", data="schemas:Hold"),
        EventType(name="hold.ending", summary="A hold will expire soon.", data="schemas:Hold"),
        EventType(
            name="hold.expired", summary="A hold expired; the rest is available again.", data="schemas:Hold"
        ),
    ),
    verify_walks=(
        VerifyWalk(
            "verify_holds",
            "holds",
            {
                "hold sums": "captured + voided + expired = authorised once it has ended; an open one keeps something",
                "hold captures": "what was captured of a hold, and beyond it, is what its postings debit",
                "hold grants": "a hold reserves no more of grants than it keeps",
            },
        ),
        VerifyWalk(
            "verify_locked",
            "wallets",
            {
                "locked balance": "a wallet's locked balance is what its open holds keep",
                "hold marks": "the kernel asks for the holds of a wallet exactly if there are open ones, and in time",
                "reserved grants": "what is reserved of a grant is what open holds reserve of it",
            },
        ),
    ),
    recorded_reads={
        "list_holds": RecordedRead(action="holds.read"),
        "get_hold": RecordedRead(action="hold.read"),
    },
)
