"""Ids of new things: UUIDv7, created once, before the first attempt, so that a retry has the same id."""

import uuid_utils


def new_id() -> str:
    """A new UUIDv7 as lower-case text. Within a process, later ids sort after earlier ones."""
    return str(uuid_utils.uuid7())
