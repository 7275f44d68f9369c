from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from wallet_service.core.money import MAX_INTEGER_DIGITS, Amount, AmountOrZero, parse_amount
from wallet_service.platform.web.strict_json import loads

AMOUNT: TypeAdapter[str] = TypeAdapter(Amount)
OR_ZERO: TypeAdapter[str] = TypeAdapter(AmountOrZero)

BAD: list[Any] = [
    "",
    " ",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "-1",
    "-0",
    ".5",
    "5.",
    "1.2.3",
    "1,5",
    "1_000",
    "1e2",
    "0x10",
    "NaN",
    "Infinity",
    "-Infinity",
    "\u0661\u0662",  # Arabic-Indic digits
    "\uff11",  # a full-width digit
    "1" * 21,
    "1" * 39,
    "0." + "1" * 39,
    "0" * 39 + "1",
    True,
    False,
    None,
    [],
    ["1"],
    {},
    b"1",
    1.5,
    float("nan"),
    float("inf"),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal(-1),
    Decimal("-0"),
    Decimal("1e400"),
    Decimal("1e-400"),
    Decimal("1e999999"),
    -1,
    10**20,
]


@pytest.mark.parametrize("value", BAD, ids=repr)
@pytest.mark.parametrize("adapter", [AMOUNT, OR_ZERO], ids=["positive", "or zero"])
def test_what_is_no_amount_is_refused(adapter: TypeAdapter[str], value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(value)
    assert [error["type"] for error in refused.value.errors()] == ["amount_invalid"]


@pytest.mark.parametrize("value", ["0", "0.000", "00", 0, Decimal(0), Decimal("0.00")])
def test_zero_moves_nothing_and_can_be_a_limit(value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        AMOUNT.validate_python(value)
    assert refused.value.errors()[0]["type"] == "amount_invalid"
    assert Decimal(OR_ZERO.validate_python(value)) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", "1"),
        ("0.1", "0.1"),
        ("1.10", "1.10"),
        ("007", "007"),
        ("9" * MAX_INTEGER_DIGITS, "9" * MAX_INTEGER_DIGITS),
        ("0." + "0" * 37 + "1", "0." + "0" * 37 + "1"),
        (12, "12"),
        (Decimal("0.30000000000000004"), "0.30000000000000004"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E-18"), "0.000000000000000001"),
        (Decimal("2.50"), "2.50"),
    ],
)
def test_digits_stay_as_they_came(value: Any, text: str) -> None:
    assert parse_amount(value) == text


def test_a_reason_is_given_without_the_value() -> None:
    with pytest.raises(PydanticCustomError) as refused:
        parse_amount("secret")
    assert refused.value.type == "amount_invalid"
    assert "secret" not in str(refused.value)


@given(st.decimals(min_value=Decimal("1e-18"), max_value=10**20 - 1, places=18))
def test_text_and_number_are_the_same_amount(amount: Decimal) -> None:
    text = format(amount, "f")
    assert Decimal(parse_amount(text)) == amount
    assert Decimal(parse_amount(loads(text.encode()))) == amount


@given(st.text(max_size=60))
def test_any_text_is_an_amount_of_ascii_digits_or_refused(text: str) -> None:
    try:
        read = parse_amount(text, zero=True)
    except PydanticCustomError:
        return
    assert read == text
    assert set(read) <= set("0123456789.")
    assert 0 <= Decimal(read) < 10**MAX_INTEGER_DIGITS
