"""The types of events that rooms declare, with the JSON Schema of their data."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from wallet_service.core.room import EventType, Room
from wallet_service.delivery.events.cloud_events import data_schema


class EventCatalogue:
    """The declared types of events.

    Args:
        rooms: all rooms.
    """

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._declared = {kind.name: (room, kind) for room in rooms for kind in room.event_types}

    @property
    def names(self) -> Sequence[str]:
        """All types, sorted."""
        return sorted(self._declared)

    @property
    def changes(self) -> Sequence[str]:
        """The types of changes, sorted."""
        return [name for name in self.names if self._declared[name][1].is_change]

    @property
    def versions(self) -> Mapping[str, int]:
        """The version of the schema of each type."""
        return {name: kind.version for name, (_, kind) in self._declared.items()}

    def unknown(self, names: Iterable[str]) -> Sequence[str]:
        """Those of the names that no room has declared."""
        return [name for name in names if name not in self._declared]

    @cached_property
    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Each type with its summary and the JSON Schema of its data; sorted."""
        return [
            {
                "type": name,
                "version": kind.version,
                "summary": kind.summary,
                "dataschema": data_schema(name, kind.version),
                "schema": _schema(room.load(kind.data), kind),
            }
            for name, (room, kind) in sorted(self._declared.items())
        ]


def _schema(model: type[BaseModel], kind: EventType) -> dict[str, Any]:
    _, definitions = models_json_schema([(model, "serialization")], ref_template="#/$defs/{model}")
    reference = {"$ref": f"#/$defs/{model.__name__}"}
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": data_schema(kind.name, kind.version),
        "title": kind.name,
        "description": kind.summary,
    }
    if kind.is_change:
        schema |= {
            "type": "object",
            "required": ["before", "after"],
            "properties": {
                "before": {
                    "description": "The object before the change; null if it was created by it.",
                    "anyOf": [reference, {"type": "null"}],
                },
                "after": {
                    "description": "The object after the change; null if it was removed by it.",
                    "anyOf": [reference, {"type": "null"}],
                },
            },
        }
    else:
        schema |= reference
    return schema | {"$defs": definitions["$defs"]}
