"""What the transactions room declares."""

from wallet_service.core.room import EventType, RequestCost, Room
from wallet_service.money.permissions import CREDIT_LIMITS_WRITE, MOVES, TRANSACTIONS_WRITE

ROOM = Room(
    name="transactions",
    module=__name__,
    summary="moving money: single operations, transfers, refunds, batches",
    routers=("router:router",),
    tags={
        "transactions": "Move money: deposit, withdraw, consume, reward, fee, transfer, refund, and batches of these."
        " Name each request by an `Idempotency-Key`; then it can be sent again without harm."
    },
    permissions=(TRANSACTIONS_WRITE, *MOVES, CREDIT_LIMITS_WRITE),
    event_types=(
        EventType(
            name="transaction.posted",
            summary="An entry was posted: one event for each wallet of a posting.",
            data=".schemas:Entry",
            is_change=False,
        ),
    ),
    request_costs={"batch": RequestCost(is_per_operation=True)},
    lifespan="lifespan:open_posting_hooks",
)
