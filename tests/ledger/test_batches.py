"""Batches of any size have the same outcomes and leave the same rows as their operations one by one, byte for byte."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import SettableClock
from support.cluster import VERSIONS, cluster, create_database, drop_database
from support.database_faults import FaultyDatabase
from support.database_location import connect, open_location
from support.soak import search

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Outcome, Refused

SIZES = (1, 2, 50)
"""Sizes of batches that are compared with single operations."""

MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)
WALLETS = (("USD", "20"), ("USD", "5"), ("USD", "0"), ("JPY", "100"))
AMOUNTS = ("1", "1.00", "2.5", "7", "0.01", "12", "0.001", "0", "99999999999999999999")


@dataclass(frozen=True)
class Wish:
    """An operation without names; places count wallets, and operations before this one.

    Attributes:
        again: the operation before, sent by its caller once more: the same request under the same key.
    """

    kind: TransactionType
    source: int
    target: int
    amount: str
    key: int | None
    of: int
    again: bool


kinds: st.SearchStrategy[TransactionType] = st.sampled_from(
    ("deposit", "withdraw", "consume", "fee", "reward", "transfer", "transfer", "refund")
)
# One more than there are: a wallet that does not exist. Most movements are between three of one currency.
places = st.integers(0, 2) | st.integers(0, 2) | st.integers(0, len(WALLETS))
wishes = st.builds(
    Wish,
    kind=kinds,
    source=places,
    target=places,
    amount=st.sampled_from(AMOUNTS),
    key=st.none() | st.integers(0, 5),
    of=st.integers(1, 8),
    again=st.sampled_from([False, False, False, True]),
)
programs = st.lists(
    st.tuples(
        st.lists(wishes, min_size=1, max_size=4),
        st.sampled_from([{}, {}, {}, {"atomic": True}, {"dry_run": True}, {"atomic": True, "dry_run": True}]),
    ),
    min_size=2,
    max_size=25,
)
Program = list[tuple[list[Wish], dict[str, bool]]]


@dataclass(frozen=True)
class Setup:
    """A database whose clock stands still, and a ledger on it.

    Attributes:
        size: operations of a batch, at most; 0: each unit is sent when the one before is answered.
    """

    size: int
    superuser: asyncpg.Connection
    faulty: FaultyDatabase
    ledger: Ledger

    async def open_wallets(self, wallets: list[str]) -> None:
        for wallet_id, (currency, balance) in zip(wallets, WALLETS, strict=True):
            await self.superuser.execute(
                "insert into wallet.wallets"
                " (wallet_id, user_id, name, wallet_type, currency, created_at, updated_at)"
                " values ($1::uuid, 'ann', $1::uuid::text, 'fiat', $2, $3, $3)",
                wallet_id,
                currency,
                MOMENT,
            )
            if balance != "0":
                operation = Operation(
                    type="deposit",
                    client_id="bank",
                    wallet_id=wallet_id,
                    amount=balance,
                    transaction_id=wallet_id,
                )
                await self.ledger.post_one(operation)

    async def run(self, units: list[Unit]) -> list[list[Outcome]]:
        if not self.size:
            return [await self.ledger.post(unit) for unit in units]
        before = len(self.faulty.sent)
        tasks = [asyncio.create_task(self.ledger.post(unit)) for unit in units]
        answers = await asyncio.gather(*tasks)  # all were in the queue before the lane began to send
        assert self.faulty.batch_sizes()[before:] == _packed(
            [len(unit.operations) for unit in units], self.size
        )
        return answers

    async def left(self, wallets: list[str], units: list[Unit]) -> dict[str, list[str]]:
        """Every row that the units could have changed."""
        names = [operation.transaction_id for unit in units for operation in unit.operations]
        rows = {
            "wallets": "select t::text as line from wallet.wallets t where wallet_id = any ($1) order by 1",
            "entries": "select t::text as line from wallet.wallet_transactions t"
            " where wallet_id = any ($1) order by wallet_id, wallet_version",
            "keys": "select t::text as line from wallet.idempotency t where transaction_id = any ($1) order by 1",
            "tombstones": "select t::text as line from wallet.tombstones t where transaction_id = any ($1) order by 1",
        }
        return {
            table: [row["line"] for row in await self.superuser.fetch(query, [*wallets, *names])]
            for table, query in rows.items()
        }


@pytest.fixture(scope="module")
async def setups(driver: str) -> AsyncIterator[list[Setup]]:
    async with AsyncExitStack() as stack:
        yield [await _setup(stack, driver, size) for size in (0, *SIZES)]


async def _setup(stack: AsyncExitStack, driver: str, size: int) -> Setup:
    server = await cluster(VERSIONS[0])
    name = f"batches_{secrets.token_hex(8)}"
    await create_database(server, name)
    stack.push_async_callback(drop_database, server, name)
    superuser = await asyncpg.connect(server.dsn(name))
    stack.push_async_callback(superuser.close)
    clock = SettableClock(superuser)
    await clock.install()
    await clock.set(MOMENT)
    database = await connect(await stack.enter_async_context(open_location(driver, server, name)))
    stack.push_async_callback(database.close)
    faulty = FaultyDatabase(database)
    limits = Limits(lanes=1, batch_operations=size or 1)
    return Setup(size, superuser, faulty, Ledger(faulty, limits))


def _packed(units: list[int], size: int) -> list[int]:
    """Operations of each call: as many together as may, and a unit whole."""
    calls: list[int] = []
    for operations in units:
        if calls and calls[-1] + operations <= size:
            calls[-1] += operations
        else:
            calls.append(operations)
    return calls


def _named(program: Program, wallets: list[str]) -> list[Unit]:
    """The units with names: the same for every setup."""
    places, keys = [*wallets, new_id()], [new_id() for _ in range(6)]
    sent: list[Operation] = []
    units: list[Unit] = []
    for wanted, flags in program:
        operations: list[Operation] = []
        for wish in wanted:
            if wish.again and sent and sent[-1].idempotency_key is not None:
                operations.append(replace(sent[-1], transaction_id=new_id()))
                continue
            members: dict[str, Any] = {"amount": wish.amount}
            if wish.kind == "refund":
                members["original_transaction_id"] = (
                    sent[-wish.of].transaction_id if len(sent) >= wish.of else new_id()
                )
            else:
                members["wallet_id"] = places[wish.source]
            if wish.kind == "transfer":
                members["to_wallet_id"] = places[wish.target]
            key = None if wish.key is None else keys[wish.key]
            operations.append(Operation(type=wish.kind, client_id="tests", idempotency_key=key, **members))
            sent.append(operations[-1])
        units.append(Unit(tuple(operations), **flags))
    return units


def _responses(outcomes: list[list[Outcome]]) -> list[list[Any]]:
    """The outcomes as callers get them, to the byte."""
    return [
        [
            (each.error.code, json.dumps(dict(each.error.facts))) if isinstance(each, Refused) else each
            for each in unit
        ]
        for unit in outcomes
    ]


# Batches are made above the driver.
@pytest.mark.parametrize("driver", ["postgres"], indirect=True)
@pytest.mark.soak
@search(40)
@given(program=programs)
async def test_batches_are_the_same_operations_one_by_one(setups: list[Setup], program: Program) -> None:
    wallets = [new_id() for _ in WALLETS]
    units = _named(program, wallets)
    results: list[tuple[int, Any, Any]] = []
    for setup in setups:
        await setup.open_wallets(wallets)
        answers = _responses(await setup.run(units))
        results.append((setup.size, answers, await setup.left(wallets, units)))
    _, expected, left = results[0]
    for size, answers, state in results[1:]:
        assert answers == expected, f"batches of {size}"
        assert state == left, f"batches of {size}"
