"""Amounts as whole numbers of a currency's smallest unit, moments as text, and JSON with exact numbers."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from wallet_client.testing.problems import Refusal

MOST_UNITS_DIGITS = 20
"""Digits before the point that an amount or a balance may have."""


def trimmed(amount: str) -> str:
    """Plain decimal text without zeros that say nothing."""
    whole, _, fraction = amount.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def units_of(amount: str, currency: str, exponent: int) -> int:
    """The amount in the smallest unit.

    Raises:
        Refusal: ``amount_precision``: it has more decimals than the currency.
    """
    whole, _, fraction = trimmed(amount).partition(".")
    if len(fraction) > exponent:
        raise Refusal("amount_precision", currency=currency, exponent=exponent)
    return int(whole + fraction.ljust(exponent, "0"))


def text_of(units: int, exponent: int) -> str:
    """The amount with exactly its currency's digits."""
    digits = str(abs(units)).rjust(exponent + 1, "0")
    text = f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits
    return f"-{text}" if units < 0 else text


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: such texts are ordered as their moments are."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dumps(value: Any) -> str:
    """The value as JSON, each Decimal with its digits."""
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            return "{" + ", ".join(f"{dumps(name)}: {dumps(each)}" for name, each in members.items()) + "}"
        case list():
            items = cast("list[Any]", value)
            return "[" + ", ".join(map(dumps, items)) + "]"
        case Decimal():
            return format(value, "f")
        case _:
            return json.dumps(value, ensure_ascii=False)


def in_order(value: Any) -> Any:
    """JSON with the members of its objects in the order in which Postgres keeps them."""
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            names = sorted(members, key=lambda name: (len(name.encode()), name.encode()))
            return {name: in_order(members[name]) for name in names}
        case list():
            items = cast("list[Any]", value)
            return [in_order(item) for item in items]
        case _:
            return value


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are one: 1 and 1.0 are, 1 and true are not."""
    return dumps(_canonical(one)) == dumps(_canonical(other))


def _canonical(value: Any) -> Any:
    match value:
        case dict():
            members = in_order(cast("dict[str, Any]", value))
            return {name: _canonical(each) for name, each in members.items()}
        case list():
            items = cast("list[Any]", value)
            return [_canonical(item) for item in items]
        case Decimal():
            text = format(value, "f")
            return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
        case _:
            return value
