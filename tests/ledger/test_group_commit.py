import asyncio
import gc
import json
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import structlog
from prometheus_client import CollectorRegistry
from support.database_faults import FaultyDatabase, has_wallet
from support.ledger import balance, consume, locking, move, new_wallet, queued, single, status_or_code, value
from support.polling import wait_until

from wallet_service.core.errors import InternalError, Overloaded, Unavailable
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Unit
from wallet_service.ledger.outcomes import Posted
from wallet_service.ledger.pending import PendingUnit
from wallet_service.platform.database.gateway import Database

ONE_LANE = Limits(lanes=1)
LONGEST_S = 10


async def test_a_lone_operation_leaves_at_once(database: Database) -> None:
    wallet, faulty = await new_wallet(database), FaultyDatabase(database)
    ledger = Ledger(faulty)
    for _ in range(3):
        await ledger.post_one(consume(wallet))
    assert faulty.batch_sizes() == [1, 1, 1]
    assert faulty.calls == [{"wait_ms": 0, "wait_for": None}] * 3


async def test_those_that_wait_leave_together_and_each_is_answered(database: Database) -> None:
    wallets = [await new_wallet(database) for _ in range(3)]
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallets[0])))
        await faulty.wait_for_calls(1)
        amounts = ["4", "6", "5.5", "0.5", "11"]
        waiting = await queued(
            ledger, metrics, *(single(consume(wallet, amount)) for amount in amounts for wallet in wallets)
        )
    assert isinstance(await first, Posted)
    answers = [status_or_code(outcome) for (outcome,) in await asyncio.gather(*waiting)]
    assert faulty.batch_sizes() == [1, 15]
    no = "insufficient_funds"
    # Refused in order, each for what those before it had left, and none for another's sake.
    assert answers[0::3] == ["posted", no, no, "posted", no]
    assert answers[1::3] == answers[2::3] == ["posted", "posted", no, no, no]
    assert [await balance(database, wallet) for wallet in wallets] == [Decimal("4.5"), 0, 0]


async def test_the_same_wallet_five_hundred_times(database: Database, superuser: asyncpg.Connection) -> None:
    wallet = await new_wallet(database, "499")
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, Limits(lanes=1, batch_operations=500), metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(500)))
    await first
    answers = [status_or_code(outcome) for (outcome,) in await asyncio.gather(*waiting)]
    assert answers == ["posted"] * 498 + ["insufficient_funds"] * 2
    assert faulty.batch_sizes() == [1, 500]
    assert await balance(database, wallet) == 0
    # Every row goes on from the one before, though the wallet was written once.
    rows = await superuser.fetch(
        "select wallet_version, balance_before, balance_after from wallet.wallet_transactions"
        " where wallet_id = $1 order by wallet_version",
        wallet,
    )
    assert [row["wallet_version"] for row in rows] == list(range(1, 501))
    assert [row["balance_before"] for row in rows[1:]] == [row["balance_after"] for row in rows[:-1]]


async def test_a_wallet_is_written_once_a_batch(database: Database, superuser: asyncpg.Connection) -> None:
    wallet = await new_wallet(database, "100")
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(50)))
    written = "select xmin::text::bigint, ctid::text from wallet.wallets where wallet_id = $1"
    await first
    await asyncio.gather(*waiting)
    wrote, _ = await superuser.fetchrow(written, wallet)
    rows = await superuser.fetch(
        "select distinct xmin::text::bigint as transaction from wallet.wallet_transactions"
        " where wallet_id = $1 and wallet_version > 2",
        wallet,
    )
    assert [row["transaction"] for row in rows] == [wrote]


async def test_the_same_key_twice_in_a_batch(database: Database) -> None:
    wallet, key = await new_wallet(database), new_id()
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(
            ledger,
            metrics,
            *(single(consume(wallet, "2", key)) for _ in range(2)),
            single(consume(wallet, "3", key)),
        )
    await first
    (one,), (two,), (other,) = await asyncio.gather(*waiting)
    assert isinstance(one, Posted)
    assert isinstance(two, Posted)
    assert (one.transaction, one.replayed, two.replayed) == (two.transaction, False, True)
    assert status_or_code(other) == "idempotency_key_reused"
    assert await balance(database, wallet) == 7
    assert faulty.batch_sizes() == [1, 3]


async def test_a_batch_has_a_size_and_a_unit_is_never_divided(database: Database) -> None:
    wallet = await new_wallet(database, "100")
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, Limits(lanes=1, batch_operations=3), metrics)
    large = Unit(tuple(consume(wallet) for _ in range(5)), atomic=True)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        units = [*(single(consume(wallet)) for _ in range(4)), large, single(consume(wallet))]
        waiting = await queued(ledger, metrics, *units)
    await asyncio.gather(first, *waiting)
    assert faulty.batch_sizes() == [1, 3, 1, 5, 1]
    assert await balance(database, wallet) == 89


