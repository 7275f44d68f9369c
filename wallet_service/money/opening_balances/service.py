"""Imports records in groups. Each line is decided on its own, so the same import can be sent again after a failure."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import ValidationError

from wallet_service.core.errors import WalletError, error_of
from wallet_service.core.identifiers import new_id
from wallet_service.money.opening_balances.earlier_lines import EarlierLines
from wallet_service.money.opening_balances.records import Record, outcome_line
from wallet_service.money.opening_balances.repository import ImportRepository
from wallet_service.money.opening_balances.schemas import ImportLine
from wallet_service.platform.web.problems import problem_document, validation_problem

GROUP = 100
"""Most lines in one database transaction."""

COUNTER_ACCOUNT = "external:opening-balances"

_NOT_OF_THE_WALLET = {"balance", "effective_at", "key"}
_BELOW_ZERO = {
    "type": "amount_invalid",
    "loc": ("body", "balance"),
    "msg": "only a mirrored wallet can open below zero",
}


class ImportService:
    """Creates wallets from records, for one client.

    Args:
        repository: creates them.
        client_id: the client that the idempotency keys belong to.
        verified: False marks the wallets as unverified.
        dry_run: the outcomes are the same, but without ids of new wallets, and nothing is kept.
    """

    def __init__(
        self, repository: ImportRepository, client_id: str, *, verified: bool = True, dry_run: bool = False
    ) -> None:
        self._repository = repository
        self._client_id = client_id
        self._verified = verified
        self._earlier = EarlierLines() if dry_run else None
        self.last_line_done = 0
        """The line on which the last decided record starts (created, replayed or refused); 0 before the first."""

    async def outcomes(self, records: AsyncIterator[Record]) -> AsyncIterator[bytes]:
        """The results of the records in order, as JSON lines; a group at a time."""
        group: list[Record] = []
        async for record in records:
            group.append(record)
            if len(group) == GROUP:
                yield await self._post(group)
                group = []
        if group:
            yield await self._post(group)

    async def _post(self, group: list[Record]) -> bytes:
        read = [self._read(record) for record in group]
        lines = [line for line in read if not isinstance(line, WalletError)]
        outcomes = iter(await self._create(lines))
        self.last_line_done = group[-1].line
        return b"".join(
            _refused(record.line, line)
            if isinstance(line, WalletError)
            else _outcome(record.line, next(outcomes))
            for record, line in zip(group, read, strict=True)
        )

    async def _create(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self._earlier is None:
            return await self._call(lines) if lines else []
        # Nothing is kept of the groups before: what a line of this group finds of them is known here only.
        known = [self._earlier.outcome(line) for line in lines]
        new = [line for line, outcome in zip(lines, known, strict=True) if outcome is None]
        outcomes = iter(await self._call(new) if new else [])
        decided = [next(outcomes) if outcome is None else outcome for outcome in known]
        for line, outcome in zip(lines, decided, strict=True):
            if outcome["status"] == "created":
                self._earlier.add(line)
        return _without_ids(decided, {line["wallet_id"] for line in new})

    async def _call(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return await self._repository.create_all(
            self._client_id, lines, verified=self._verified, dry_run=self._earlier is not None
        )

    def _read(self, record: Record) -> dict[str, Any] | WalletError:
        if isinstance(record.document, WalletError):
            return record.document
        try:
            line = ImportLine.model_validate(record.document)
        except ValidationError as error:
            return validation_problem([{**found, "loc": ("body", *found["loc"])} for found in error.errors()])
        if line.keeping != "mirrored" and line.balance.startswith("-"):
            return validation_problem([_BELOW_ZERO])
        return {
            "wallet_id": new_id(),
            "key": line.key or _natural_key(line),
            "wallet": line.model_dump(exclude=_NOT_OF_THE_WALLET, exclude_none=True),
            "deposit": self._deposit(line),
        }

    def _deposit(self, line: ImportLine) -> dict[str, Any] | None:
        if line.balance.strip("0.") == "":
            return None
        deposit = {
            "transaction_id": new_id(),
            "client_id": self._client_id,
            "amount": line.balance,
        }
        if line.keeping != "mirrored":  # its counter account is mirrored:opening, however it is opened
            deposit["counter_account"] = COUNTER_ACCOUNT
        return deposit if line.effective_at is None else {**deposit, "effective_at": line.effective_at}


def _natural_key(line: ImportLine) -> str:
    members = [line.user_id, line.wallet_type, line.currency, line.name]
    name = json.dumps([*members, "mirrored"] if line.keeping == "mirrored" else members)
    return "import/" + hashlib.sha256(name.encode()).hexdigest()


def _without_ids(outcomes: list[dict[str, Any]], ids: set[str]) -> list[dict[str, Any]]:
    """The outcomes without these ids of wallets, which do not exist."""
    for outcome in outcomes:
        members = outcome["facts"] if outcome["status"] == "refused" else outcome["wallet"]
        if members.get("wallet_id") in ids:
            del members["wallet_id"]
    return outcomes


def _refused(line: int, error: WalletError) -> bytes:
    return outcome_line(line, "refused", None, problem_document(error))


def _outcome(line: int, outcome: dict[str, Any]) -> bytes:
    if outcome["status"] == "refused":
        return _refused(line, error_of(outcome["code"], **outcome["facts"]))
    return outcome_line(line, outcome["status"], outcome["wallet"].get("wallet_id"), None)
