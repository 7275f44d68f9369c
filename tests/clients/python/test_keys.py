"""Idempotency keys: new ones, and those of business events."""

import time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wallet_client import key_from, new_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


def test_a_new_key_is_a_uuid_of_version_7() -> None:
    before = time.time_ns() // 1_000_000
    keys = [new_key() for _ in range(1000)]

    assert len(set(keys)) == 1000
    for key in keys:
        made = UUID(key)
        assert str(made) == key
        assert (made.version, made.variant) == (7, "specified in RFC 4122")
        assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_a_key_from_parts_can_be_read() -> None:
    assert key_from("invoice", "42") == key_from("invoice", 42) == "invoice:42"
    assert key_from("a:b", "ü/1") == "a%3Ab:%C3%BC%2F1"


@given(st.lists(TEXT, min_size=1, max_size=6), st.lists(TEXT, min_size=1, max_size=6))
@example(["a", "b"], ["a:b"])
@example(["a%3Ab"], ["a:b"])
@example(["x" * 300], ["x" * 301])
@example(["sha256=" + "0" * 64], ["0" * 300])
def test_other_parts_are_another_key(one: list[str], other: list[str]) -> None:
    first, second = key_from(*one), key_from(*other)

    assert (first == second) == (one == other)
    assert 0 < len(first) <= 200
    # A batch names its operations "<key>/<place>": none of them is another event's key.
    assert first.isascii()
    assert first.isprintable()
    assert "/" not in first


@pytest.mark.parametrize("parts", [(None,), (0.5,), (True,), (b"x",)])
def test_what_names_nothing_makes_no_key(parts: Any) -> None:
    with pytest.raises(TypeError):
        key_from(*parts)


@pytest.mark.parametrize("parts", [(), ("",), ("a", "")])
def test_a_part_is_not_empty(parts: Any) -> None:
    with pytest.raises(ValueError, match=r"empty|one part"):
        key_from(*parts)


def test_a_key_that_is_hashed_is_not_that_of_the_hash() -> None:
    hashed = key_from("x" * 300)

    assert key_from(*hashed.replace("=", ":").split(":")) != hashed
