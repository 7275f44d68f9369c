import re
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from wallet_service.core.fields import (
    MAX_METADATA_BYTES,
    CounterAccount,
    CurrencyCode,
    Key,
    Line,
    Metadata,
    Text,
    Timestamp,
)

GOOD: list[tuple[Any, Any]] = [
    (Line, "a"),
    (Line, "x" * 255),
    (Line, "Zoë 🏦 ' \" \\ ; --"),
    (Text, ""),
    (Text, "two\nlines\tand\r\nmore"),
    (Text, "é" * 1000),
    (Key, " ~"),
    (Key, "k" * 255),
    (CurrencyCode, "USD"),
    (CurrencyCode, "1INCH"),
    (CounterAccount, "promotions"),
    (CounterAccount, "promotions:spring-2026"),
    (CounterAccount, "revenue:usage:model.small_v1"),
    (CounterAccount, "external:" + "b" * 100),
    (CounterAccount, "expense:goodwill"),
    (Timestamp, "2026-01-31T12:00:00.000000Z"),
    (Metadata, {}),
    (Metadata, {"a": {"b": [1, Decimal("1.10"), None, True]}}),
]

BAD: list[tuple[Any, Any]] = [
    (Line, ""),
    (Line, "x" * 256),
    (Line, "a\nb"),
    (Line, "a\n"),
    (Line, "\x00"),
    (Line, "\x1b[31m"),
    (Line, "\x7f"),
    (Line, "\x85"),
    (Line, 1),
    (Line, None),
    (Text, "é" * 1001),
    (Text, "\x00"),
    (Text, "bell\x07"),
    (Text, "\x9f"),
    (Key, ""),
    (Key, "k" * 256),
    (Key, "tab\t"),
    (Key, "line\n"),
    (Key, "é"),
    (CurrencyCode, ""),
    (CurrencyCode, "usd"),
    (CurrencyCode, "US D"),
    (CurrencyCode, "€"),
    (CurrencyCode, "A" * 33),
    (CounterAccount, ""),
    (CounterAccount, "revenue"),
    (CounterAccount, "revenue:"),
    (CounterAccount, "external"),
    (CounterAccount, "wallet:0199d0a8-0000-7000-8000-000000000001"),
    (CounterAccount, "assets:cash"),
    (CounterAccount, "revenue:a b"),
    (CounterAccount, "revenue:a\n"),
    (CounterAccount, "revenue:é"),
    (CounterAccount, "external:" + "b" * 101),
    (Timestamp, ""),
    (Timestamp, "2026-01-31"),
    (Timestamp, "2026-01-31T12:00:00"),
    (Timestamp, "2026-01-31 12:00:00Z"),
    (Timestamp, "2026-02-30T12:00:00Z"),
    (Timestamp, "2026-01-31T25:00:00Z"),
    (Timestamp, "2026-01-31T12:00:60Z"),
    (Timestamp, "2026-01-31T12:00:00+0100"),
    (Timestamp, "2026-01-31T12:00:00+24:00"),
    (Timestamp, "2026-01-31T12:00:00.1234567890Z"),
    (Timestamp, "\u0662\u0660\u0662\u0666-01-31T12:00:00Z"),
    (Timestamp, "0000-01-01T00:00:00Z"),
    (Timestamp, "10000-01-01T00:00:00Z"),
    (Timestamp, "0001-01-01T00:00:00+01:00"),  # a year before the first in UTC
    (Timestamp, "9999-12-31T23:59:59-01:00"),  # the year 10000 in UTC, which RFC 3339 can't write
    (Timestamp, "infinity"),
    (Timestamp, 0),
    (Metadata, []),
    (Metadata, "{}"),
    (Metadata, {"a": "x" * MAX_METADATA_BYTES}),
]


@pytest.mark.parametrize(("field", "value"), GOOD, ids=lambda value: repr(value)[:40])
def test_good_values_stay_as_they_are(field: Any, value: Any) -> None:
    assert TypeAdapter(field).validate_python(value) == value


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: repr(value)[:40])
def test_bad_values_are_refused(field: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(field).validate_python(value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (Timestamp, "2026-01-31T12:00:00 01:00", "%2B"),
        (Timestamp, "2026-01-31T12:00:00.5 01:00", "%2B"),
        (Timestamp, "2026-01-31T12:00:00", "such as 2026-01-31T12:00:00Z"),
        (Timestamp, "2026-01-31 12:00:00 01:00", "such as 2026-01-31T12:00:00Z"),
        (Timestamp, "2026-02-30T12:00:00Z", "there is no such moment"),
        (CurrencyCode, "usd", "capital letters and digits, such as USD"),
    ],
)
def test_the_message_says_what_would_be_right(field: Any, value: str, message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        TypeAdapter(field).validate_python(value)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31t12:00:00z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00.5+14:00", "2026-01-30T22:00:00.500000Z"),
        ("2026-01-31T12:00:00-23:59", "2026-02-01T11:59:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_timestamps_are_put_into_utc(written: str, moment: str) -> None:
    assert TypeAdapter[str](Timestamp).validate_python(written) == moment


@pytest.mark.parametrize("character", ["x", "é", "🏦"])
def test_metadata_is_measured_in_bytes_of_utf8(character: str) -> None:
    size = len(character.encode())
    room = MAX_METADATA_BYTES - len('{"a":""}')
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(Metadata)
    adapter.validate_python({"a": character * (room // size)})
    with pytest.raises(ValidationError):
        adapter.validate_python({"a": character * (room // size + 1)})
