"""Wallets and operations for the tests of the ledger."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg

from support.api import new_user
from support.polling import wait_until
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Outcome, Refused
from wallet_service.platform.database.gateway import Database, Json


async def new_wallet(database: Database, balance: str = "10") -> str:
    """A wallet of a new user with these CREDIT."""
    wallet_id = new_id()
    await database.call(
        "create_wallet",
        wallet_id=wallet_id,
        client_id="test",
        idempotency_key=None,
        wallet=Json.of({"user_id": new_user(), "wallet_type": "fiat", "currency": "CREDIT", "name": "main"}),
        deposit=Json.of({"transaction_id": new_id(), "client_id": "test", "amount": balance}),
    )
    return wallet_id


def move(
    kind: TransactionType,
    wallet_id: str,
    amount: str = "1",
    key: str | None = None,
    to_wallet_id: str | None = None,
    **details: Any,
) -> Operation:
    """An operation on a wallet."""
    return Operation(
        type=kind,
        client_id="test",
        idempotency_key=key,
        wallet_id=wallet_id,
        to_wallet_id=to_wallet_id,
        amount=amount,
        details=details,
    )


def consume(wallet_id: str, amount: str = "1", key: str | None = None) -> Operation:
    """A debit."""
    return move("consume", wallet_id, amount, key)


async def balance(database: Database, wallet_id: str) -> Decimal:
    """The balance of a wallet."""
    return Decimal(
        json.loads(await database.read("get_wallet", wallet_id=wallet_id, user_id=None))["balance"]
    )


def status_or_code(outcome: Outcome) -> str:
    """``posted`` or the code of the refusal."""
    return outcome.error.code if isinstance(outcome, Refused) else "posted"


async def queued(ledger: Ledger, metrics: CommitMetrics, *units: Unit) -> list[asyncio.Task[list[Outcome]]]:
    """Tasks that post these units; all of them are in the queue."""
    tasks = [asyncio.create_task(ledger.post(unit)) for unit in units]
    size = sum(len(unit.operations) for unit in units)
    await wait_until(lambda: value(metrics, "queued_operations") >= size)
    return tasks


def value(metrics: CommitMetrics, name: str) -> float:
    """A metric of group commit now."""
    got = metrics.registry.get_sample_value(f"wallet_commit_{name}")
    assert got is not None
    return got


def single(operation: Operation) -> Unit:
    """A unit of one operation."""
    return Unit((operation,))


@asynccontextmanager
async def locking(superuser: asyncpg.Connection, *wallets: str) -> AsyncIterator[None]:
    """Within, another session has these wallets locked."""
    async with superuser.transaction():
        await superuser.execute("select from wallet.wallets where wallet_id = any ($1) for update", wallets)
        yield
