"""Amounts: decimal strings on the wire, ``Decimal`` in Python, never a float, never rounded."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_INTEGER_DIGITS = 20
"""Digits before the point that an amount or a balance may have."""

_DECIMAL = re.compile(r"[0-9]{1,38}(\.[0-9]{1,38})?", re.ASCII)
_DESCRIPTION = "a decimal string, or an exact JSON number: at most 20 digits before the point"


def _invalid(reason: str) -> PydanticCustomError:
    return PydanticCustomError("amount_invalid", "{reason}", {"reason": reason})


def _plain(value: Any) -> str:
    """The digits of a string, an int or a Decimal, without an exponent."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _invalid("an amount is a decimal string")
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > 2 * MAX_INTEGER_DIGITS:
        raise _invalid(f"an amount has at most {MAX_INTEGER_DIGITS} digits before the point")
    return format(number, "f")


def parse_amount(value: Any, *, zero: bool = False) -> str:
    """The amount as plain decimal text, exactly as precise as it was given.

    Args:
        value: a string of ASCII digits with at most one point, or a JSON number as int or Decimal.
        zero: whether 0 is allowed, as in a limit or an opening balance; amounts to move are positive.

    Raises:
        PydanticCustomError: it is not such an amount; the error's type is ``amount_invalid``.
    """
    text = _plain(value)
    if not text.strip():
        raise _invalid(f"the amount is blank{'; write 0 for none' if zero else ''}")
    if not _DECIMAL.fullmatch(text):
        raise _invalid("an amount is a positive decimal number in ASCII digits")
    number = Decimal(text)
    if number == 0 and not zero:
        raise _invalid("an amount is more than 0")
    if number.adjusted() >= MAX_INTEGER_DIGITS:
        raise _invalid(f"an amount has at most {MAX_INTEGER_DIGITS} digits before the point")
    return text


def _positive(value: Any) -> str:
    return parse_amount(value)


def _not_negative(value: Any) -> str:
    return parse_amount(value, zero=True)


def parse_balance(value: Any) -> str:
    """As ``parse_amount``, for a balance: it can be 0, or have a minus sign.

    Raises:
        PydanticCustomError: it is not such a number; the error's type is ``amount_invalid``.
    """
    text = _plain(value)
    if text.startswith("-"):
        return f"-{parse_amount(text[1:])}"
    return parse_amount(text, zero=True)


def parse_signed(value: Any) -> str:
    """As ``parse_amount``, with a minus sign for what is taken.

    Raises:
        PydanticCustomError: it is not such a number, or 0; the error's type is ``amount_invalid``.
    """
    text = _plain(value)
    return f"-{parse_amount(text[1:])}" if text.startswith("-") else parse_amount(text)


_DIGITS: dict[str, Any] = {"type": "string", "pattern": r"^[0-9]{1,20}(\.[0-9]{1,18})?$"}
_NUMBER: dict[str, Any] = {"type": "number", "minimum": 1e-18, "exclusiveMaximum": 10**MAX_INTEGER_DIGITS}
_TEXTS: dict[str, Any] = {"description": _DESCRIPTION, "examples": ["12.50"]}

Amount = Annotated[
    str,
    BeforeValidator(_positive),
    WithJsonSchema(_TEXTS | {"anyOf": [_DIGITS | {"not": {"pattern": r"^[0.]*$"}}, _NUMBER]}),
]
"""An amount to move: more than 0. The ledger checks that it has no more decimals than the currency."""

AmountOrZero = Annotated[
    str,
    BeforeValidator(_not_negative),
    WithJsonSchema(_TEXTS | {"anyOf": [_DIGITS, {"const": 0}, _NUMBER]}),
]
"""A limit or an opening balance: 0 or more."""

BalanceAmount = Annotated[
    str,
    BeforeValidator(parse_balance),
    WithJsonSchema(
        _TEXTS
        | {
            "anyOf": [
                {"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"},
                {"const": 0},
                _NUMBER,
                {"type": "number", "exclusiveMinimum": -(10**MAX_INTEGER_DIGITS), "maximum": -1e-18},
            ]
        }
    ),
]
"""A balance that a wallet gets: any sign, and 0."""

SignedAmount = Annotated[
    str,
    BeforeValidator(parse_signed),
    WithJsonSchema(
        _TEXTS
        | {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$",
                    "not": {"pattern": r"^-?[0.]*$"},
                },
                _NUMBER,
                {"type": "number", "exclusiveMinimum": -(10**MAX_INTEGER_DIGITS), "maximum": -1e-18},
            ]
        }
    ),
]
"""An amount of either sign, not 0: positive adds, negative takes."""

AmountInQuery = Annotated[str, BeforeValidator(_not_negative), WithJsonSchema(_TEXTS | _DIGITS)]
"""A bound in a query string, which has no JSON numbers: 0 or more."""

SignedInQuery = Annotated[
    str,
    BeforeValidator(parse_balance),
    WithJsonSchema(_TEXTS | {"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"}),
]
"""A bound of signed amounts in a query string."""

AmountText = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["12.50"]})
]
"""An amount in a response, with exactly the currency's decimals."""
