"""Calls of the database functions of the audit trail."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json

Position: TypeAlias = tuple[str, int]
"""The position of an entry: recorded_at, sequence."""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first.

    Attributes:
        items: a JSON array, in the bytes of the database function.
        position: after which the next page begins; None at the end. A page can be empty and not be the last.
    """

    items: bytes
    position: Position | None


class AuditRepository:
    """Reads the audit trail, and deletes what has expired. Other rooms write it, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, filters: Mapping[str, str], before: Position | None, limit: int) -> Page:
        """A page of the entries that match; ``before``: the ``position`` of the previous page."""
        before_at, before_sequence = before or (None, None)
        answer = await self._database.read(
            "list_audit_entries",
            filters=Json.of(filters),
            before_at=before_at,
            before_sequence=before_sequence,
            limit=limit,
        )
        items, _, position = answer.rpartition(b"\n")
        if not position:
            return Page(items, None)
        recorded_at, sequence = json.loads(position)
        return Page(items, (recorded_at, sequence))

    async def delete_expired(self, keep_days: int) -> tuple[int, bool]:
        """Delete a part of the entries that are older: their number, and whether more are to be deleted."""
        answer = await self._database.repeat(
            "delete_expired_audit_entries", keep_days=keep_days, caller=caller_param()
        )
        done = json.loads(answer)
        return done["entries"], done["more"]
