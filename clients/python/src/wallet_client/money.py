"""Amounts: exact, or refused before anything is sent."""

from decimal import Decimal, InvalidOperation
from typing import TypeAlias

Amount: TypeAlias = Decimal | int | str
"""The types of an amount. A float is not one of them: it has no exact decimal digits."""

_MOST_DIGITS = 100


def amount_text(amount: Amount) -> str:
    """The amount as the service reads it, with exactly its digits.

    Raises:
        TypeError: a float, a bool, or another type.
        ValueError: NaN, infinite, a text that is not a number, or more than 100 digits.
    """
    if isinstance(amount, float):  # pyright: ignore[reportUnnecessaryIsInstance]  # for untyped callers
        raise TypeError(
            f"an amount is never a float: {amount!r} holds {Decimal(amount)}. "
            f'Use Decimal("{amount!r}"), the text "{amount!r}", or an int'
        )
    if isinstance(amount, bool):
        raise TypeError("an amount is a Decimal, an int or a str, not a bool")
    if isinstance(amount, int):
        number = Decimal(amount)
    elif isinstance(amount, str):
        number = _read(amount)
    elif isinstance(amount, Decimal):  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
        number = amount
    else:
        raise TypeError(f"an amount is a Decimal, an int or a str, not {type(amount).__name__}")
    if not number.is_finite():
        raise ValueError(f"an amount is a finite number, not {number}")
    sign, digits, exponent = number.as_tuple()
    del sign
    if len(digits) > _MOST_DIGITS or abs(int(exponent)) > _MOST_DIGITS:
        raise ValueError(f"an amount has at most {_MOST_DIGITS} digits")
    return f"{number:f}"


def read_or_none(value: object) -> Decimal | None:
    """An amount of a response; None: it is missing, or can't be read."""
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def _read(text: str) -> Decimal:
    # Decimal accepts "1_000" and digits of other alphabets too.
    if not text.isascii() or "_" in text or text != text.strip():
        raise ValueError(f"not a decimal number: {text[:_MOST_DIGITS]!r}")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {text[:_MOST_DIGITS]!r}") from None
