"""What somebody else holds, a wallet or a key, holds up those who want it and nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from support.database_faults import FaultyDatabase
from support.ledger import balance, consume, locking, move, new_wallet, queued, single, status_or_code, value
from support.polling import wait_for_lock_waiters, wait_until

from wallet_service.core.errors import Overloaded, WalletBusy
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Unit
from wallet_service.ledger.outcomes import Posted
from wallet_service.platform.database.gateway import Database, Param

ONE_LANE = Limits(lanes=1)
PATIENT = Limits(lanes=1, lock_wait_ms=60_000, queue_wait_ms=60_000)
LONGEST_S = 10


@pytest.fixture
async def other(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A second session that may do anything."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


@asynccontextmanager
async def claiming(superuser: asyncpg.Connection, key: str) -> AsyncIterator[None]:
    """Somebody else is deciding on this key, and gives it back."""
    claim = superuser.transaction()
    await claim.start()
    await superuser.execute(
        "insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)"
        " values ('test', $1, 'posting', $2, '', now())",
        key,
        new_id(),
    )
    try:
        yield
    finally:
        await claim.rollback()


@pytest.mark.parametrize("lanes", [1, 2])
async def test_a_held_wallet_holds_up_only_itself(
    database: Database, superuser: asyncpg.Connection, lanes: int
) -> None:
    held, free, other = [await new_wallet(database) for _ in range(3)]
    ledger = Ledger(database, Limits(lanes=lanes, lock_wait_ms=60_000))
    async with locking(superuser, held):
        waiting: list[asyncio.Task[Any]] = [
            asyncio.create_task(ledger.post_one(consume(held))),
            asyncio.create_task(ledger.post_one(move("transfer", free, "2", to_wallet_id=held))),
            asyncio.create_task(ledger.post_one(move("transfer", held, "3", to_wallet_id=other))),
        ]
        # Both wallets of a transfer that waits for another's are free.
        async with asyncio.timeout(LONGEST_S):
            for _ in range(5):
                await ledger.post_one(consume(free))
                await ledger.post_one(consume(other))
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)
    balances = [await balance(database, wallet) for wallet in (held, free, other)]
    assert balances == [10 - 1 + 2 - 3, 10 - 5 - 2, 10 - 5 + 3]


async def test_a_wallet_keeps_its_order_while_it_is_held(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallet = await new_wallet(database, "50")
    ledger = Ledger(database, PATIENT)
    async with locking(superuser, wallet):
        tasks: list[asyncio.Task[Any]] = []
        for number in range(1, 8):
            tasks.append(asyncio.create_task(ledger.post_one(consume(wallet, str(number)))))
            await asyncio.sleep(0)
    answers = [json.loads((await task).transaction) for task in tasks]
    assert [answer["wallet_version"] for answer in answers] == list(range(2, 9))


async def test_a_wallet_that_is_held_too_long_is_busy_and_the_others_are_not(
    database: Database, superuser: asyncpg.Connection
) -> None:
    held, free = await new_wallet(database), await new_wallet(database)
    ledger = Ledger(database, Limits(lanes=1, lock_wait_ms=50))
    mixed = Unit(
        (consume(free), consume(held), consume(free), move("transfer", free, "1", to_wallet_id=held))
    )
    whole = Unit((consume(free, "2"), consume(held)), atomic=True)
    async with locking(superuser, held):
        outcomes = await asyncio.gather(
            ledger.post(mixed), ledger.post(whole), ledger.post(Unit((consume(held),), dry_run=True))
        )
    assert [[status_or_code(each) for each in unit] for unit in outcomes] == [
        ["posted", "wallet_busy", "posted", "wallet_busy"],
        ["wallet_busy", "wallet_busy"],
        ["wallet_busy"],
    ]
    assert (await balance(database, free), await balance(database, held)) == (8, 10)


async def test_more_held_wallets_than_calls_that_wait(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallets = [await new_wallet(database) for _ in range(5)]
    free = await new_wallet(database)
    metrics = CommitMetrics()
    ledger = Ledger(database, Limits(lanes=1, locked_lanes=1, lock_wait_ms=60_000), metrics)
    async with locking(superuser, *wallets):
        waiting = [asyncio.create_task(ledger.post_one(consume(wallet))) for wallet in wallets]
        await ledger.post_one(consume(free))
        async with asyncio.timeout(LONGEST_S):
            while value(metrics, "locked_wallets") < len(wallets):
                await ledger.post_one(consume(free, "0.000001"))
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)
    assert [await balance(database, wallet) for wallet in wallets] == [9] * 5
    assert value(metrics, "locked_wallets") == 0


async def test_more_held_wallets_than_calls_that_wait_are_busy_in_time(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallets = [await new_wallet(database) for _ in range(5)]
    ledger = Ledger(database, Limits(lanes=1, locked_lanes=1, lock_wait_ms=100))
    async with locking(superuser, *wallets):
        refusals = await asyncio.gather(
            *(ledger.post_one(consume(wallet)) for wallet in wallets), return_exceptions=True
        )
    assert {type(refusal) for refusal in refusals} == {WalletBusy}


async def test_a_key_that_another_session_claims_delays_only_itself(
    database: Database, superuser: asyncpg.Connection
) -> None:
    keyed, free, key = await new_wallet(database), await new_wallet(database), new_id()
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, PATIENT, metrics)
    async with claiming(superuser, key):
        async with faulty.paused():
            first = asyncio.create_task(ledger.post_one(consume(free)))
            await faulty.wait_for_calls(1)
            beside, waiting, other = await queued(
                ledger,
                metrics,
                single(consume(keyed)),
                single(consume(keyed, key=key)),
                single(consume(free)),
            )
        await asyncio.gather(first, beside, other)
        assert not waiting.done()
    assert [status_or_code(each) for each in await waiting] == ["posted"]
    assert (await balance(database, keyed), await balance(database, free)) == (8, 8)


async def test_a_key_that_another_session_claims_for_too_long(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallet, key = await new_wallet(database), new_id()
    ledger = Ledger(database, Limits(lanes=1, lock_wait_ms=100))
    async with claiming(superuser, key):
        with pytest.raises(WalletBusy):
            await ledger.post_one(consume(wallet, key=key))
    assert await balance(database, wallet) == 10


async def test_a_unit_with_a_wallet_that_is_known_to_be_held_is_divided(
    database: Database, superuser: asyncpg.Connection
) -> None:
    held, free = await new_wallet(database), await new_wallet(database)
    ledger = Ledger(database, Limits(lanes=1, lock_wait_ms=200))
    async with locking(superuser, held):
        first = asyncio.create_task(ledger.post_one(consume(held)))
        await wait_for_lock_waiters(superuser, 1)
        outcomes = await ledger.post(Unit((consume(free), consume(held), consume(free))))
        await asyncio.gather(first, return_exceptions=True)
    assert [status_or_code(each) for each in outcomes] == ["posted", "wallet_busy", "posted"]


async def test_a_wallet_that_is_held_briefly_is_met_though_others_are_held_for_long(
    database: Database, superuser: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    stuck = [await new_wallet(database) for _ in range(4)]
    brief = await new_wallet(database)
    metrics = CommitMetrics()
    ledger = Ledger(database, Limits(lanes=1, locked_lanes=2, lock_wait_ms=60_000), metrics)
    async with locking(superuser, *stuck):
        waiting = [asyncio.create_task(ledger.post_one(consume(wallet))) for wallet in stuck]
        await wait_until(lambda: value(metrics, "locked_wallets") == len(stuck))
        async with locking(other, brief):
            posting = asyncio.create_task(ledger.post_one(consume(brief)))
            await wait_until(lambda: value(metrics, "locked_wallets") == len(stuck) + 1)
        async with asyncio.timeout(LONGEST_S):
            assert isinstance(await posting, Posted)
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)


async def test_a_stuck_key_among_those_who_wait_for_a_wallet_stops_only_itself(
    database: Database, superuser: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    wallet, key = await new_wallet(database, "100"), new_id()
    metrics = CommitMetrics()
    ledger = Ledger(database, PATIENT, metrics)
    async with claiming(superuser, key):
        async with locking(other, wallet):
            tasks = [asyncio.create_task(ledger.post_one(consume(wallet)))]
            await wait_until(lambda: value(metrics, "locked_wallets") == 1)
            keyed = asyncio.create_task(ledger.post_one(consume(wallet, key=key)))
            tasks += [asyncio.create_task(ledger.post_one(consume(wallet))) for _ in range(20)]
            await wait_until(lambda: value(metrics, "queued_operations") >= 20)
        async with asyncio.timeout(LONGEST_S):
            await asyncio.gather(*tasks)
        assert not keyed.done()
    assert isinstance(await keyed, Posted)
    assert await balance(database, wallet) == 100 - 22


async def test_a_key_that_many_send_again_is_asked_for_once_at_a_time(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallet, free, key = await new_wallet(database), await new_wallet(database), new_id()
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, PATIENT, metrics)
    async with claiming(superuser, key):
        async with faulty.paused():
            first = asyncio.create_task(ledger.post_one(consume(free)))
            await faulty.wait_for_calls(1)
            again = [single(consume(wallet, key=key)) for _ in range(60)]
            *keyed, beside = await queued(ledger, metrics, *again, single(consume(free)))
        await asyncio.gather(first, beside)
        # The batch, the first with the key by itself, and then the beside: not the other 59.
        assert len(faulty.sent) < 20
    answers = [outcome for (outcome,) in await asyncio.gather(*keyed)]
    assert all(isinstance(answer, Posted) for answer in answers)
    assert await balance(database, wallet) == 9


async def test_those_who_wait_for_a_held_wallet_leave_the_queue_to_others(
    database: Database, superuser: asyncpg.Connection
) -> None:
    held, free = await new_wallet(database), await new_wallet(database)
    ledger = Ledger(database, Limits(lanes=1, queue_operations=3, lock_wait_ms=60_000))
    async with locking(superuser, held):
        waiting: list[asyncio.Task[Posted]] = []
        for _ in range(10):
            waiting.append(asyncio.create_task(ledger.post_one(consume(held))))
            await asyncio.sleep(0)
            await ledger.post_one(consume(free, "0.1"))  # one after it in the queue
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    # One was on its way; of the others as many waited as may.
    assert {type(answer) for answer in answers} == {Posted, WalletBusy}
    posted = sum(isinstance(answer, Posted) for answer in answers)
    assert 3 <= posted <= 4
    assert (await balance(database, held), await balance(database, free)) == (10 - posted, 9)


async def test_no_connection_for_the_part_that_waits_is_reported_of_that_part_only(
    database: Database, superuser: asyncpg.Connection
) -> None:
    class NoneFree(FaultyDatabase):
        async def call(self, function: str, /, **params: Param) -> bytes:
            if params["wait_ms"]:
                raise Overloaded("Every connection to the database is in use")
            return await super().call(function, **params)

    held, free = await new_wallet(database), await new_wallet(database)
    ledger = Ledger(NoneFree(database), ONE_LANE)
    async with locking(superuser, held):
        outcomes = await ledger.post(Unit((consume(free), consume(held))))
    assert [status_or_code(each) for each in outcomes] == ["posted", "wallet_busy"]
    assert (await balance(database, free), await balance(database, held)) == (9, 10)
