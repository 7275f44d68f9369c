# asyncpg does not type the values of rows, so they are annotated here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""The requests of the rows that go directly to PostgreSQL, all through the same client."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar

import asyncpg
import uuid_utils

from bench.choice import Choice, Hot, Uniform
from bench.ids import wallet_id
from bench.job import RowFailed, System
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.platform.database.gateway import Json

KERNEL_BATCH = 50
"""Operations of a call in the rows ``kernel_batch``."""

FLOOR_TABLES = """
create schema bench;
create table bench.floor_wallets (
  wallet_id uuid primary key,
  balance numeric(38, 18) not null,
  last_entry bigint not null default 0
) with (fillfactor = 70);
create table bench.floor_entries (
  wallet_id uuid not null,
  n bigint not null,
  transaction_id uuid not null,
  amount numeric(38, 18) not null,
  balance_after numeric(38, 18) not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (wallet_id, n)
);
"""
"""Tables with the keys of the ledger's own, and nothing else."""

FLOOR = """
with w as (
  update bench.floor_wallets set balance = balance - $2, last_entry = last_entry + 1
  where wallet_id = $1 and balance >= $2 returning balance, last_entry)
insert into bench.floor_entries (wallet_id, n, transaction_id, amount, balance_after)
select $1, w.last_entry, $3, $2, w.balance from w returning balance_after
"""
_READ = "select balance, last_entry from bench.floor_wallets where wallet_id = $1 for update"
_WRITE = "update bench.floor_wallets set balance = $2, last_entry = $3 where wallet_id = $1"
_ADD = """
insert into bench.floor_entries (wallet_id, n, transaction_id, amount, balance_after) values ($1, $2, $3, $4, $5)
"""
_KERNEL = "select wallet_api.post_transactions($1)"
_AMOUNT = Decimal(1)


Link = TypeVar("Link")
"""Runs requests: a connection or a client."""


class CallTraffic(ABC, Generic[Link]):
    """Runs requests, each an awaited call.

    Attributes:
        operations: number of operations of a request.
    """

    operations = 1

    def __init__(self, system: System, choice: Choice) -> None:
        self._choice = choice
        self._wallets = [wallet_id(number) for number in range(system.wallets)]

    @abstractmethod
    async def run(self, connection: Link) -> None:
        """Run one request.

        Raises:
            RowFailed: the request did not have its effect.
        """

    def _wallet(self) -> str:
        return self._wallets[self._choice.draw()]


SqlTraffic: TypeAlias = "CallTraffic[asyncpg.Connection[Any]]"


class _Floor(CallTraffic["asyncpg.Connection[Any]"]):
    """One statement: the least work of any ledger on PostgreSQL."""

    async def run(self, connection: "asyncpg.Connection[Any]") -> None:
        if await connection.fetchval(FLOOR, self._wallet(), _AMOUNT, _new_id()) is None:
            raise RowFailed("the wallet of the floor has too low a balance")


class _Naive(CallTraffic["asyncpg.Connection[Any]"]):
    """An ordinary repository: five statements, each a round trip."""

    async def run(self, connection: "asyncpg.Connection[Any]") -> None:
        wallet = self._wallet()
        await connection.execute("begin")
        row = await connection.fetchrow(_READ, wallet)
        if row is None or row["balance"] < _AMOUNT:
            raise RowFailed("the wallet of the naive row has too low a balance")
        balance: Decimal = row["balance"] - _AMOUNT
        entry: int = row["last_entry"] + 1
        await connection.execute(_WRITE, wallet, balance, entry)
        await connection.execute(_ADD, wallet, entry, _new_id(), _AMOUNT, balance)
        await connection.execute("commit")


class _Kernel(CallTraffic["asyncpg.Connection[Any]"]):
    """The kernel. Each operation is a unit, as with requests that share a batch."""

    async def run(self, connection: "asyncpg.Connection[Any]") -> None:
        units = [consume_unit(self._wallet()) for _ in range(self.operations)]
        check_posted(await connection.fetchval(_KERNEL, Json.of(units).text), self.operations)


class _KernelBatch(_Kernel):
    operations = KERNEL_BATCH


def consume_operation(wallet: str) -> Operation:
    """Consume 1."""
    return Operation(
        type="consume",
        client_id="bench",
        idempotency_key=str(uuid_utils.uuid7()),
        wallet_id=wallet,
        amount="1",
        details={"reference": "bench"},
    )


def consume_unit(wallet: str) -> dict[str, Any]:
    """The unit with which the kernel consumes 1."""
    return Unit((consume_operation(wallet),)).document(resent=False)


def check_posted(answer: str, operations: int) -> None:
    """Check that the kernel has posted this number of operations.

    Raises:
        RowFailed: it has posted fewer or more.
    """
    if answer.count('{"status":"posted"') != operations:
        raise RowFailed(f"not all operations were posted: {answer[:400]}")


def _new_id() -> str:
    return str(uuid_utils.uuid7())


SQL_TRAFFIC: dict[str, Callable[[System], SqlTraffic]] = {
    "floor": lambda system: _Floor(system, Uniform(system.wallets)),
    "floor_hot": lambda system: _Floor(system, Hot()),
    "naive": lambda system: _Naive(system, Uniform(system.wallets)),
    "naive_hot": lambda system: _Naive(system, Hot()),
    "kernel_single": lambda system: _Kernel(system, Uniform(system.wallets)),
    "kernel_single_hot": lambda system: _Kernel(system, Hot()),
    "kernel_batch": lambda system: _KernelBatch(system, Uniform(system.wallets)),
    "kernel_batch_hot": lambda system: _KernelBatch(system, Hot()),
}
"""The traffic to the database, by name."""
