"""Strict JSON: exact numbers, no ambiguity, no text that the database can't store."""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from wallet_service.core.errors import MalformedRequest, ValidationFailed

DEEPEST = 32
LONGEST_NUMBER = 64
LARGEST_EXPONENT = 400
"""Larger than that of any amount, and small enough that PostgreSQL does not write megabytes for a short number."""

_EXPONENT = re.compile(r"[eE]([+-]?\d+)$")


def loads(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Numbers with a fraction or exponent become Decimal.

    Raises:
        MalformedRequest: it is not JSON or not UTF-8, has NaN, Infinity or a key twice in one object, or is nested too
            deeply.
        ValidationFailed: a number is too long, or a text has U+0000 or half a surrogate pair.
    """
    try:
        text = body.decode()
        value = json.loads(text) if text.startswith("\ufeff") else _decoder.decode(text)  # that refuses it
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body is not UTF-8") from error
    except json.JSONDecodeError as error:
        # The parser's message has the rule and the place, never the text itself.
        raise MalformedRequest(f"The body is not JSON: {error.msg}, at character {error.pos}") from error
    except RecursionError as error:
        raise _too_deep() from error
    # Most bodies need no check of the tree: with few brackets nothing is nested too deeply, and without an escape
    # every character is one that UTF-8 and JSON allow.
    if body.count(b"{") + body.count(b"[") > DEEPEST or b"\\u" in body:
        _check_tree(value)
    return value


def _decimal(text: str) -> Decimal:
    exponent = _EXPONENT.search(text)
    if len(text) > LONGEST_NUMBER or (exponent and abs(int(exponent[1])) > LARGEST_EXPONENT):
        raise _number_refused()
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise _number_refused()
    return int(text)


def _constant(name: str) -> NoReturn:
    raise MalformedRequest(f"The body is not JSON: {name} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedRequest("The body has a key twice in one object")
    return members


_decoder = json.JSONDecoder(
    parse_float=_decimal, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object
)
"""``json.loads`` creates one for each text."""


def _check_tree(value: Any) -> None:
    """Check the value level by level, without recursion."""
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below += item.keys()  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # any JSON
                below += item.values()  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # any JSON
            elif isinstance(item, list):
                below += item
        if not below:
            return
        level = below
    raise _too_deep()


def _check_text(text: str) -> None:
    if text.isascii() and "\0" not in text:
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _text_refused() from error
    if "\0" in text:
        raise _text_refused()


def _too_deep() -> MalformedRequest:
    return MalformedRequest(f"The body is nested more than {DEEPEST} deep")


def _number_refused() -> ValidationFailed:
    return refused_value(
        "number_out_of_range",
        f"A number has more than {LONGEST_NUMBER} characters or an exponent beyond {LARGEST_EXPONENT}",
    )


def _text_refused() -> ValidationFailed:
    return refused_value("text_not_storable", "A text contains U+0000 or half of a surrogate pair")


def refused_value(code: str, detail: str) -> ValidationFailed:
    """A refusal of the whole body, in the form of every other validation error."""
    return ValidationFailed(detail, errors=[{"in": "body", "pointer": "", "detail": detail, "code": code}])
