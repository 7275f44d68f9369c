"""How a posting is answered, in every room that moves money."""

from typing import Any

from starlette.responses import Response

from wallet_service.ledger.outcomes import Posted
from wallet_service.money.schemas import Transaction
from wallet_service.platform.web.idempotency import REPLAYED
from wallet_service.platform.web.responses import JsonBytes

POSTED: dict[int | str, dict[str, Any]] = {
    200: {"model": Transaction, "description": "A dry run: nothing was kept."},
    201: {
        "description": "Posted, now or when the key was first spent.",
        "headers": {
            "Location": {"description": "The transaction's path.", "schema": {"type": "string"}},
            **REPLAYED,
        },
    },
}
"""The ``responses`` of a route that posts one operation."""


def posted_response(posted: Posted) -> Response:
    """201 with the transaction, a replay too; 200 for a dry run."""
    if posted.dry_run:
        return JsonBytes(posted.transaction)
    headers = {"Location": f"/api/v1/transactions/{posted.transaction_id}"}
    if posted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return JsonBytes(posted.transaction, 201, headers=headers)
