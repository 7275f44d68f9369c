"""Requests that create something, once for each idempotency key: what the rooms' files share.

The database function spends the key with ``platform.spend_key`` and returns
``{"status":"created"|"replayed","<member>":{…}}``. The repository reads that with ``Created.of``
(``created.py``), and the router answers with ``created_response``.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from wallet_service.platform.web.idempotency import REPLAYED
from wallet_service.platform.web.responses import JsonBytes


def created_headers(what: str) -> dict[str, Any]:
    """The headers of the response with status 201, for the OpenAPI document.

    Args:
        what: is created: ``file``.
    """
    location = {"description": f"The path of the {what}.", "schema": {"type": "string"}}
    return {"Location": location, **REPLAYED}


def created_response(
    document: bytes, location: str, *, replayed: bool, headers: Mapping[str, str] | None = None
) -> Response:
    """Status 201 with what was created, also for a replay."""
    sent = {"Location": location, **(headers or {})}
    if replayed:
        sent["Idempotency-Replayed"] = "true"
    return JsonBytes(document, 201, headers=sent)
