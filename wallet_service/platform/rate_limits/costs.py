"""What a request costs, in tokens: roughly how much more work it is than reading one wallet."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

USUAL = 1
"""A read of a wallet or of a page, a movement, a change."""

COSTS: Mapping[str, int] = {
    "wallet_statistics": 5,
    "user_statistics": 5,
    "service_stats": 20,  # these two read every wallet
    "read_trial_balance": 20,
    "import_wallets": 100,  # its size is known only at its end
    "metrics": 0,  # not limited: whoever watches the service must see it when it is busy
}
"""By the name of the route; every other costs ``USUAL``. Without a caller (health, docs) nothing is counted."""

CSV_COST = 20
CSV_ROUTES = frozenset({"list_wallet_transactions", "list_user_transactions"})
"""Histories: with ``Accept: text/csv`` they are sent whole."""

BATCH_ROUTES = frozenset({"batch"})
"""As many tokens as operations: ``USUAL`` before the body is read, the others once it is."""


def cost_of(scope: Scope) -> int:
    """What this request costs before its body is read; 0 is not limited."""
    name: str = scope["route"].name
    if name in CSV_ROUTES and any(
        header == b"accept" and b"text/csv" in value.lower() for header, value in scope["headers"]
    ):
        return CSV_COST
    return COSTS.get(name, USUAL)


def operations_of(body: Mapping[str, Any]) -> int:
    """What a batch costs, by its body as it was sent: whatever else is wrong with it is found out later."""
    operations = body.get("operations")
    return max(USUAL, len(operations)) if isinstance(operations, list) else USUAL  # pyright: ignore[reportUnknownArgumentType]  # any JSON
