"""Idempotency keys: the same key and request have one effect."""

from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.requests import Request

from wallet_service.core.errors import IdempotencyKeyConflict

LONGEST = 255

REPLAYED: dict[str, Any] = {
    "Idempotency-Replayed": {
        "description": "`true` when the key was spent before on this request.",
        "schema": {"type": "string"},
    }
}
"""The header of a replay, for the OpenAPI document."""


async def idempotency_key(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=LONGEST,
            pattern="^[ -~]+$",
            description="Names this request. Sent again with the same key, it has one effect and the same response. "
            "At most 255 characters of printable ASCII.",
            examples=["invoice-2041"],
        ),
    ] = None,
) -> str | None:
    """The header ``Idempotency-Key``, as it was sent.

    Raises:
        IdempotencyKeyConflict: the header was sent more than once with different values.
    """
    if len(set(request.headers.getlist("idempotency-key"))) > 1:
        raise IdempotencyKeyConflict("The header Idempotency-Key was sent with different values")
    return key


HeaderKey = Annotated[str | None, Depends(idempotency_key)]
"""Parameter type of an endpoint that accepts the header."""


def chosen_key(header_key: str | None, body_key: str | None) -> str | None:
    """The key of a request, from its header or its body; None without a key.

    Raises:
        IdempotencyKeyConflict: the two differ.
    """
    if header_key is not None and body_key is not None and header_key != body_key:
        raise IdempotencyKeyConflict
    return header_key if header_key is not None else body_key
