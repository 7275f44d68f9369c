"""Locks: in id order, never held against a neighbour, and never a deadlock."""

import asyncio
from collections import Counter
from decimal import Decimal

from support.kernel.bench import Kernel, Outcome, again, check, error_of, op, transfer
from wallet_service.identifiers import new_id


@check
async def opposed_transfers_fifty_at_once(kernel: Kernel) -> None:
    wallets = [await kernel.wallet("100") for _ in range(3)]
    calls = [
        [
            transfer(wallets[a], wallets[b], "1"),
            transfer(wallets[b], wallets[c], "1"),
            op("fee", wallets[a], "0.01"),
        ]
        for number in range(50)
        for a, b, c in [[(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2), (0, 2, 1)][number % 5]]
    ]
    outcomes = await asyncio.gather(*(kernel.all(*operations, wait_ms=20_000) for operations in calls))
    assert Counter(outcome.told for found in outcomes for outcome in found) == {"posted": 150}
    assert sum([await kernel.balance(wallet) for wallet in wallets]) == Decimal("299.5")


@check
async def locks_in_the_order_of_ids(kernel: Kernel) -> None:
    """A call that names the wallets backwards waits for the lowest first, and holds no other meanwhile."""
    low, middle, high = sorted([await kernel.wallet("100") for _ in range(3)])
    for first, last in ((low, high), (low, middle), (middle, high)):
        async with kernel.holding(first):
            task = asyncio.create_task(kernel.all(transfer(last, first, "1"), op("consume", last, "1")))
            await kernel.waits_for_lock(task)
            async with kernel.pool.acquire() as other, other.transaction():
                await other.fetch("select from wallet.wallets where wallet_id = $1 for update nowait", last)
        assert [outcome.status for outcome in await task] == ["posted", "posted"]


@check
async def keys_in_their_order(kernel: Kernel) -> None:
    """A call that names its keys backwards waits for the first of them, and holds no other meanwhile."""
    wallet = await kernel.wallet("100")
    low, high = sorted((new_id(), new_id()))
    async with kernel.pool.acquire() as connection, connection.transaction():
        await kernel.one(op("consume", await kernel.wallet("9"), "1", key=low), on=connection)
        task = asyncio.create_task(
            kernel.all(op("consume", wallet, "1", key=high), op("consume", wallet, "2", key=low))
        )
        await kernel.waits_for_lock(task)
        # With the higher key claimed by the task this would be a deadlock.
        await kernel.one(op("consume", await kernel.wallet("9"), "1", key=high), on=connection)
    assert [outcome.told for outcome in await task] == ["idempotency_key_reused"] * 2


@check
async def held_wallets_are_busy(kernel: Kernel) -> None:
    """Without waiting: what touches the held wallet comes back, the rest posts, and its keys are free again."""
    held, free = await kernel.wallet("10"), await kernel.wallet("10")
    stuck = op("consume", held, "1", key=new_id())
    spent = op("consume", held, "1")
    await kernel.one(spent)
    operations = [
        stuck,
        op("consume", free, "1"),
        transfer(free, held, "1"),
        transfer(held, free, "1"),
        op("refund", original_transaction_id=spent["transaction_id"]),
        op("consume", new_id(), "1"),
    ]
    async with kernel.holding(held):
        outcomes = await kernel.all(*operations, wait_ms=0, resent=True)
        atomic = await kernel.all(op("consume", free, "1"), again(stuck), atomic=True, wait_ms=0)
        after = await kernel.all(op("consume", free, "1"), wait_ms=0)
    assert [outcome.told for outcome in outcomes] == [
        "busy",
        "posted",
        "busy",
        "busy",
        "busy",
        "wallet_not_found",
    ]
    assert [outcome.told for outcome in atomic] == ["busy", "busy"]
    assert after[0].transaction["balance_before"] == "9.00"
    assert await kernel.key_owner(stuck["idempotency_key"]) is None
    assert (await kernel.one(again(stuck))).status == "posted"
    retried = await kernel.all(*operations[2:5], wait_ms=0, resent=True)
    assert [outcome.told for outcome in retried] == ["posted"] * 3


@check
async def unknown_wallet_among_free_ones(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    outcomes = await kernel.all(op("consume", wallet, "1"), op("consume", new_id(), "1"), wait_ms=0)
    assert [outcome.told for outcome in outcomes] == ["posted", "wallet_not_found"]
    assert (await kernel.one(op("consume", new_id(), "1"), wait_ms=0)).told == "wallet_not_found"


@check
async def waits_and_gives_up(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    before = await kernel.state()
    async with kernel.holding(wallet):
        state, _ = await error_of(kernel.one(op("consume", wallet, "1"), wait_ms=20)) or (None, "")
        assert state == "55P03"
        task = asyncio.create_task(kernel.one(op("consume", wallet, "1"), wait_ms=20_000))
        await kernel.waits_for_lock(task)
        assert await kernel.state() == before
    assert (await task).status == "posted"


@check
async def no_lost_update(kernel: Kernel) -> None:
    """Who waited for the lock decides on what the holder left."""
    wallet = await kernel.wallet("10")
    async with kernel.pool.acquire() as connection, connection.transaction():
        await kernel.one(op("consume", wallet, "7"), on=connection)
        task: asyncio.Task[Outcome] = asyncio.create_task(kernel.one(op("consume", wallet, "7")))
        await kernel.waits_for_lock(task)
    outcome = await task
    assert (outcome.code, outcome.facts["shortfall"]) == ("insufficient_funds", "4.00")


@check
async def other_isolation_is_refused(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    before = await kernel.state()
    for isolation in ("repeatable_read", "serializable"):
        async with kernel.pool.acquire() as connection:
            transaction = connection.transaction(isolation=isolation)
            await transaction.start()
            state, _ = await error_of(kernel.one(op("consume", wallet, "1"), on=connection)) or (None, "")
            await transaction.rollback()
        assert state == "WL002", isolation
    assert await kernel.state() == before
