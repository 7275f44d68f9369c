"""Idempotency keys: the same key and request have one effect. Calls and attempts: what was refused stays refused."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.requests import Request

from wallet_service.core.errors import IdempotencyKeyConflict, ValidationFailed
from wallet_service.core.identifiers import derived_id, new_id

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


_CALL = "Idempotency-Call"
_ATTEMPT = "Idempotency-Attempt"
_HEX = "[0-9a-fA-F]"
_UUID7 = re.compile(rf"{_HEX}{{8}}-{_HEX}{{4}}-7{_HEX}{{3}}-[89abAB]{_HEX}{{3}}-{_HEX}{{12}}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)

ATTEMPT_PARAMETERS: dict[str, Any] = {
    "parameters": [
        {
            "name": _CALL,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "format": "uuid", "pattern": f"^{_UUID7.pattern}$"},
            "description": "A UUIDv7 that names this call: all attempts of it, and no other call.",
            "example": "019a0f3e-5a7b-7c11-9d2e-3f4a5b6c7d8e",
        },
        {
            "name": _ATTEMPT,
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 1, "maximum": 999_999, "default": 1},
            "description": f"The number of this attempt of the call. Only with `{_CALL}`. When the ledger refuses a "
            "later attempt than the first, no earlier one can post any more: the problem has "
            "`supersedes_earlier_attempts`.",
            "example": 1,
        },
    ]
}
"""The two headers, for the OpenAPI document (``openapi_extra``)."""


@dataclass(frozen=True, slots=True)
class CallAttempt:
    """Which attempt of which call a request is.

    Attributes:
        call_id: the caller's name for the call; None if it named none.
        number: from 1.
    """

    call_id: str | None = None
    number: int = 1

    def transaction_id(self, client_id: str, index: int = 0) -> str:
        """The transaction id of an operation of the request: the same in each attempt.

        It is derived from the call id for this client, so a client can neither use nor block the ids of another one.

        Args:
            client_id: the caller.
            index: the place of the operation in the request.
        """
        return new_id() if self.call_id is None else derived_id(self.call_id, client_id, str(index))


_UNNAMED = CallAttempt()

_IN_LOWER_CASE = frozenset({_CALL.lower().encode(), _ATTEMPT.lower().encode()})


def call_attempt(request: Request) -> CallAttempt:
    """The headers ``Idempotency-Call`` and ``Idempotency-Attempt``.

    Raises:
        ValidationFailed: one of them can't be read, or there is an attempt without a call.
        IdempotencyKeyConflict: one of them was sent more than once with different values.
    """
    # A dependency of FastAPI would cost a posting ten times as much.
    if _IN_LOWER_CASE.isdisjoint([name for name, _ in request.scope["headers"]]):
        return _UNNAMED
    call_id, number = _header(request, _CALL), _header(request, _ATTEMPT)
    if call_id is None:
        raise _unreadable(
            _CALL, f"{_ATTEMPT} counts the attempts of a call, which {_CALL} must name", "call_missing"
        )
    if _UUID7.fullmatch(call_id) is None:
        raise _unreadable(_CALL, f"{_CALL} must be a UUIDv7", "uuid_version")
    if number is not None and _NUMBER.fullmatch(number) is None:
        raise _unreadable(_ATTEMPT, f"{_ATTEMPT} must be a whole number from 1 to 999999", "int_parsing")
    return CallAttempt(call_id.lower(), int(number or 1))


def _header(request: Request, name: str) -> str | None:
    wanted = name.lower().encode()
    values = {value for key, value in request.scope["headers"] if key == wanted}
    if len(values) > 1:
        raise IdempotencyKeyConflict(f"The header {name} was sent with different values")
    return values.pop().decode("latin-1") if values else None


def _unreadable(header: str, detail: str, code: str) -> ValidationFailed:
    return ValidationFailed(
        detail, errors=[{"in": "header", "pointer": f"/{header}", "detail": detail, "code": code}]
    )


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
