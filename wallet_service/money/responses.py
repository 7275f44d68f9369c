"""The response with a posting, for every room that moves money."""

from typing import Any

from starlette.responses import Response

from wallet_service.ledger.outcomes import Posted
from wallet_service.money.schemas import Transaction
from wallet_service.platform.web.idempotency import REPLAYED
from wallet_service.platform.web.responses import JsonBytes

POSTED: dict[int | str, dict[str, Any]] = {
    200: {"model": Transaction, "description": "The result of a dry run. Nothing was posted."},
    201: {
        "description": "The operation is posted, by this request or by an earlier one with the same key.",
        "headers": {
            "Location": {"description": "The path of the transaction.", "schema": {"type": "string"}},
            **REPLAYED,
        },
    },
}
"""The ``responses`` of a route that posts one operation."""


def posted_response(posted: Posted) -> Response:
    """Status 201 with the transaction, also for a replay; 200 for a dry run."""
    if posted.dry_run:
        return JsonBytes(posted.transaction)
    headers = {"Location": f"/api/v1/transactions/{posted.transaction_id}"}
    if posted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return JsonBytes(posted.transaction, 201, headers=headers)
