"""The response with a posting, for every room that moves money."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from starlette.responses import Response

from wallet_service.ledger.outcomes import Posted
from wallet_service.money.examples import example, transaction
from wallet_service.money.schemas import Transaction
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.responses import JsonBytes

PostedTransaction: TypeAlias = Transaction
"""The model of a posting, for responses of rooms above that have one."""


def posted(*legs: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that posts one operation.

    Args:
        legs: the entries of its example.
    """
    return {
        200: {
            "model": Transaction,
            "description": "The result of a dry run. Nothing was posted.",
            "content": example("dry_run", transaction(*legs, dry_run=True)),
        },
        201: {
            "description": "The operation is posted, by this request or by an earlier one with the same key.",
            "headers": created_headers("transaction"),
            "content": example("posted", transaction(*legs)),
        },
    }


def posted_response(outcome: Posted) -> Response:
    """Status 201 with the transaction, also for a replay; 200 for a dry run."""
    if outcome.dry_run:
        return JsonBytes(outcome.transaction)
    location = f"/api/v1/transactions/{outcome.transaction_id}"
    return created_response(outcome.transaction, location, replayed=outcome.replayed)
