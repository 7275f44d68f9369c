"""Declares the room."""

from wallet_service.billing.alerts.problems import AlertLimit, AlertNotFound, AlertNotOwn
from wallet_service.core.room import EventType, Permission, PostingPart, RecordedRead, Room, VerifyWalk

ALERTS_READ = Permission("alerts:read", "Read alerts of balances, and burn rates", is_users=True)
ALERTS_WRITE = Permission(
    "alerts:write",
    "Set alerts of balances: a user those of its own wallets, beside the operator's",
    is_users=True,
)

ROOM = Room(
    name="alerts",
    module=__name__,
    summary="alerts: lines of a wallet's available balance, with an event at each crossing; burn rates",
    routers=("router:router",),
    tags={
        "alerts": "Lines of a wallet's available balance, as amounts or percentages, with an event at each crossing; and "
        "when a wallet will be empty at its present rate."
    },
    permissions=(ALERTS_READ, ALERTS_WRITE),
    problems=(AlertNotFound, AlertNotOwn, AlertLimit),
    schema="billing",
    posting_part=PostingPart(mark=8, open="open_alerts", follow="follow_alerts", write="write_alerts"),
    event_types=(
        EventType(name="alert.created", summary="An alert of a wallet was created.", data="schemas:Alert"),
        EventType(name="alert.updated", summary="An alert of a wallet was changed.", data="schemas:Alert"),
        EventType(name="alert.deleted", summary="An alert of a wallet was deleted.", data="schemas:Alert"),
        EventType(
            name="balance.low",
            summary="The available balance fell to the threshold of an alert, or rose above 0 but not to its recovery.",
            data="schemas:Alert",
        ),
        EventType(
            name="balance.depleted",
            summary="The available balance of a wallet with an alert fell to 0 or below.",
            data="schemas:Alert",
        ),
        EventType(
            name="balance.recovered",
            summary="The available balance rose to the recovery of an alert.",
            data="schemas:Alert",
        ),
    ),
    recorded_reads={
        "list_alerts": RecordedRead(action="alerts.read"),
        "get_alert": RecordedRead(action="alert.read"),
        "get_burn_rate": RecordedRead(action="burn_rate.read"),
    },
    verify_walks=(
        VerifyWalk(
            "verify_alerts",
            "wallets with alerts",
            {
                "alert states": "the state of an alert is that of its wallet's available balance",
                "alert ranges": "the balances between which an alert stays are those of its threshold and state",
                "alert marks": "the kernel asks for the alerts of a wallet that has some",
            },
        ),
    ),
)
