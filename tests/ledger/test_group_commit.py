import asyncio
import gc
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import structlog
from prometheus_client import CollectorRegistry
from support.ledger import balance, consume, move, new_wallet, told
from support.line import Line, names
from support.waiting import until

from wallet_service.database.gateway import Database
from wallet_service.errors import InternalError, Overloaded, Unavailable, WalletBusy
from wallet_service.identifiers import new_id
from wallet_service.ledger.group_commit import Limits
from wallet_service.ledger.meter import CommitMeter
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Outcome, Posted
from wallet_service.ledger.service import Ledger
from wallet_service.ledger.tickets import Ticket

ONE_LANE = Limits(lanes=1)
LONGEST_S = 10


async def queued(ledger: Ledger, meter: CommitMeter, *units: Unit) -> list[asyncio.Task[list[Outcome]]]:
    """Tasks that post these units, all of them in the queue by now."""
    tasks = [asyncio.create_task(ledger.post(unit)) for unit in units]
    size = sum(len(unit.operations) for unit in units)
    await until(lambda: value(meter, "queued_operations") >= size)
    return tasks


def value(meter: CommitMeter, name: str) -> float:
    got = meter.registry.get_sample_value(f"wallet_commit_{name}")
    assert got is not None
    return got


def single(operation: Operation) -> Unit:
    return Unit((operation,))


@asynccontextmanager
async def holding(superuser: asyncpg.Connection, *wallets: str) -> AsyncIterator[None]:
    """Somebody else holds these wallets."""
    async with superuser.transaction():
        await superuser.execute("select from wallet.wallets where wallet_id = any ($1) for update", wallets)
        yield


async def test_a_lone_operation_leaves_at_once(database: Database) -> None:
    wallet, line = await new_wallet(database), Line(database)
    ledger = Ledger(line)
    for _ in range(3):
        await ledger.post_one(consume(wallet))
    assert line.sizes() == [1, 1, 1]
    assert line.calls == [{"wait_ms": 0, "wait_for": None}] * 3


async def test_those_that_wait_leave_together_and_each_is_answered(database: Database) -> None:
    wallets = [await new_wallet(database) for _ in range(3)]
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallets[0])))
        await line.until_sent(1)
        amounts = ["4", "6", "5.5", "0.5", "11"]
        waiting = await queued(
            ledger, meter, *(single(consume(wallet, amount)) for amount in amounts for wallet in wallets)
        )
    assert isinstance(await first, Posted)
    answers = [told(outcome) for (outcome,) in await asyncio.gather(*waiting)]
    assert line.sizes() == [1, 15]
    no = "insufficient_funds"
    # Refused in order, each for what those before it had left, and none for another's sake.
    assert answers[0::3] == ["posted", no, no, "posted", no]
    assert answers[1::3] == answers[2::3] == ["posted", "posted", no, no, no]
    assert [await balance(database, wallet) for wallet in wallets] == [Decimal("4.5"), 0, 0]


async def test_the_same_wallet_five_hundred_times(database: Database, superuser: asyncpg.Connection) -> None:
    wallet = await new_wallet(database, "499")
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, Limits(lanes=1, batch_operations=500), meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(500)))
    await first
    answers = [told(outcome) for (outcome,) in await asyncio.gather(*waiting)]
    assert answers == ["posted"] * 498 + ["insufficient_funds"] * 2
    assert line.sizes() == [1, 500]
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
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(50)))
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
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(
            ledger,
            meter,
            *(single(consume(wallet, "2", key)) for _ in range(2)),
            single(consume(wallet, "3", key)),
        )
    await first
    (one,), (two,), (other,) = await asyncio.gather(*waiting)
    assert isinstance(one, Posted)
    assert isinstance(two, Posted)
    assert (one.transaction, one.replayed, two.replayed) == (two.transaction, False, True)
    assert told(other) == "idempotency_key_reused"
    assert await balance(database, wallet) == 7
    assert line.sizes() == [1, 3]


