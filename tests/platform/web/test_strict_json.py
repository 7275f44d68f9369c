import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_service.core.errors import MalformedRequest, ValidationFailed
from wallet_service.platform.database.gateway import Json
from wallet_service.platform.web.strict_json import DEEPEST, loads


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


def test_numbers_keep_every_digit() -> None:
    value = loads(b'{"a": 0.1000000000000000055511151231257827, "b": 12345678901234567890123, "c": 1e400}')
    assert value == {
        "a": Decimal("0.1000000000000000055511151231257827"),
        "b": 12345678901234567890123,
        "c": Decimal("1e400"),
    }
    assert isinstance(value["b"], int)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"b": [{"a": 1, "a": 1}]}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\x00"}',
        b'{"a": "\n"}',
        b'{"a": 01}',
        b"{'a': 1}",
        b'{"a": 1,}',
        '{"a": \u0661}'.encode(),
    ],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        loads(body)


def test_a_byte_order_mark_is_named() -> None:
    with pytest.raises(MalformedRequest, match="BOM"):
        loads(b'\xef\xbb\xbf{"a": 1}')


@pytest.mark.parametrize(
    "number", ["9" * 65, "-" + "9" * 5000, "0." + "1" * 70, "1e401", "1e-401", "1e99999999999"]
)
def test_numbers_out_of_range_are_refused(number: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        loads(f'{{"a": {number}}}'.encode())
    assert refusal.value.facts["errors"][0]["code"] == "number_out_of_range"
    assert number not in str(refusal.value.facts)


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a": "x\u0000"}',
        rb'{"\u0000": 1}',
        rb'{"a": [["\ud800"]]}',
        rb'{"\udfff": 1}',
        rb'["\ude00\ud83d"]',
    ],
)
def test_text_that_postgres_cannot_keep_is_refused(body: bytes) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        loads(body)
    assert refusal.value.facts["errors"][0]["code"] == "text_not_storable"


def test_other_escapes_are_text() -> None:
    assert loads(rb'["\ud83d\ude00", "\u00e9", "\u0001"]') == ["😀", "é", "\x01"]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_has_an_end(opening: str, closing: str) -> None:
    loads(nested(DEEPEST, opening, closing))
    for depth in (DEEPEST + 1, 500, 100_000):
        with pytest.raises(MalformedRequest, match="nested"):
            loads(nested(depth, opening, closing))


def test_brackets_in_text_and_beside_each_other_are_no_depth() -> None:
    assert loads(json.dumps(["[" * 500]).encode()) == ["[" * 500]
    assert loads(b"[" + b",".join([b"[]"] * 500) + b"]") == [[]] * 500


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-(10**20), max_value=10**20)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_reads_back_exactly(value: object) -> None:
    text = Json.of(value).text
    assert loads(text.encode()) == value
    assert Json.of(loads(text.encode())).text == text
