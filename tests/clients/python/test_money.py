"""Amounts go out exactly, or not at all."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallet_client.money import amount_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (50, "50"),
        ("0.25", "0.25"),
        ("1e2", "100"),
    ],
)
def test_an_amount_keeps_its_digits(amount: Any, text: str) -> None:
    assert amount_text(amount) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_an_amount_is_the_same_number(amount: Decimal) -> None:
    assert Decimal(amount_text(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0.1, r'never a float: 0\.1 holds 0\.1000000000000000055.*Decimal\("0\.1"\)'),
        (float("nan"), "never a float"),
        (True, "not a bool"),
        (None, "not NoneType"),
        ([1], "not list"),
    ],
)
def test_what_is_no_exact_number_is_refused(amount: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        amount_text(amount)


@pytest.mark.parametrize(
    "amount",
    [
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        *("", " 1", "1_000", "1,5", "one", "nan", "١"),  # noqa: RUF001 - a digit of another alphabet
        "1e999999999",
        10**200,
    ],
)
def test_what_is_no_number_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match=r"number|digits"):
        amount_text(amount)