async def test_a_batch_has_a_size_and_a_unit_is_never_divided(database: Database) -> None:
    wallet = await new_wallet(database, "100")
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, Limits(lanes=1, batch_operations=3), meter)
    large = Unit(tuple(consume(wallet) for _ in range(5)), atomic=True)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        units = [*(single(consume(wallet)) for _ in range(4)), large, single(consume(wallet))]
        waiting = await queued(ledger, meter, *units)
    await asyncio.gather(first, *waiting)
    assert line.sizes() == [1, 3, 1, 5, 1]
    assert await balance(database, wallet) == 89


async def test_too_much_that_waits_is_refused_at_once(database: Database) -> None:
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, Limits(lanes=1, queue_operations=3), meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(3)))
        with pytest.raises(Overloaded) as refused:
            await ledger.post_one(consume(wallet))
        assert (refused.value.status, refused.value.retry_after_s) == (503, 1)
    await asyncio.gather(first, *waiting)
    await ledger.post_one(consume(wallet))
    assert await balance(database, wallet) == 5


async def test_whoever_waits_too_long_for_a_turn_is_refused_and_nothing_is_done(database: Database) -> None:
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, Limits(lanes=1, queue_wait_ms=20), meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(3)))
        refusals = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(refusal) for refusal in refusals} == {Overloaded}
        assert value(meter, "queued_operations") == 0
        assert not first.done()
    await first
    assert line.sizes() == [1]
    assert await balance(database, wallet) == 9


async def test_lanes_don_t_wait_for_each_other(database: Database) -> None:
    wallets = [await new_wallet(database) for _ in range(12)]
    line = Line(database)
    ledger = Ledger(line, Limits(lanes=4))
    stuck = wallets[0]
    async with line.stopped(names(stuck)):
        blocked = asyncio.create_task(ledger.post_one(consume(stuck)))
        await line.until_sent(1)
        others = [asyncio.create_task(ledger.post_one(consume(wallet))) for wallet in wallets[1:]]
        done, _ = await asyncio.wait(others, timeout=LONGEST_S, return_when=asyncio.FIRST_COMPLETED)
        assert done
        assert not blocked.done()
    await asyncio.gather(blocked, *others)


@pytest.mark.parametrize("lanes", [1, 2])
async def test_a_held_wallet_holds_up_only_itself(
    database: Database, superuser: asyncpg.Connection, lanes: int
) -> None:
    held, free, other = [await new_wallet(database) for _ in range(3)]
    ledger = Ledger(database, Limits(lanes=lanes))
    async with holding(superuser, held):
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
    ledger = Ledger(database, ONE_LANE)
    async with holding(superuser, wallet):
        tasks: list[asyncio.Task[Any]] = []
        for number in range(1, 8):
            tasks.append(asyncio.create_task(ledger.post_one(consume(wallet, str(number)))))
            await asyncio.sleep(0)
    answers = [json.loads((await task).transaction) for task in tasks]
    assert [answer["wallet_version"] for answer in answers] == list(range(2, 9))


async def test_a_wallet_that_is_held_too_long_is_busy_and_its_neighbours_are_not(
    database: Database, superuser: asyncpg.Connection
) -> None:
    held, free = await new_wallet(database), await new_wallet(database)
    ledger = Ledger(database, Limits(lanes=1, lock_wait_ms=50))
    mixed = Unit(
        (consume(free), consume(held), consume(free), move("transfer", free, "1", to_wallet_id=held))
    )
    whole = Unit((consume(free, "2"), consume(held)), atomic=True)
    async with holding(superuser, held):
        outcomes = await asyncio.gather(
            ledger.post(mixed), ledger.post(whole), ledger.post(Unit((consume(held),), dry_run=True))
        )
    assert [[told(each) for each in unit] for unit in outcomes] == [
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
    meter = CommitMeter()
    ledger = Ledger(database, Limits(lanes=1, held_lanes=1), meter)
    async with holding(superuser, *wallets):
        waiting = [asyncio.create_task(ledger.post_one(consume(wallet))) for wallet in wallets]
        await ledger.post_one(consume(free))
        async with asyncio.timeout(LONGEST_S):
            while value(meter, "held_wallets") < len(wallets):
                await ledger.post_one(consume(free, "0.000001"))
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)
    assert [await balance(database, wallet) for wallet in wallets] == [9] * 5
    assert value(meter, "held_wallets") == 0


