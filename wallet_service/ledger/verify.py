"""Checks the whole ledger of a live database, in short calls.

A call reads one snapshot for well under two seconds. Entries never change, and a wallet's row is read together with its
newest entry. So postings that are made during the check never appear as a fault.
"""

import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from wallet_service.core.room import VerifyWalk
from wallet_service.platform.database.gateway import Database, Json

LEDGER_WALKS = (
    VerifyWalk(
        "verify_wallets",
        "wallets",
        {
            "last entry": "a wallet's last_entry is its newest entry",
            "last time": "a wallet's last_posted_at is the created_at of its newest entry",
            "balance": "a wallet's balance is the balance after its newest entry",
            "available": "the available balance of an operating wallet is never below zero by more than the credit limit",
            "totals": "a wallet's balance is the sum of its checkpoint and the entries since",
            "primary": "a user has at most one primary wallet in a currency and keeping",
        },
    ),
    VerifyWalk(
        "verify_entries",
        "entries",
        {
            "versions": "a wallet's entries are numbered from 1 without a gap",
            "chain": "each entry starts from the balance after the previous entry",
            "time": "posting times never decrease within a wallet",
            "amounts": "amounts are positive and have at most the decimals of their currency",
            "owner": "an entry has the user and currency of its wallet",
        },
    ),
    VerifyWalk(
        "verify_postings",
        "postings",
        {
            "legs": "the legs of a posting balance and refer to each other",
            "refunds": "refunds have the wallets of the original operation and never exceed it",
            "keeping": "a posting is in operating wallets or in mirrored ones, with counter accounts of their kind",
            "tombstones": "an operation with a tombstone was never posted",
        },
    ),
    VerifyWalk(
        "verify_keys",
        "keys",
        {
            "keys": "an idempotency key names a posting of its client",
            "one key": "a posting has one idempotency key",
        },
    ),
    VerifyWalk(
        "verify_checkpoints",
        "checkpoints",
        {"checkpoints": "checkpoints are the totals of the entries up to them"},
    ),
)
"""The checks of the ledger's own tables, by the name under which a fault is reported."""

_TRIAL_BALANCE = "the balances of a currency are the sum of its entries"

_MOST_NAMED = 1000
"""Most postings whose wallets are read in one call."""


async def verify(
    database: Database, report: Callable[[str], None], walks: Sequence[VerifyWalk] = LEDGER_WALKS
) -> bool:
    """Check the ledger and the tables of other rooms, and report a line for each check and each fault.

    Args:
        database: every row of the ledger is read once or twice. Postings may continue.
        report: is called with each line.
        walks: the walks of the ledger, and those that other rooms declare.

    Returns:
        Whether no fault was found.
    """
    run = _Run(database, report)
    for walk in walks:
        checked = 0
        async for page in _pages(database, walk.function):
            checked += page["checked"]
            await run.take(page, of_keys=walk.function == "verify_keys")
        if walk.function == "verify_keys":
            await run.compare_keys()
        for check, meaning in walk.checks.items():
            run.conclude(check, meaning, f"{checked} {walk.things}")
    run.conclude_trial_balance()
    return not run.faults


async def _pages(database: Database, function: str) -> AsyncIterator[dict[str, Any]]:
    place: dict[str, Any] = {}
    while True:
        page: dict[str, Any] = json.loads(await database.read(function, **place))
        if page["next"] is None:
            return
        yield page
        place = page["next"]


class _Run:
    """The faults and sums of one run."""

    def __init__(self, database: Database, report: Callable[[str], None]) -> None:
        self.faults: Counter[str] = Counter()
        self._database = database
        self._report = report
        self._named: set[tuple[str, str]] = set()
        self._sums: dict[str, list[Decimal]] = {}
        # 16 bytes each, by the last byte of the transaction_id: for ten million postings and their keys 320 MB.
        self._keys = [bytearray() for _ in range(256)]
        # Postings are read before keys, so the key of each posting that was read exists.
        self._postings = [bytearray() for _ in range(256)]

    async def take(self, page: dict[str, Any], *, of_keys: bool) -> None:
        """Take over the faults, sums and transaction ids of one call."""
        for fault in page["faults"]:
            if "wallet_id" in fault:
                self._name(fault["check"], f"wallet {fault['wallet_id']}")
            elif "row" in fault:
                self._name(fault["check"], fault["row"])
        await self._name_postings(
            {fault["transaction_id"]: fault["check"] for fault in page["faults"] if "transaction_id" in fault}
        )
        for currency, sums in page.get("currencies", {}).items():
            known = self._sums.setdefault(currency, [Decimal(0), Decimal(0)])
            known[:] = [total + Decimal(more) for total, more in zip(known, sums, strict=True)]
        for transaction in _parts(bytes.fromhex(page.get("transactions", ""))):
            (self._keys if of_keys else self._postings)[transaction[-1]] += transaction

    async def compare_keys(self) -> None:
        """Report the postings with more than one key, and those without a key."""
        for keys, postings in zip(self._keys, self._postings, strict=True):
            found = Counter(_parts(bytes(keys)))
            wrong = [one for one, count in found.items() if count > 1]
            wrong += set(_parts(bytes(postings))) - found.keys()
            for start in range(0, len(wrong), _MOST_NAMED):
                await self._name_postings(
                    {str(uuid.UUID(bytes=one)): "one key" for one in wrong[start : start + _MOST_NAMED]}
                )

    def conclude(self, check: str, meaning: str, checked: str) -> None:
        """Report the result of a check."""
        result = f"{self.faults[check]} faults" if self.faults[check] else "ok"
        self._report(f"{check}: {meaning}: {checked}: {result}")

    def conclude_trial_balance(self) -> None:
        """Report each currency whose balances are not the sum of its entries."""
        for currency, (balances, entries) in sorted(self._sums.items()):
            if balances - entries != 0:  # also true for NaN
                self._name("trial balance", f"currency {currency}, off by {balances - entries}")
        self.conclude("trial balance", _TRIAL_BALANCE, f"{len(self._sums)} currencies")

    async def _name_postings(self, checks: dict[str, str]) -> None:
        if not checks:
            return
        owners = json.loads(
            await self._database.read("verify_owners", transactions=Json(json.dumps(list(checks))))
        )
        for transaction, check in checks.items():
            wallets = ", ".join(owners.get(transaction, [])) or "none"
            self._name(check, f"transaction {transaction}, wallet {wallets}")

    def _name(self, check: str, what: str) -> None:
        if (check, what) not in self._named:
            self._named.add((check, what))
            self.faults[check] += 1
            self._report(f"FAULT {check}: {what}")


def _parts(together: bytes) -> Iterator[bytes]:
    return (together[start : start + 16] for start in range(0, len(together), 16))
