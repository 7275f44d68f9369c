"""Declares the room."""

from wallet_service.core.room import Permission, Room, VerifyWalk
from wallet_service.delivery.events.problems import CursorExpired
from wallet_service.delivery.events.settings import EventsSettings

PATH = "/api/v1/events"

EVENTS_READ = Permission(
    "events:read", "Read events: what was posted, and what else changed, in one order", is_users=True
)

ROOM = Room(
    name="events",
    module=__name__,
    summary="events in one stable order, as CloudEvents: pages, and a stream of server-sent events",
    routers=("router:router",),
    tags={
        "events": "What happened, in one stable order, as CloudEvents: read pages with a cursor, or an open stream."
    },
    settings=EventsSettings,
    permissions=(EVENTS_READ,),
    problems=(CursorExpired,),
    lifespan="lifespan:open_events",
    schema="delivery",
    verify_walks=(
        VerifyWalk(
            "verify_events",
            "events",
            {
                "numbers": "events are numbered without a gap",
                "event order": "the events of a wallet follow its versions without a gap",
                "event rows": "an event of a posting has its ledger row",
            },
        ),
        VerifyWalk(
            "verify_event_wallets",
            "wallets",
            {
                "events": "each entry has one event, since events are recorded",
                "outbox": "no entry waits for more than a day for its event's number",
            },
        ),
    ),
)
