"""The caller's own name of a request: the same name and request have one effect."""

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
"""The header of an answer that was given before, as OpenAPI describes it."""


async def idempotency_key(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=LONGEST,
            pattern="^[ -~]+$",
            description="Names this request: sent again with the same key, it has one effect and one answer. "
            "At most 255 characters of printable ASCII.",
            examples=["invoice-2041"],
        ),
    ] = None,
) -> str | None:
    """The header ``Idempotency-Key``, taken literally.

    Raises:
        IdempotencyKeyConflict: the header was sent more than once with different values.
    """
    if len(set(request.headers.getlist("idempotency-key"))) > 1:
        raise IdempotencyKeyConflict("The header Idempotency-Key was sent with different values")
    return key


HeaderKey = Annotated[str | None, Depends(idempotency_key)]
"""Parameter type of an endpoint that takes the header."""


def chosen_key(header_key: str | None, body_key: str | None) -> str | None:
    """The one key of a request that may name it in its header, in its body, or not at all.

    Raises:
        IdempotencyKeyConflict: both are given and differ.
    """
    if header_key is not None and body_key is not None and header_key != body_key:
        raise IdempotencyKeyConflict
    return header_key if header_key is not None else body_key