async def test_too_much_that_waits_is_refused_at_once(database: Database) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, Limits(lanes=1, queue_operations=3), metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(3)))
        with pytest.raises(Overloaded) as refused:
            await ledger.post_one(consume(wallet))
        assert (refused.value.status, refused.value.retry_after_s) == (503, 1)
    await asyncio.gather(first, *waiting)
    await ledger.post_one(consume(wallet))
    assert await balance(database, wallet) == 5


async def test_a_unit_that_waits_too_long_for_a_batch_is_refused_and_nothing_is_done(
    database: Database,
) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, Limits(lanes=1, queue_wait_ms=20), metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(3)))
        refusals = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(refusal) for refusal in refusals} == {Overloaded}
        assert value(metrics, "queued_operations") == 0
        assert not first.done()
    await first
    assert faulty.batch_sizes() == [1]
    assert await balance(database, wallet) == 9


async def test_lanes_don_t_wait_for_each_other(database: Database) -> None:
    wallets = [await new_wallet(database) for _ in range(12)]
    faulty = FaultyDatabase(database)
    ledger = Ledger(faulty, Limits(lanes=4))
    stuck = wallets[0]
    async with faulty.paused(has_wallet(stuck)):
        blocked = asyncio.create_task(ledger.post_one(consume(stuck)))
        await faulty.wait_for_calls(1)
        others = [asyncio.create_task(ledger.post_one(consume(wallet))) for wallet in wallets[1:]]
        done, _ = await asyncio.wait(others, timeout=LONGEST_S, return_when=asyncio.FIRST_COMPLETED)
        assert done
        assert not blocked.done()
    await asyncio.gather(blocked, *others)


async def test_a_caller_who_goes_takes_nothing_back(database: Database) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        gone, stays = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(2)))
        first.cancel()
        gone.cancel()
        left = await asyncio.gather(first, gone, return_exceptions=True)
        assert [type(each) for each in left] == [asyncio.CancelledError] * 2
    assert [status_or_code(each) for each in await stays] == ["posted"]
    assert await balance(database, wallet) == 7


async def test_an_internal_fault_among_single_ones_lets_no_caller_wait_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    real, settled = PendingUnit.settle, list[PendingUnit]()

    def settle(ticket: PendingUnit, outcomes: Any) -> Any:
        settled.append(ticket)
        if len(settled) == 2:
            raise RuntimeError("ours")
        return real(ticket, outcomes)

    monkeypatch.setattr(PendingUnit, "settle", settle)
    poison = move("consume", wallet, "1", description="\x00")
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        units = [single(consume(wallet)), single(consume(wallet)), single(poison)]
        waiting = await queued(ledger, metrics, *units)
    await first
    async with asyncio.timeout(LONGEST_S):
        failed = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in failed} == {InternalError}
    gc.collect()  # now, so that what the loop says of the lane's end is said in this test


@pytest.mark.parametrize("failures", [["after"], ["before"], ["after", "before", "after"]], ids="+".join)
async def test_a_batch_on_a_line_that_is_lost_is_sent_again_with_the_same_names(
    database: Database, failures: list[str]
) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        units = [*(single(consume(wallet, key=new_id())) for _ in range(3)), single(consume(wallet, "8"))]
        waiting = await queued(ledger, metrics, *units)
        faulty.fail_next(None, *failures)
    await first
    *posted, poor = [status_or_code(outcome) for (outcome,) in await asyncio.gather(*waiting)]
    assert posted == ["posted"] * 3
    # Also where the response to a refusal was lost: the last attempt is decided again.
    assert poor == "insufficient_funds"
    assert await balance(database, wallet) == 6
    again = faulty.sent[1:]
    assert len(again) == 1 + len(failures)
    assert [{unit["resent"] for unit in units} for units in again] == [{False}, *[{True}] * len(failures)]
    assert len({json.dumps([unit["operations"] for unit in units]) for units in again}) == 1


async def test_after_a_lost_connection_no_response_says_that_nothing_was_done(
    database: Database, superuser: asyncpg.Connection
) -> None:
    """The first attempt, which may still be under way, could be the one that holds the wallet."""
    wallet = await new_wallet(database)
    ledger = Ledger(FaultyDatabase(database, "before"), Limits(lanes=1, lock_wait_ms=50))
    async with locking(superuser, wallet):
        with pytest.raises(Unavailable):
            await ledger.post_one(consume(wallet))


