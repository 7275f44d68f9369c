"""What conditions of rules may name."""

from collections.abc import Mapping
from typing import Final, Literal
from uuid import UUID

from pydantic_core import PydanticCustomError

from wallet_service.core.conditions import FieldOf, Vocabulary

RuleField = Literal[
    "description",
    "reference",
    "counter_account",
    "note",
    "transaction_type",
    "direction",
    "currency",
    "amount",
    "booked_on",
    "wallet_id",
    "category_id",
    "payee_id",
    "tag_ids",
]


def _parse_id(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise PydanticCustomError("value_invalid", "must be an id, a UUID") from None


def _parse_direction(value: str) -> str:
    if value not in ("credit", "debit"):
        raise PydanticCustomError("value_invalid", "must be credit or debit")
    return value


VOCABULARY: Final = Vocabulary(
    {
        "description": FieldOf("text"),
        "reference": FieldOf("text"),
        "counter_account": FieldOf("text"),
        "note": FieldOf("text"),
        "transaction_type": FieldOf("word"),
        "direction": FieldOf("word", _parse_direction),
        "currency": FieldOf("word", str.upper),
        "amount": FieldOf("number"),
        "booked_on": FieldOf("day"),
        "wallet_id": FieldOf("word", _parse_id),
        "category_id": FieldOf("tree", _parse_id),
        "payee_id": FieldOf("word", _parse_id),
        "tag_ids": FieldOf("set", _parse_id),
    }
)

ID_FIELDS: Final[Mapping[str, str]] = {
    "category_id": "category",
    "payee_id": "payee",
    "tag_ids": "tag",
    "wallet_id": "wallet",
}
"""The fields whose values are ids, and of what."""
