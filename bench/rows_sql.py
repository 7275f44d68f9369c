# asyncpg's own types say little of rows, so what they hold is annotated here by hand.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""What is sent to PostgreSQL directly, row by row, all through the same client."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar

import asyncpg
import uuid_utils

from bench.choice import Choice, Hot, Uniform
from bench.job import Place, RowFailed
from bench.names import wallet_id
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.platform.database.gateway import Json

KERNEL_BATCH = 50
"""Operations of a call in row d."""

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
"""The keys that ours have, and nothing else."""

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
"""What a request is run on: a connection, or a client."""


class CallTraffic(ABC, Generic[Link]):
    """Runs requests, each an awaited call.

    Attributes:
        operations: of a request.
    """

    operations = 1

    def __init__(self, place: Place, choice: Choice) -> None:
        self._choice = choice
        self._wallets = [wallet_id(number) for number in range(place.wallets)]

    @abstractmethod
    async def run(self, connection: Link) -> None:
        """Run one request.

        Raises:
            RowFailed: it did not do what it should.
        """

    def _wallet(self) -> str:
        return self._wallets[self._choice.draw()]


SqlTraffic: TypeAlias = "CallTraffic[asyncpg.Connection[Any]]"


class _Floor(CallTraffic["asyncpg.Connection[Any]"]):
    """One statement: what no ledger on PostgreSQL can do with less."""

    async def run(self, connection: "asyncpg.Connection[Any]") -> None:
        if await connection.fetchval(FLOOR, self._wallet(), _AMOUNT, _new_id()) is None:
            raise RowFailed("the floor's wallet has nothing left")


class _Naive(CallTraffic["asyncpg.Connection[Any]"]):
    """What an ordinary repository does: five statements, each a round trip."""

    async def run(self, connection: "asyncpg.Connection[Any]") -> None:
        wallet = self._wallet()
        await connection.execute("begin")
        row = await connection.fetchrow(_READ, wallet)
        if row is None or row["balance"] < _AMOUNT:
            raise RowFailed("the naive row's wallet has nothing left")
        balance: Decimal = row["balance"] - _AMOUNT
        entry: int = row["last_entry"] + 1
        await connection.execute(_WRITE, wallet, balance, entry)
        await connection.execute(_ADD, wallet, entry, _new_id(), _AMOUNT, balance)
        await connection.execute("commit")


class _Kernel(CallTraffic["asyncpg.Connection[Any]"]):
    """The ledger's own function, each operation a unit, as requests that share a batch are."""

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
    """What the kernel is told to consume 1."""
    return Unit((consume_operation(wallet),)).document(resent=False)


def check_posted(answer: str, operations: int) -> None:
    """See whether the kernel has posted so many operations.

    Raises:
        RowFailed: it has not.
    """
    if answer.count('{"status":"posted"') != operations:
        raise RowFailed(f"not everything was posted: {answer[:400]}")


def _new_id() -> str:
    return str(uuid_utils.uuid7())


SQL_TRAFFIC: dict[str, Callable[[Place], SqlTraffic]] = {
    "floor": lambda place: _Floor(place, Uniform(place.wallets)),
    "floor hot": lambda place: _Floor(place, Hot()),
    "naive": lambda place: _Naive(place, Uniform(place.wallets)),
    "naive hot": lambda place: _Naive(place, Hot()),
    "kernel": lambda place: _Kernel(place, Uniform(place.wallets)),
    "kernel hot": lambda place: _Kernel(place, Hot()),
    "kernel 50": lambda place: _KernelBatch(place, Uniform(place.wallets)),
    "kernel 50 hot": lambda place: _KernelBatch(place, Hot()),
}
"""What can be sent to the database, by name."""
