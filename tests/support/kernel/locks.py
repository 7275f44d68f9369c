"""Locks: in the order of ids, without deadlocks, and without blocking other operations."""

import asyncio
import time
from collections import Counter
from decimal import Decimal

from support.kernel.harness import Kernel, Outcome, another_attempt, check, error_of, op, refund, transfer
from wallet_service.core.identifiers import new_id


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
    assert Counter(outcome.status_or_code for found in outcomes for outcome in found) == {"posted": 150}
    assert sum([await kernel.balance(wallet) for wallet in wallets]) == Decimal("299.5")


@check
async def locks_in_the_order_of_ids(kernel: Kernel) -> None:
    """A call with the wallets in reverse order waits for the lowest id first and locks no other meanwhile."""
    low, middle, high = sorted([await kernel.wallet("100") for _ in range(3)])
    for first, last in ((low, high), (low, middle), (middle, high)):
        async with kernel.locking(first):
            task = asyncio.create_task(kernel.all(transfer(last, first, "1"), op("consume", last, "1")))
            await kernel.waits_for_lock(task)
            async with kernel.pool.acquire() as other, other.transaction():
                await other.fetch("select from wallet.wallets where wallet_id = $1 for update nowait", last)
        assert [outcome.status for outcome in await task] == ["posted", "posted"]


@check
async def keys_in_their_order(kernel: Kernel) -> None:
    """A call with its keys in reverse order waits for the lowest first and claims no other meanwhile."""
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
    assert [outcome.status_or_code for outcome in await task] == ["idempotency_key_reused"] * 2


@check
async def locked_wallets_are_busy(kernel: Kernel) -> None:
    """Without waiting: operations on the locked wallet are busy, the rest posts, and the busy keys are free again."""
    locked, free = await kernel.wallet("10"), await kernel.wallet("10")
    stuck = op("consume", locked, "1", key=new_id())
    spent = op("consume", locked, "1")
    await kernel.one(spent)
    operations = [
        stuck,
        op("consume", free, "1"),
        transfer(free, locked, "1"),
        transfer(locked, free, "1"),
        op("refund", original_transaction_id=spent["transaction_id"]),
        op("consume", new_id(), "1"),
    ]
    async with kernel.locking(locked):
        outcomes = await kernel.all(*operations, wait_ms=0, resent=True)
        atomic = await kernel.all(op("consume", free, "1"), another_attempt(stuck), atomic=True, wait_ms=0)
        after = await kernel.all(op("consume", free, "1"), wait_ms=0)
    assert [outcome.status_or_code for outcome in outcomes] == [
        "busy",
        "posted",
        "busy",
        "busy",
        "busy",
        "wallet_not_found",
    ]
    assert [outcome.locked_wallet_id for outcome in outcomes] == [locked, None, locked, locked, locked, None]
    assert [(outcome.status_or_code, outcome.locked_wallet_id) for outcome in atomic] == [
        ("busy", locked)
    ] * 2
    assert after[0].transaction["balance_before"] == "9.00"
    assert await kernel.key_owner(stuck["idempotency_key"]) is None
    assert (await kernel.one(another_attempt(stuck))).status == "posted"
    retried = await kernel.all(*operations[2:5], wait_ms=0, resent=True)
    assert [outcome.status_or_code for outcome in retried] == ["posted"] * 3


