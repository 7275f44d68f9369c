"""Names of new things: UUIDv7, made once, before the first attempt, so that a repeat names the same thing."""

import uuid_utils


def new_id() -> str:
    """A new UUIDv7 in lower-case text; later ones of the same process sort after earlier ones."""
    return str(uuid_utils.uuid7())
