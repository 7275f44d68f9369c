"""Declares the room."""

from wallet_service.billing.rates.problems import (
    MeterExists,
    MeterNotFound,
    PriceNotFound,
    RateCardEnded,
    RateCardNotFound,
    RateCardOverlap,
    RateVersionLimit,
    RateVersionOverlap,
    TimestampRefused,
    UsageEventConflict,
    UsageNotFound,
)
from wallet_service.billing.rates.settings import RatesSettings
from wallet_service.core.room import (
    EventType,
    OperationType,
    Permission,
    PostingPart,
    RecordedRead,
    RequestCost,
    Room,
    VerifyWalk,
)
from wallet_service.money.permissions import RATES_READ, RATES_WRITE

USAGE_READ = Permission("usage:read", "Read rated usage of wallets", is_users=True)

ROOM = Room(
    name="rates",
    module=__name__,
    summary="rated usage: meters, rate cards with versions, and events of usage that are priced and posted",
    routers=("router:router", "cards_router:router"),
    tags={
        "usage": "Events of usage: each is priced by the rate card of its meter, and posted as `consume`.",
        "rates": "What is measured, and what it costs: meters and rate cards.",
    },
    settings=RatesSettings,
    permissions=(RATES_READ, RATES_WRITE, USAGE_READ),
    problems=(
        MeterNotFound,
        MeterExists,
        RateCardNotFound,
        RateCardOverlap,
        RateVersionOverlap,
        RateCardEnded,
        RateVersionLimit,
        PriceNotFound,
        TimestampRefused,
        UsageEventConflict,
        UsageNotFound,
    ),
    request_costs={"report_usage_batch": RequestCost(is_per_operation=True, operations="events")},
    schema="billing",
    operation_types=(
        OperationType(
            name="usage",
            summary="an event of usage is rated, and posted as `consume`",
            permission="usage:write",
            form="room",
            users_operating=True,
            decide="decide_usage",
            checks_restriction=True,
        ),
        OperationType(
            name="usage_correction",
            summary="what volume tiers give back when a month reaches a cheaper one; the service posts it by itself",
            permission="usage:write",
            form="room",
            refundable=False,
        ),
    ),
    posting_part=PostingPart(mark=32, write="write_usage"),
    event_types=(
        EventType(name="meter.created", summary="A meter was created.", data="card_schemas:Meter"),
        EventType(name="rate_card.created", summary="A rate card was created.", data="card_schemas:RateCard"),
        EventType(
            name="rate_card.updated", summary="A rate card got a version.", data="card_schemas:RateCard"
        ),
        EventType(
            name="rate_card.ended", summary="The end of a rate card was set.", data="card_schemas:RateCard"
        ),
    ),
    verify_walks=(
        VerifyWalk(
            "verify_usage",
            "events of usage",
            {
                "usage posted": "an event of usage has the posting that its amount says, and none where that is 0",
                "usage rated": "the amount of an event of usage follows from its rate card, and is rounded once",
            },
        ),
        VerifyWalk(
            "verify_usage_days",
            "days of usage",
            {"usage days": "the totals of a day of usage are those of its events"},
        ),
        VerifyWalk(
            "verify_usage_counters",
            "wallets with rated usage",
            {"usage counters": "what tiers count in a month is what its events used"},
        ),
    ),
    recorded_reads={
        "get_usage": RecordedRead(action="usage.read"),
        "get_usage_totals": RecordedRead(action="usage_totals.read"),
        "list_usage_events": RecordedRead(action="usage_events.read"),
    },
)