async def test_a_line_that_stays_cut_fails_the_batch_and_not_the_next(database: Database) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(3)))
        faulty.fail_next(None, *["before"] * 100)
    await first
    refusals = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {Unavailable}
    assert len({id(refusal) for refusal in refusals}) == len(refusals)
    faulty.fail_next()
    await ledger.post_one(consume(wallet))
    assert await balance(database, wallet) == 8


async def test_a_poisonous_operation_hurts_only_itself(database: Database) -> None:
    """A text that jsonb can't read fails the whole call; HTTP lets none through."""
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    poison = move("consume", wallet, "1", description="\x00")
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        operations = [consume(wallet), poison, consume(wallet, "20"), consume(wallet)]
        waiting = await queued(ledger, metrics, *map(single, operations))
    await first
    one, bad, poor, two = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(bad, InternalError)
    assert isinstance(one, list)
    assert isinstance(poor, list)
    assert isinstance(two, list)
    assert [status_or_code(each) for each in (*one, *poor, *two)] == [
        "posted",
        "insufficient_funds",
        "posted",
    ]
    assert faulty.batch_sizes() == [1, 4, 1, 1, 1, 1]
    assert await balance(database, wallet) == 7


async def test_a_fault_of_ours_after_the_commit_posts_nothing_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet, ledger = await new_wallet(database), Ledger(database, ONE_LANE)
    with monkeypatch.context() as patch:
        patch.setattr("wallet_service.ledger.batching.read_outcomes", lambda answer: answer.no_such)
        with pytest.raises(InternalError):
            await ledger.post_one(consume(wallet))
    await ledger.post_one(consume(wallet))
    assert await balance(database, wallet) == 8


async def test_an_internal_fault_lets_no_caller_wait_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, Limits(lanes=1, batch_operations=1), metrics)
    with monkeypatch.context() as patch:
        patch.setattr(PendingUnit, "settle", lambda ticket, _: ticket.no_such)
        async with faulty.paused():
            first = asyncio.create_task(ledger.post_one(consume(wallet)))
            await faulty.wait_for_calls(1)
            (waiting,) = await queued(ledger, metrics, single(consume(wallet)))
        failed = await asyncio.gather(first, waiting, return_exceptions=True)
    assert [type(error) for error in failed] == [InternalError, InternalError]
    await ledger.post_one(consume(wallet))
    assert value(metrics, "queued_operations") == 0
    gc.collect()
    assert "no_such" in caplog.text


async def test_the_end_waits_for_what_was_taken(database: Database) -> None:
    wallet = await new_wallet(database)
    faulty, metrics = FaultyDatabase(database), CommitMetrics()
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(3)))
        closing = asyncio.create_task(ledger.close())
        with pytest.raises(Unavailable):
            await asyncio.gather(*[asyncio.sleep(0), ledger.post_one(consume(wallet))])
        assert not closing.done()
    await closing
    assert first.done()
    assert [status_or_code(each) for task in waiting for each in task.result()] == ["posted"] * 3
    assert await balance(database, wallet) == 6


async def test_a_lane_is_no_part_of_the_request_that_wakes_it(database: Database) -> None:
    wallet, seen = await new_wallet(database), list[dict[str, Any]]()

    class Listening(FaultyDatabase):
        def call(self, function: str, /, **params: Any) -> Coroutine[Any, Any, bytes]:
            seen.append(structlog.contextvars.get_contextvars())
            return super().call(function, **params)

    with structlog.contextvars.bound_contextvars(request_id="mine"):
        await Ledger(Listening(database)).post_one(consume(wallet))
    assert seen == [{}]


async def test_what_ops_see(database: Database, superuser: asyncpg.Connection) -> None:
    wallet, metrics = await new_wallet(database), CommitMetrics(CollectorRegistry())
    faulty = FaultyDatabase(database)
    ledger = Ledger(faulty, ONE_LANE, metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        waiting = await queued(ledger, metrics, *(single(consume(wallet)) for _ in range(6)))
        assert value(metrics, "queued_operations") == 6
    await asyncio.gather(first, *waiting)
    assert value(metrics, "batch_operations_count") == 2
    assert value(metrics, "batch_operations_sum") == 7
    assert value(metrics, "wait_seconds_count") == 7
    assert value(metrics, "queued_operations") == 0
    async with locking(superuser, wallet):
        busy = asyncio.create_task(ledger.post_one(consume(wallet)))
        await wait_until(lambda: value(metrics, "locked_wallets") == 1)
    await busy
    assert value(metrics, "locked_wallets") == 0
