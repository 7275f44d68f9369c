"""The declaration of the room of statements."""

from wallet_service.core.room import RecordedRead, RequestCost, Room

_HISTORY = RequestCost(csv_tokens=20)
"""With ``Accept: text/csv`` the response has the whole history."""

ROOM = Room(
    name="statements",
    module=__name__,
    summary="transactions, histories (JSON and CSV) and balances at a moment",
    routers=("router:router",),
    tags={
        "statements": "What was posted, newest first, as JSON or CSV, and a wallet's balance now or at a past moment."
    },
    request_costs={"list_wallet_transactions": _HISTORY, "list_user_transactions": _HISTORY},
    recorded_reads={
        "get_transaction": RecordedRead(action="transaction.read"),
        "get_balance": RecordedRead(action="balance.read"),
        "list_wallet_transactions": RecordedRead(action="transactions.read"),
        "list_user_transactions": RecordedRead(action="user_transactions.read"),
    },
)
