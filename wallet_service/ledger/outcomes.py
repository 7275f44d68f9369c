"""The outcomes of operations."""

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from wallet_service.core.errors import WalletError, error_of

_POSTED = {
    b'{"status":"posted","transaction":': "posted",
    b'{"status":"replayed","transaction":': "replayed",
    b'{"status":"dry_run","transaction":': "dry_run",
}
_DECIDED = {
    b'{"status":"posted","result":': "posted",
    b'{"status":"replayed","result":': "replayed",
    b'{"status":"dry_run","result":': "dry_run",
}
_DECODER = json.JSONDecoder()
_ID_START = len('{"transaction_id":"')
_ID_END = _ID_START + 36


@dataclass(frozen=True, slots=True)
class Posted:
    """The operation is in the ledger (or would be: a dry run).

    Attributes:
        transaction: the response as JSON, as the database function wrote it; a replay has those of the first response.
            ``null`` where a room decided, and moved nothing.
        replayed: the key was spent on the same request before.
        dry_run: nothing was posted.
        result: where a room decided: JSON of what the operation made or changed.
    """

    transaction: bytes
    replayed: bool
    dry_run: bool
    result: bytes | None = None

    @property
    def transaction_id(self) -> str:
        """The posting's id; a replay has that of the first request."""
        return self.transaction[_ID_START:_ID_END].decode()

    def wallet_id(self) -> str:
        """The wallet of its first leg; it is read from the response."""
        return json.loads(self.transaction)["wallet_id"]


@dataclass(frozen=True, slots=True)
class Refused:
    """The operation changed nothing; ``error`` is the reason."""

    error: WalletError


Outcome: TypeAlias = Posted | Refused


@dataclass(frozen=True, slots=True)
class Busy:
    """Undecided: another session has locked the wallet, or (None) the idempotency key. Nothing was done."""

    wallet_id: str | None


def read_outcomes(answer: bytes) -> list[Outcome | Busy]:
    """The outcomes of a call, in order. The database function writes each on a line of its own."""
    return [_read(line) for line in answer.split(b"\n") if line.startswith(b"{")]


def _read(line: bytes) -> Outcome | Busy:
    for prefix, status in _POSTED.items():
        if line.startswith(prefix):
            return Posted(line[len(prefix) : -1], status == "replayed", status == "dry_run")
    for prefix, status in _DECIDED.items():
        if line.startswith(prefix):
            text = line[len(prefix) : -1].decode()
            _, end = _DECODER.raw_decode(text)
            transaction = text[end + len(',"transaction":') :].encode()
            return Posted(transaction, status == "replayed", status == "dry_run", text[:end].encode())
    outcome: dict[str, Any] = json.loads(line)
    if outcome["status"] == "busy":
        return Busy(outcome["wallet_id"])
    facts: dict[str, Any] = outcome["facts"]
    return Refused(error_of(outcome["code"], **facts))
