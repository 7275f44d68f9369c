"""Declares the room."""

from wallet_service.billing.spending_limits.problems import LimitExceeded
from wallet_service.core.room import EventType, Permission, PostingPart, RecordedRead, Room, VerifyWalk

LIMITS_READ = Permission("limits:read", "Read what wallets may spend", is_users=True)
LIMITS_WRITE = Permission(
    "limits:write",
    "Set what wallets may spend: a user those of its own wallets, beside the operator's",
    is_users=True,
)

ROOM = Room(
    name="spending_limits",
    module=__name__,
    summary="limits: what a wallet may spend in one transaction, in a period, or in a rolling window",
    routers=("router:router",),
    tags={
        "limits": "What a wallet may spend in one transaction, in a day, week or month, or in a rolling window: set by "
        "the operator and by the owner, and checked with each debit."
    },
    permissions=(LIMITS_READ, LIMITS_WRITE),
    problems=(LimitExceeded,),
    schema="billing",
    posting_part=PostingPart(
        mark=4,
        open="open_limits",
        follow="follow_limits",
        write="write_limits",
        problems=(LimitExceeded,),
    ),
    event_types=(
        EventType(
            name="limits.updated",
            summary="The operator or the owner of a wallet changed its limits.",
            data="schemas:LimitDefinitions",
        ),
    ),
    recorded_reads={"get_limits": RecordedRead(action="limits.read")},
    verify_walks=(
        VerifyWalk(
            "verify_limits",
            "wallets with limits",
            {
                "limit counters": "what is used of a limit is what the ledger has of its period or window",
                "limit periods": "a period ends after it begins, and a window has lost what is older than it",
                "limit marks": "the kernel asks for the limits of a wallet exactly if there are some",
            },
        ),
    ),
)