async def test_more_held_wallets_than_calls_that_wait_are_busy_in_time(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallets = [await new_wallet(database) for _ in range(5)]
    ledger = Ledger(database, Limits(lanes=1, held_lanes=1, lock_wait_ms=100))
    async with holding(superuser, *wallets):
        refusals = await asyncio.gather(
            *(ledger.post_one(consume(wallet)) for wallet in wallets), return_exceptions=True
        )
    assert {type(refusal) for refusal in refusals} == {WalletBusy}


async def test_a_key_that_somebody_else_claims_holds_up_only_itself(
    database: Database, superuser: asyncpg.Connection
) -> None:
    keyed, free, key = await new_wallet(database), await new_wallet(database), new_id()
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    claim = superuser.transaction()
    await claim.start()
    await superuser.execute(
        "insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)"
        " values ('test', $1, 'posting', $2, '', now())",
        key,
        new_id(),
    )
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(free)))
        await line.until_sent(1)
        neighbour, waiting, other = await queued(
            ledger, meter, single(consume(keyed)), single(consume(keyed, key=key)), single(consume(free))
        )
    await asyncio.gather(first, neighbour, other)
    assert not waiting.done()
    await claim.rollback()
    assert [told(each) for each in await waiting] == ["posted"]
    assert (await balance(database, keyed), await balance(database, free)) == (8, 8)


async def test_a_key_that_somebody_else_claims_for_too_long(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallet, key = await new_wallet(database), new_id()
    ledger = Ledger(database, Limits(lanes=1, lock_wait_ms=100))
    async with superuser.transaction():
        await superuser.execute(
            "insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)"
            " values ('test', $1, 'posting', $2, '', now())",
            key,
            new_id(),
        )
        with pytest.raises(WalletBusy):
            await ledger.post_one(consume(wallet, key=key))
        await superuser.execute("delete from wallet.idempotency where key = $1", key)
    assert await balance(database, wallet) == 10


async def test_a_caller_who_goes_takes_nothing_back(database: Database) -> None:
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        gone, stays = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(2)))
        first.cancel()
        gone.cancel()
        left = await asyncio.gather(first, gone, return_exceptions=True)
        assert [type(each) for each in left] == [asyncio.CancelledError] * 2
    assert [told(each) for each in await stays] == ["posted"]
    assert await balance(database, wallet) == 7


@pytest.mark.parametrize("cuts", [["after"], ["before"], ["after", "before", "after"]], ids="+".join)
async def test_a_batch_on_a_line_that_is_lost_is_sent_again_with_the_same_names(
    database: Database, cuts: list[str]
) -> None:
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        units = [*(single(consume(wallet, key=new_id())) for _ in range(3)), single(consume(wallet, "8"))]
        waiting = await queued(ledger, meter, *units)
        line.cut(None, *cuts)
    await first
    *posted, poor = [told(outcome) for (outcome,) in await asyncio.gather(*waiting)]
    assert posted == ["posted"] * 3
    # Refused for good once a second attempt was, whether or not its answer got through.
    assert poor == ("insufficient_funds" if len(cuts) == 1 else "transaction_superseded")
    assert await balance(database, wallet) == 6
    again = line.sent[1:]
    assert len(again) == 1 + len(cuts)
    assert [{unit["resent"] for unit in units} for units in again] == [{False}, *[{True}] * len(cuts)]
    assert len({json.dumps([unit["operations"] for unit in units]) for units in again}) == 1


async def test_after_a_lost_line_nobody_says_that_nothing_was_done(
    database: Database, superuser: asyncpg.Connection
) -> None:
    """The first attempt, which may still be under way, could be the one that holds the wallet."""
    wallet = await new_wallet(database)
    ledger = Ledger(Line(database, "before"), Limits(lanes=1, lock_wait_ms=50))
    async with holding(superuser, wallet):
        with pytest.raises(Unavailable):
            await ledger.post_one(consume(wallet))


async def test_a_line_that_stays_cut_fails_the_batch_and_not_the_next(database: Database) -> None:
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(3)))
        line.cut(None, *["before"] * 5)
    await first
    refusals = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {Unavailable}
    assert len({id(refusal) for refusal in refusals}) == len(refusals)
    await ledger.post_one(consume(wallet))
    assert await balance(database, wallet) == 8


