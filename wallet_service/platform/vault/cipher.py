"""AES-256-GCM and the format of sealed values: ``1.<key id>.<base64url of nonce, ciphertext, tag>``.

The additional data names the room, the key and the row, so that a value that was copied to another row does not open.
A key seals at most 2^32 values with random nonces (NIST SP 800-38D): then it should be rotated.
"""

import base64
import binascii
import os
from typing import TYPE_CHECKING, NamedTuple

from wallet_service.platform.vault.keys import Key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = "1"
NONCE_BYTES = 12
_TAG_BYTES = 16


class SealedValueInvalid(Exception):
    """A sealed value does not open: it was changed, belongs to another row, or its key has other bytes.

    The message names the room and the row; no part of the value.
    """


class Parts(NamedTuple):
    """A sealed value: the id of its key, and the encrypted bytes in base64url."""

    key_id: str
    encoded: str


def encrypt(key: Key, nonce: bytes, room: str, row_id: str, value: bytes) -> bytes:
    """The ciphertext and its tag. Never use a nonce twice with a key."""
    return _aes(key).encrypt(nonce, value, additional_data(room, key.key_id, row_id))


def seal(key: Key, room: str, row_id: str, value: bytes) -> str:
    """The sealed value, with a new random nonce."""
    nonce = os.urandom(NONCE_BYTES)
    encoded = base64.urlsafe_b64encode(nonce + encrypt(key, nonce, room, row_id, value))
    return f"{FORMAT}.{key.key_id}.{encoded.rstrip(b'=').decode()}"


def split(room: str, row_id: str, sealed: str) -> Parts:
    """The parts of a sealed value.

    Raises:
        SealedValueInvalid: it does not have the format.
    """
    match sealed.split("."):
        case [str(version), str(key_id), str(encoded)] if version == FORMAT and key_id:
            return Parts(key_id, encoded)
        case _:
            raise SealedValueInvalid(f"{room} {row_id}: this is not a sealed value of format {FORMAT}")


def open_sealed(key: Key, room: str, row_id: str, encoded: str) -> bytes:
    """The value.

    Raises:
        SealedValueInvalid: it was changed, belongs to another row, or was sealed with another key.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - imported only where the vault is used

    fault = SealedValueInvalid(f"{room} {row_id}: does not open with key {key.key_id}")
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise fault from None  # the cause could quote the value
    if len(raw) < NONCE_BYTES + _TAG_BYTES:
        raise fault
    try:
        aad = additional_data(room, key.key_id, row_id)
        return _aes(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], aad)
    except InvalidTag as error:
        raise fault from error


def additional_data(room: str, key_id: str, row_id: str) -> bytes:
    """What is authenticated together with the value."""
    return f"wallet-service/{room}/1\0{key_id}\0{row_id}".encode()


def _aes(key: Key) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - takes 30 ms to import

    return AESGCM(key.secret)
