"""Walks over all sealed values of the rooms: counts them by key, opens them, seals them with the first key.

Each walk goes by primary key in batches and stores no position. A rotation that was stopped is simply started again:
rows that have the first key already are skipped.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wallet_service.core.room import Room, SealedRows
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.vault.cipher import SealedValueInvalid
from wallet_service.platform.vault.problems import VaultUnavailable
from wallet_service.platform.vault.service import Vault

_ROWS_WITHOUT_VALUES = 1000
_MOST_WALKS = 5
"""Each walk after the first is for values that changed during the one before it."""


@dataclass(slots=True)
class Rotation:
    """What a rotation did with the rows of a room.

    Attributes:
        sealed: values that now have the first key.
        changed_meanwhile: values that another process changed during the last walk; its change stays, and may be
            sealed with an older key.
        faults: one line for each value that does not open; it is unchanged.
    """

    sealed: int = 0
    changed_meanwhile: int = 0
    faults: list[str] = field(default_factory=list[str])


async def count_keys(database: Database, rooms: Sequence[Room]) -> Mapping[str, Mapping[str, int]]:
    """How many values each key sealed, by room."""
    found: dict[str, Mapping[str, int]] = {}
    for room, rows in _sealing(rooms):
        pages = _pages(database, rows, None, _ROWS_WITHOUT_VALUES, values=False)
        found[room.name] = Counter([row["key_id"] async for page in pages for row in page])
    return found


async def verify_values(database: Database, vault: Vault, rooms: Sequence[Room]) -> tuple[int, Sequence[str]]:
    """Open every value. The number of values, and a line for each that does not open."""
    count, faults = 0, list[str]()
    for room, rows in _sealing(rooms):
        async for page in _pages(database, rows, None, rows.page_rows, values=True):
            for row in page:
                count += 1
                try:
                    vault.open_bytes(room.name, row["row_id"], row["value"])
                except (SealedValueInvalid, VaultUnavailable) as error:
                    faults.append(_fault(room, row, error))
    return count, faults


async def rotate_room(database: Database, vault: Vault, room: Room) -> Rotation:
    """Seal all values of a room with the first key. Safe to stop and to start again, and while the service runs.

    A value is replaced only if it is still the one that was read. One that was changed meanwhile is read again by a
    further walk, because the other process may have sealed it with an older key. The audit trail gets one entry.

    Raises:
        VaultUnavailable: there is no key.
    """
    first = vault.require().key_id
    done = Rotation()
    try:
        for _ in range(_MOST_WALKS):
            done.changed_meanwhile = 0
            done.faults.clear()
            await _walk(database, vault, room, first, done)
            if done.changed_meanwhile == 0:
                break
    finally:  # also of one that is stopped
        if done.sealed:
            await database.call(
                "record_rotation",
                room=room.name,
                key_id=first,
                sealed=done.sealed,
                faults=len(done.faults),
                caller=caller_param(),
            )
    return done


async def _walk(database: Database, vault: Vault, room: Room, first: str, done: Rotation) -> None:
    rows = room.sealed_rows
    if rows is None:
        return
    async for page in _pages(database, rows, first, rows.page_rows, values=True):
        for row in page:
            try:
                value = vault.open_bytes(room.name, row["row_id"], row["value"])
            except (SealedValueInvalid, VaultUnavailable) as error:
                done.faults.append(_fault(room, row, error))
                continue
            sealed = vault.seal_bytes(room.name, row["row_id"], value)
            if await _replace(database, rows, row, sealed, first):
                done.sealed += 1
            else:
                done.changed_meanwhile += 1


async def _replace(
    database: Database, rows: SealedRows, row: Mapping[str, Any], new: str, key_id: str
) -> bool:
    # Not repeated if the connection is lost: the second attempt would find its own value, and report a change.
    answer = await database.call(
        rows.replace_function, row_id=row["row_id"], old=row["value"], new=new, key_id=key_id
    )
    return bool(json.loads(answer))


def _sealing(rooms: Sequence[Room]) -> Sequence[tuple[Room, SealedRows]]:
    return [(room, room.sealed_rows) for room in rooms if room.sealed_rows is not None]


async def _pages(
    database: Database, rows: SealedRows, except_key: str | None, limit: int, *, values: bool
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    after: str | None = None
    while True:
        page = json.loads(
            await database.read(
                rows.list_function, except_key=except_key, after=after, limit=limit, values=values
            )
        )
        yield page["rows"]
        after = page["next"]
        if after is None:
            return


def _fault(room: Room, row: Mapping[str, Any], error: Exception) -> str:
    return f"{room.name} {row['row_id']}: {error}"
