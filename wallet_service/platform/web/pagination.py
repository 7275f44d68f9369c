"""Cursors: the position at which a list continues. They are opaque, and valid for that list only."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import Field, TypeAdapter, ValidationError
from starlette.responses import Response

from wallet_service.core.errors import ValidationFailed
from wallet_service.platform.web.query import DIGITS
from wallet_service.platform.web.responses import JsonBytes

T = TypeVar("T")

DEFAULT_LIMIT = 50
MOST_ITEMS = 100
LONGEST_CURSOR = 1024

Limit = Annotated[
    int,
    Field(ge=1, le=MOST_ITEMS),
    DIGITS,
    Query(description="The maximum number of items of a page."),
]
"""Parameter type ``limit: Limit = DEFAULT_LIMIT``."""

CursorText = Annotated[
    str | None,
    Query(
        max_length=LONGEST_CURSOR, description="`next_cursor` of the page before; without it, the first page."
    ),
]
"""Parameter type ``cursor: CursorText = None``."""

BigInt = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A position that fits a bigint. Callers can forge cursors, so it is checked before it reaches SQL."""


def encode_cursor(kind: str, selection: Mapping[str, Any], position: Sequence[str | int]) -> str:
    """The cursor that continues after ``position``.

    Args:
        kind: the name of the list.
        selection: what the list selects by: ids of the path, and filters. ``decode_cursor`` needs the same.
        position: the sort keys of the last item.
    """
    return (
        base64.urlsafe_b64encode(_json([kind, _fingerprint(selection), list(position)])).rstrip(b"=").decode()
    )


def decode_cursor(
    kind: str,
    selection: Mapping[str, Any],
    cursor: str,
    position: TypeAdapter[T],
    place: tuple[str, str] = ("query", "/cursor"),
) -> T:
    """The position in the cursor, of the given type (``TypeAdapter(tuple[BigInt])``).

    Args:
        kind: as for ``encode_cursor``.
        selection: as for ``encode_cursor``.
        cursor: as the caller sent it.
        position: its type.
        place: where the caller sent it: ``in`` and ``pointer`` of the problem.

    Raises:
        ValidationFailed: it is not a cursor, or one of another list or with other filters.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        decoded: Any = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError) as error:
        raise _refusal("This is not a cursor", place) from error
    match decoded:
        case [str() as its_kind, str() as its_selection, its_position]:
            if (its_kind, its_selection) != (kind, _fingerprint(selection)):
                raise _refusal("The cursor belongs to another list or to other filters", place)
        case _:
            raise _refusal("This is not a cursor", place)
    try:
        return position.validate_json(_json(its_position), strict=True)
    except ValidationError as error:
        raise _refusal("This is not a cursor", place) from error


def page_response(
    kind: str,
    selection: Mapping[str, Any],
    items: bytes,
    position: Sequence[str | int] | None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response of a list.

    Args:
        kind: the name of the list, as for ``encode_cursor``.
        selection: as for ``encode_cursor``.
        items: the page, as a JSON array.
        position: the sort keys of its last item; None on the last page.
        headers: further ones.
    """
    cursor = json.dumps(None if position is None else encode_cursor(kind, selection, position)).encode()
    return JsonBytes(b'{"items":' + items + b',"next_cursor":' + cursor + b"}", headers=headers)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _fingerprint(selection: Mapping[str, Any]) -> str:
    # It distinguishes lists and protects no secret, so a short one is enough.
    return hashlib.sha256(_json(selection)).hexdigest()[:16]


def _refusal(detail: str, place: tuple[str, str]) -> ValidationFailed:
    error = {"in": place[0], "pointer": place[1], "detail": detail, "code": "cursor_invalid"}
    return ValidationFailed(detail, errors=[error])
