import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from wallet_service.core.errors import ValidationFailed
from wallet_service.platform.web.pagination import BigInt, decode_cursor, encode_cursor

ENTRY = TypeAdapter(tuple[BigInt, str])
SCOPE = {"wallet_id": "w1", "type": ["consume"], "from": None}


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(st.integers(0, 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_a_cursor_comes_back(number: int, text: str) -> None:
    cursor = encode_cursor("history", SCOPE, (number, text))
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert decode_cursor("history", SCOPE, cursor, ENTRY) == (number, text)


def test_the_order_of_the_scope_does_not_matter() -> None:
    cursor = encode_cursor("history", SCOPE, (1, "a"))
    assert decode_cursor("history", dict(reversed(SCOPE.items())), cursor, ENTRY) == (1, "a")


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        ("statement", SCOPE),
        ("history", SCOPE | {"wallet_id": "w2"}),
        ("history", SCOPE | {"type": ["deposit"]}),
        ("history", {}),
    ],
)
def test_a_cursor_of_another_list_is_refused(kind: str, scope: dict[str, object]) -> None:
    cursor = encode_cursor("history", SCOPE, (1, "a"))
    with pytest.raises(ValidationFailed, match="another list"):
        decode_cursor(kind, scope, cursor, ENTRY)


FINGERPRINT = json.loads(base64.urlsafe_b64decode(encode_cursor("history", SCOPE, []) + "=="))[1]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "====",
        "é",
        "not base64!",
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
        forged("text"),
        forged({}),
        forged([1, 2, 3]),
        forged(["history", FINGERPRINT, None]),
        forged(["history", FINGERPRINT, [1]]),
        forged(["history", FINGERPRINT, [1, "a", 2]]),
        forged(["history", FINGERPRINT, ["1", "a"]]),
        forged(["history", FINGERPRINT, [True, "a"]]),
        forged(["history", FINGERPRINT, [-1, "a"]]),
        forged(["history", FINGERPRINT, [2**63, "a"]]),
        forged(["history", FINGERPRINT, [1.5, "a"]]),
    ],
)
def test_garbage_is_refused(cursor: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        decode_cursor("history", SCOPE, cursor, ENTRY)
    assert refusal.value.facts["errors"][0]["pointer"] == "/cursor"
