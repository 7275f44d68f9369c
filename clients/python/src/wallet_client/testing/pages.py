"""Cursors: where a list goes on, opaque to the caller and good for that one list only."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from wallet_client.testing.problems import Refusal, invalid


def encode(kind: str, scope: Mapping[str, Any], position: Sequence[str | int]) -> str:
    """The cursor that goes on after the position, in the list of this kind and scope."""
    plain = json.dumps([kind, _fingerprint(scope), list(position)], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).rstrip(b"=").decode()


def decode(kind: str, scope: Mapping[str, Any], cursor: str, shape: Sequence[type]) -> list[Any]:
    """The position in a cursor, whose parts have these types.

    Raises:
        Refusal: it is none, or one of another list or other filters.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        decoded: Any = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError):
        raise _refusal("This is not a cursor") from None
    match decoded:
        case [str() as its_kind, str() as its_scope, [*position]]:
            if (its_kind, its_scope) != (kind, _fingerprint(scope)):
                raise _refusal("The cursor belongs to another list or to other filters")
            if list(map(type, position)) == list(shape):
                return position
        case _:
            pass
    raise _refusal("This is not a cursor")


def _fingerprint(scope: Mapping[str, Any]) -> str:
    plain = json.dumps(scope, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _refusal(detail: str) -> Refusal:
    return invalid("query", "/cursor", "cursor_invalid", detail)