async def test_a_poisonous_operation_hurts_only_itself(database: Database) -> None:
    """A text that jsonb can't read fails the whole call; HTTP lets none through."""
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    poison = move("consume", wallet, "1", description="\x00")
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        operations = [consume(wallet), poison, consume(wallet, "20"), consume(wallet)]
        waiting = await queued(ledger, meter, *map(single, operations))
    await first
    one, bad, poor, two = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(bad, InternalError)
    assert isinstance(one, list)
    assert isinstance(poor, list)
    assert isinstance(two, list)
    assert [told(each) for each in (*one, *poor, *two)] == ["posted", "insufficient_funds", "posted"]
    assert line.sizes() == [1, 4, 1, 1, 1, 1]
    assert await balance(database, wallet) == 7


async def test_a_fault_of_ours_after_the_commit_posts_nothing_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet, ledger = await new_wallet(database), Ledger(database, ONE_LANE)
    with monkeypatch.context() as patch:
        patch.setattr("wallet_service.ledger.group_commit.read_outcomes", lambda answer: answer.no_such)
        with pytest.raises(InternalError):
            await ledger.post_one(consume(wallet))
    await ledger.post_one(consume(wallet))
    assert await balance(database, wallet) == 8


async def test_a_fault_of_ours_lets_nobody_wait_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, Limits(lanes=1, batch_operations=1), meter)
    with monkeypatch.context() as patch:
        patch.setattr(Ticket, "settle", lambda ticket, _: ticket.no_such)
        async with line.stopped():
            first = asyncio.create_task(ledger.post_one(consume(wallet)))
            await line.until_sent(1)
            (waiting,) = await queued(ledger, meter, single(consume(wallet)))
        failed = await asyncio.gather(first, waiting, return_exceptions=True)
    assert [type(error) for error in failed] == [InternalError, InternalError]
    await ledger.post_one(consume(wallet))
    assert value(meter, "queued_operations") == 0
    gc.collect()
    assert "no_such" in caplog.text


async def test_the_end_waits_for_what_was_taken(database: Database) -> None:
    wallet = await new_wallet(database)
    line, meter = Line(database), CommitMeter()
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(3)))
        closing = asyncio.create_task(ledger.close())
        with pytest.raises(Unavailable):
            await asyncio.gather(*[asyncio.sleep(0), ledger.post_one(consume(wallet))])
        assert not closing.done()
    await closing
    assert first.done()
    assert [told(each) for task in waiting for each in task.result()] == ["posted"] * 3
    assert await balance(database, wallet) == 6


async def test_a_lane_is_no_part_of_the_request_that_wakes_it(database: Database) -> None:
    wallet, seen = await new_wallet(database), list[dict[str, Any]]()

    class Listening(Line):
        def call(self, function: str, /, **params: Any) -> Coroutine[Any, Any, bytes]:
            seen.append(structlog.contextvars.get_contextvars())
            return super().call(function, **params)

    with structlog.contextvars.bound_contextvars(request_id="mine"):
        await Ledger(Listening(database)).post_one(consume(wallet))
    assert seen == [{}]


async def test_what_ops_see(database: Database, superuser: asyncpg.Connection) -> None:
    wallet, meter = await new_wallet(database), CommitMeter(CollectorRegistry())
    line = Line(database)
    ledger = Ledger(line, ONE_LANE, meter)
    async with line.stopped():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await line.until_sent(1)
        waiting = await queued(ledger, meter, *(single(consume(wallet)) for _ in range(6)))
        assert value(meter, "queued_operations") == 6
    await asyncio.gather(first, *waiting)
    assert value(meter, "batch_operations_count") == 2
    assert value(meter, "batch_operations_sum") == 7
    assert value(meter, "wait_seconds_count") == 7
    assert value(meter, "queued_operations") == 0
    async with holding(superuser, wallet):
        busy = asyncio.create_task(ledger.post_one(consume(wallet)))
        await until(lambda: value(meter, "held_wallets") == 1)
    await busy
    assert value(meter, "held_wallets") == 0
