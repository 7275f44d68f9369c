"""Keys of the vault, as the setting has them: ``id:base64`` with commas between them."""

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

KEY_BYTES = 32

_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class Key:
    """An AES-256 key.

    Attributes:
        key_id: names the key in each value that it sealed: 1 to 32 letters, digits, ``_`` and ``-``.
        secret: 32 bytes.
    """

    key_id: str
    secret: bytes = field(repr=False)


def check_key_id(key_id: str) -> None:
    """Refuse what can't be the id of a key.

    Raises:
        ValueError: it is not 1 to 32 letters, digits, ``_`` and ``-``.
    """
    if _ID.fullmatch(key_id) is None:
        raise ValueError("the id of a key should be 1 to 32 letters, digits, _ and -")


def parse_keys(text: str) -> Sequence[Key]:
    """The keys of the setting, in its order.

    Raises:
        ValueError: the text is something else, or an id occurs twice. The message has nothing of the text.
    """
    keys: dict[str, Key] = {}
    for place, part in enumerate(text.split(","), start=1):
        key_id, _, encoded = part.strip().partition(":")
        try:
            check_key_id(key_id)
            secret = base64.b64decode(encoded.replace("-", "+").replace("_", "/"), validate=True)
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"should be id:base64 with commas between them; key {place} is not") from error
        if len(secret) != KEY_BYTES:
            raise ValueError(
                f"should have keys of {KEY_BYTES} bytes; key {place} has {len(secret)}, decoded from base64"
            )
        if key_id in keys:
            raise ValueError(f"should have an id for each key; key {place} has the id of another")
        keys[key_id] = Key(key_id, secret)
    return tuple(keys.values())


def generate_key(key_id: str | None = None) -> str:
    """A new random key, as the setting has it.

    Args:
        key_id: its id; by default a random one.

    Raises:
        ValueError: this can't be an id.
    """
    chosen = key_id or f"k{secrets.token_hex(4)}"
    check_key_id(chosen)
    return f"{chosen}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
