"""What a dry run of an import has to remember, because the database keeps nothing of it."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

_IDENTITY = ("user_id", "wallet_type", "currency", "name")
_OF_THE_ATTEMPT = {"transaction_id", "client_id"}


class EarlierLines:
    """The lines of which wallets would have been created: about 300 bytes for each."""

    def __init__(self) -> None:
        self._requests: dict[bytes, bytes] = {}
        """The request of each key."""
        self._wallets: set[bytes] = set()

    def add(self, line: Mapping[str, Any]) -> None:
        """Remember a line that would have created a wallet."""
        self._requests[_digest(line["key"])] = _request(line)
        self._wallets.add(_wallet(line))

    def outcome(self, line: Mapping[str, Any]) -> dict[str, Any] | None:
        """The outcome of a line that meets an earlier one, as the database function would return it; else None."""
        request = self._requests.get(_digest(line["key"]))
        if request is not None:
            if request == _request(line):
                return {"status": "replayed", "wallet": {}}
            return {"status": "refused", "code": "idempotency_key_reused", "facts": {}}
        if _wallet(line) in self._wallets:
            return {"status": "refused", "code": "wallet_exists", "facts": {}}
        return None


def _wallet(line: Mapping[str, Any]) -> bytes:
    wallet = line["wallet"]
    return _digest([*(wallet.get(name) for name in _IDENTITY), wallet.get("keeping") or "operating"])


def _request(line: Mapping[str, Any]) -> bytes:
    """Of what the idempotency key stands for, with equal amounts written alike."""
    wallet, deposit = dict(line["wallet"]), dict(line["deposit"] or {})
    kept = {name: value for name, value in deposit.items() if name not in _OF_THE_ATTEMPT}
    for members, name in ((wallet, "credit_limit"), (kept, "amount")):
        if members.get(name) is not None:
            members[name] = _shortest(members[name])
    return _digest([wallet, kept])


def _shortest(amount: str) -> str:
    whole, _, decimals = amount.partition(".")
    return f"{whole.lstrip('0') or '0'}.{decimals.rstrip('0')}"


def _digest(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=16).digest()
