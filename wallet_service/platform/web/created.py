"""What a request created once for its idempotency key; without the code of HTTP, which commands do not load."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Created:
    """What a request created.

    Attributes:
        document: it as JSON. A replay has the bytes of the first response.
        replayed: whether the key was spent by an earlier request.
    """

    document: bytes
    replayed: bool

    @classmethod
    def of(cls, answer: bytes, member: str) -> "Created":
        """The answer of a database function, with what it created in this member."""
        status, _, document = answer.removeprefix(b'{"status":"').partition(f'","{member}":'.encode())
        return cls(document[:-1], status == b"replayed")


def request_hash(version: int, *members: Any) -> str:
    """The SHA-256, hexadecimal, by which a request is the same as an earlier one with its key.

    Args:
        version: of the choice of members.
        members: all that the request asks for, in the form of JSON.
    """
    return hashlib.sha256(json.dumps([version, *members]).encode()).hexdigest()
