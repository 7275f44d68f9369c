"""Declares the room."""

from wallet_service.core.room import RecordedRead, RequestCost, Room

ROOM = Room(
    name="explain",
    module=__name__,
    summary="why a balance is what it is, and what a period earned",
    routers=("router:router",),
    tags={
        "billing": "Why the balance of a wallet is what it is, and for finance what was granted, consumed, expired and "
        "refunded in a period, and what is still owed."
    },
    schema="billing",
    request_costs={"explain_wallet": RequestCost(5), "billing_summary_of_period": RequestCost(20)},
    recorded_reads={"explain_wallet": RecordedRead(action="wallet.explained")},
)
