"""Which wallets a request names: the one of the path is checked by itself, others by the room."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())

CHECKED_BY_THE_ROOM = {
    ("post_transaction", "wallet_id"),
    ("transfer_to_wallet", "to_wallet_id"),
    ("convert_from_wallet", "to_wallet_id"),
    ("post_batch", "wallet_id"),
    ("report_usage", "wallet_id"),
    ("report_usage_batch", "wallet_id"),
    ("post_batch", "to_wallet_id"),
    ("list_events", "wallet_id"),
    ("list_parts", "wallet_id"),  # of a book that the caller sees
    ("edit_parts", "wallet_id"),
    ("apply_rules", "wallet_id"),  # of the book that the request names
    ("create_pair", "wallet_id"),
    ("note_transaction", "wallet_id"),
    ("stream_events", "wallet_id"),
}


def members(schema: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every member of a schema, those of the schemas that it refers to included."""
    if isinstance(schema, list):
        for each in schema:
            yield from members(each, seen)
    elif isinstance(schema, dict):
        if (reference := schema.get("$ref")) and reference not in seen:
            name = reference.rpartition("/")[2]
            yield from members(DOCUMENT["components"]["schemas"][name], seen | {reference})
        yield from schema.get("properties", {})
        for each in schema.values():
            yield from members(each, seen)


def test_every_wallet_of_a_request_is_checked() -> None:
    found: set[tuple[str, str]] = set()
    for path in DOCUMENT["paths"].values():
        for operation in (each for each in path.values() if isinstance(each, dict) and "operationId" in each):
            in_path = {each["name"] for each in operation.get("parameters", ()) if each.get("in") == "path"}
            named = {each["name"] for each in operation.get("parameters", ()) if "name" in each}
            named |= set(members(operation.get("requestBody", {})))
            found |= {
                (operation["operationId"], name)
                for name in named
                if name.endswith("wallet_id") and (name != "wallet_id" or name not in in_path)
            }
    assert found == CHECKED_BY_THE_ROOM