@check
async def unknown_wallet_among_free_ones(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    outcomes = await kernel.all(op("consume", wallet, "1"), op("consume", new_id(), "1"), wait_ms=0)
    assert [outcome.status_or_code for outcome in outcomes] == ["posted", "wallet_not_found"]
    assert (await kernel.one(op("consume", new_id(), "1"), wait_ms=0)).status_or_code == "wallet_not_found"


@check
async def waits_and_gives_up(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    before = await kernel.state()
    async with kernel.locking(wallet):
        state, _ = await error_of(kernel.one(op("consume", wallet, "1"), wait_ms=20)) or (None, "")
        assert state == "55P03"
        task = asyncio.create_task(kernel.one(op("consume", wallet, "1"), wait_ms=20_000))
        await kernel.waits_for_lock(task)
        assert await kernel.state() == before
    assert (await task).status == "posted"


@check
async def no_lost_update(kernel: Kernel) -> None:
    """A call that waited for the lock decides on the new balance."""
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


@check
async def busy_names_the_source_first(kernel: Kernel) -> None:
    low, high = sorted([await kernel.wallet("10"), await kernel.wallet("10")])
    sent = transfer(high, low, "1")
    await kernel.one(sent)
    operations = [transfer(low, high, "1"), transfer(high, low, "1"), refund(sent)]
    async with kernel.locking(low, high):
        outcomes = await kernel.all(*operations, wait_ms=0)
    assert [(outcome.status_or_code, outcome.locked_wallet_id) for outcome in outcomes] == [
        ("busy", low),
        ("busy", high),
        ("busy", high),
    ]


@check
async def waits_for_one_wallet_and_holds_no_other(kernel: Kernel) -> None:
    """It waits for the highest wallet, which is not the first in the call; the lower ones stay free meanwhile."""
    low, middle, high = sorted([await kernel.wallet("10") for _ in range(3)])
    operations = [op("consume", low, "1"), transfer(middle, high, "1"), op("consume", high, "2")]
    async with kernel.locking(high):
        task = asyncio.create_task(kernel.all(*operations, wait_ms=20_000, wait_for=high))
        await kernel.waits_for_lock(task)
        for free in (low, middle):
            assert (await kernel.one(op("consume", free, "3"), wait_ms=0)).status == "posted"
    outcomes = await task
    assert [outcome.status_or_code for outcome in outcomes] == ["posted"] * 3
    assert outcomes[0].transaction["balance_before"] == "7.00"


@check
async def skips_the_others_when_it_waits_for_one(kernel: Kernel) -> None:
    """Two calls that wait for each other's wallets can't deadlock: the second wallet is never waited for."""
    low, high = sorted([await kernel.wallet("10"), await kernel.wallet("10")])
    for wanted, locked in ((low, high), (high, low)):
        async with kernel.locking(locked):
            outcomes = await kernel.all(
                transfer(wanted, locked, "1"),
                transfer(locked, wanted, "1"),
                op("consume", wanted, "1"),
                wait_for=wanted,
            )
        assert [(outcome.status_or_code, outcome.locked_wallet_id) for outcome in outcomes] == [
            ("busy", locked),
            ("busy", locked),
            ("posted", None),
        ]


@check
async def gives_up_on_the_one_wallet(kernel: Kernel) -> None:
    wallet, other = await kernel.wallet("10"), await kernel.wallet("10")
    operations = [op("consume", other, "1"), op("consume", wallet, "1")]
    async with kernel.locking(wallet):
        outcomes = await kernel.all(*operations, wait_ms=20, wait_for=wallet)
    assert [(outcome.status_or_code, outcome.locked_wallet_id) for outcome in outcomes] == [
        ("posted", None),
        ("busy", wallet),
    ]
    assert (await kernel.balance(wallet), await kernel.balance(other)) == (10, 9)
    unknown = new_id()
    operations = [op("consume", other, "1"), op("consume", unknown, "1"), op("consume", wallet, "1")]
    outcomes = await kernel.all(*operations, wait_ms=20, wait_for=unknown)
    assert [outcome.status_or_code for outcome in outcomes] == ["posted", "wallet_not_found", "posted"]


@check
async def key_under_way_stops_a_call_briefly(kernel: Kernel) -> None:
    """A call that does not wait, or waits for one wallet only, still waits up to 20 ms for a key."""
    wallet, other = await kernel.wallet("10"), await kernel.wallet("10")
    first = op("consume", wallet, "1", key=new_id())
    async with kernel.pool.acquire() as connection, connection.transaction():
        await kernel.one(first, on=connection)
        before = await kernel.state()
        for limits in {"wait_ms": 0}, {"wait_ms": 60_000, "wait_for": other}:
            started = time.monotonic()
            call = kernel.all(op("consume", other, "1"), another_attempt(first), **limits)
            assert (await error_of(call) or ("",))[0] == "55P03"
            assert 0.018 < time.monotonic() - started < 1
        assert await kernel.state() == before
        task = asyncio.create_task(kernel.one(another_attempt(first), wait_ms=20_000))
        await kernel.waits_for_lock(task)
    assert (await task).status_or_code == "replayed"


@check
async def busy_for_a_key_names_no_wallet(kernel: Kernel) -> None:
    """The key was spent when the call claimed, and is free when it reads who spent it."""
    wallet, locked, key = await kernel.wallet("10"), await kernel.wallet("10"), new_id()
    await kernel.pool.execute(
        """
        insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, answer, created_at)
        values ('tests', $1, 'wallet', $2, '', '{}', clock_timestamp())
        """,
        key,
        wallet,
    )
    wanted = op("consume", wallet, "1", key=key)
    async with kernel.locking(locked):
        task = asyncio.create_task(kernel.all(wanted, op("consume", locked, "1")))
        await kernel.waits_for_lock(task)
        await kernel.pool.execute("delete from wallet.idempotency where key = $1", key)
    assert [(outcome.status_or_code, outcome.locked_wallet_id) for outcome in await task] == [
        ("busy", None),
        ("posted", None),
    ]
    assert (await kernel.one(wanted)).status == "posted"
