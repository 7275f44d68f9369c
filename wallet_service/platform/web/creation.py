"""Requests that create something, once for each idempotency key: what the rooms' files share.

The database function spends the key with ``platform.spend_key`` and returns
``{"status":"created"|"replayed","<member>":{…}}``. The repository reads that with ``Created.of``, and the router answers
with ``created_response``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from wallet_service.platform.web.idempotency import REPLAYED
from wallet_service.platform.web.responses import JsonBytes


@dataclass(frozen=True, slots=True)
class Created:
    """What a request created.

    Attributes:
        document: it as JSON. A replay has the bytes of the first response.
        replayed: whether the key was spent by an earlier request.
    """

    document: bytes
    replayed: bool

    @classmethod
    def of(cls, answer: bytes, member: str) -> "Created":
        """The answer of a database function, with what it created in this member."""
        status, _, document = answer.removeprefix(b'{"status":"').partition(f'","{member}":'.encode())
        return cls(document[:-1], status == b"replayed")


def request_hash(version: int, *members: Any) -> str:
    """The SHA-256, hexadecimal, by which a request is the same as an earlier one with its key.

    Args:
        version: of the choice of members.
        members: all that the request asks for, in the form of JSON.
    """
    return hashlib.sha256(json.dumps([version, *members]).encode()).hexdigest()


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
