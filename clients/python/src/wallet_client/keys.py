"""Idempotency keys. Calls with the same key are done once."""

import hashlib
import os
import time
from urllib.parse import quote
from uuid import UUID

LONGEST = 200
"""The longest key that ``key_from`` returns without a hash; the service accepts 255 characters, fewer for a batch."""

LONGEST_SENT = 255


def new_key() -> str:
    """A new UUIDv7 (RFC 9562): the time in milliseconds, then 74 random bits."""
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def key_from(*parts: str | int | UUID) -> str:
    """The idempotency key of a business event: the same parts make the same key, in any process, at any time.

    Different parts never make the same key. Each part is percent-encoded, so that it can't contain the ``:`` between the
    parts. A key of more than 200 characters becomes ``sha256=`` and its hash; a part can't contain ``=`` either. A number
    is the same part as its digits: ``key_from("invoice", 42) == key_from("invoice", "42") == "invoice:42"``.

    Include the action: ``key_from("invoice", "42", "charge")``. Otherwise a second action on the same invoice would be
    taken for the first.

    Raises:
        TypeError: a part is not a str, an int or a UUID.
        ValueError: there is no part, or a part is empty.
    """
    if not parts:
        raise ValueError("a key needs at least one part")
    key = ":".join(map(quoted, parts))
    return key if len(key) <= LONGEST else "sha256=" + hashlib.sha256(key.encode()).hexdigest()


def checked(key: str) -> str:
    """Return the key.

    Raises:
        ValueError: the key can't be sent in a header.
    """
    if not (0 < len(key) <= LONGEST_SENT and key.isascii() and key.isprintable() and key == key.strip()):
        raise ValueError(f"an idempotency key has 1 to {LONGEST_SENT} printable ASCII characters")
    return key


def quoted(part: str | int | UUID) -> str:
    """A name, percent-encoded: letters, digits and ``-._~`` stay."""
    return quote(name_text(part), safe="")


def name_text(name: str | int | UUID) -> str:
    """The text of a name or id.

    Raises:
        TypeError: it is not a str, an int or a UUID: a float, a bool or None, for example.
        ValueError: it is empty.
    """
    # Callers without a type checker: str(None) would be a wallet of a user "None".
    is_name = isinstance(name, str | int | UUID)  # pyright: ignore[reportUnnecessaryIsInstance]  # for those callers
    if isinstance(name, bool) or not is_name:
        raise TypeError(f"a name is a str, an int or a UUID, not {type(name).__name__}")
    text = str(name)
    if not text:
        raise ValueError("a name is empty")
    return text
