"""Ids of new things: UUIDv7, created once, before the first attempt, so that a retry has the same id."""

import hashlib

import uuid_utils


def new_id() -> str:
    """A new UUIDv7 as lower-case text. Within a process, later ids sort after earlier ones."""
    return str(uuid_utils.uuid7())


def derived_id(source: str, *names: str) -> str:
    """A UUIDv7 with the time of another one, for these names: the same arguments give the same id, others another one.

    Args:
        source: a UUIDv7 as lower-case text.
        names: for what, such as a client and a number.
    """
    named = "".join(f"{len(name)} {name}" for name in (source, *names))
    digest = hashlib.sha256(named.encode()).hexdigest()
    # The digits that are fixed in every UUIDv7: its version, and the two bits of its variant.
    variant = "89ab"[int(digest[6], 16) & 3]
    return f"{source[:14]}7{digest[:3]}-{variant}{digest[3:6]}-{digest[7:19]}"
