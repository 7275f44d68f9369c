"""Declares the room."""

from typing import Final

from wallet_service.billing.top_ups.problems import TopUpNotFound, TopUpRuleNotFound, TopUpUnderWay
from wallet_service.billing.top_ups.settings import TopUpsSettings
from wallet_service.core.room import (
    EventType,
    JobType,
    Permission,
    PostingPart,
    RecordedRead,
    Room,
    VerifyWalk,
)

COUNTER_ACCOUNT: Final = "external:top_ups"
"""The other side of the deposits."""

TOP_UPS_READ = Permission("top_ups:read", "Read top-ups and their rules", is_users=True)
TOP_UPS_WRITE = Permission("top_ups:write", "Top up wallets: charge payment methods, now and by rules")

_STEPS = {
    "created": "A top-up was started: by its rule, because the wallet runs low, or by a request.",
    "started": "The payment method is about to be charged.",
    "pending": "The payment service still decides about the payment.",
    "charged": "The payment succeeded; the deposit follows.",
    "completed": "What was charged is deposited.",
    "declined": "The payment was declined.",
    "failed": "What was charged could not be deposited: it must be given back at the payment service.",
    "cancelled": "A top-up ended before it charged, because it is not needed any more, or not allowed.",
    "refunded": "The payment of a deposit was given back at the payment service; nothing was booked.",
}
_RULES = {
    "created": "A wallet got a rule for top-ups.",
    "updated": "The rule of a wallet was set again.",
    "deleted": "The rule of a wallet was deleted.",
    "paused": "A rule charges no more for a while, or until it is set again.",
    "resumed": "The pause of a rule is over.",
}

ROOM = Room(
    name="top_ups",
    module=__name__,
    summary="top-ups: a wallet that runs low is filled by a charge of the payment service",
    routers=("router:router",),
    tags={
        "top-ups": "A wallet that runs low is filled by a charge of the payment service: by its rule, or on request."
    },
    settings=TopUpsSettings,
    permissions=(TOP_UPS_READ, TOP_UPS_WRITE),
    problems=(TopUpRuleNotFound, TopUpNotFound, TopUpUnderWay),
    lifespan="lifespan:open_top_ups",
    schema="billing",
    posting_part=PostingPart(mark=16, settle="settle_top_ups", write="write_top_ups"),
    event_types=(
        *(
            EventType(
                name=f"top_up.{name}", summary=summary, data="schemas:TopUp", masked=("payment_method",)
            )
            for name, summary in _STEPS.items()
        ),
        *(
            EventType(
                name=f"top_up_rule.{name}",
                summary=summary,
                data="schemas:TopUpRule",
                masked=("payment_method",),
            )
            for name, summary in _RULES.items()
        ),
    ),
    recorded_reads={
        "get_top_up_rule": RecordedRead(action="top_up_rule.read"),
        "list_top_ups": RecordedRead(action="top_ups.read"),
        "get_top_up": RecordedRead(action="top_up.read"),
    },
    jobs=(
        JobType(
            name="advance_top_up",
            summary="charges a top-up and deposits it, or looks whether its payment has ended",
            handler="jobs:advance_top_up",
            max_attempts=1000,
        ),
        JobType(
            name="wake_top_ups",
            summary="enqueues jobs of top-ups that are under way and have none",
            handler="jobs:wake_top_ups",
            schedule="*/5 * * * *",
        ),
    ),
    worker_loops=("counting:show_top_ups",),
    verify_walks=(
        VerifyWalk(
            "verify_top_ups",
            "top-ups",
            {
                "top-up deposits": "a top-up that is completed or refunded has its deposit in the ledger, and no other "
                "has one but a charged one",
                "top-up amounts": "the deposit has the wallet, the amount and the counter account of the top-up",
            },
        ),
        VerifyWalk(
            "verify_top_up_rules",
            "wallets with rules for top-ups",
            {
                "top-up marks": "the kernel asks for the rule of a wallet exactly if there is one",
                "top-up pauses": "a pause that ends by itself is due at its wallet",
            },
        ),
    ),
)
