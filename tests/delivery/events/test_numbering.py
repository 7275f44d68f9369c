"""Events get numbers without gaps, in an order in which each wallet's events follow its versions; none is missed."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from conftest import FreshDatabase
from support import event_order
from support.event_order import finish, number, read_all, read_page
from support.kernel.harness import Kernel, op, transfer, unit

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

Check = Callable[[Kernel], Awaitable[None]]


@pytest.fixture
async def kernel(fresh_database: FreshDatabase) -> AsyncIterator[Kernel]:
    opened = await Kernel.open((await fresh_database()).dsn)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    "check",
    [
        event_order.long_beside_short,
        event_order.both_at_once,
        event_order.one_at_a_time,
        event_order.at_random,
    ],
)
async def test_a_reader_sees_each_event_once_and_each_wallet_in_its_order(
    kernel: Kernel, check: Check
) -> None:
    await check(kernel)


BEFORE_HORIZON = "o.xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
MUTANTS = {
    "order-of-transaction-ids": (
        event_order.both_at_once,
        ("select o.*, coalesce", "select o.*, o.xmin::text::bigint as began, coalesce"),
        ("order by t.sequence, e.place", "order by t.began, e.place"),
    ),
    "horizon-of-transaction-ids": (
        event_order.long_beside_short,
        (
            "from platform.outbox o order by",
            f"from platform.outbox o where {BEFORE_HORIZON} order by",
        ),
    ),
    "several-give-numbers": (event_order.one_at_a_time, (" for update skip locked", "")),
    "waits-for-the-other": (event_order.one_at_a_time, (" skip locked", "")),
}


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_fault_in_the_order_is_caught(kernel: Kernel, name: str) -> None:
    caught_by, *changes = MUTANTS[name]
    [text] = [each.sql for each in read_sql_files(ROOMS).functions if each.name == "number_events"]
    for before, after in changes:
        assert text.count(before) == 1
        text = text.replace(before, after)
    await kernel.pool.execute(text)
    with pytest.raises((AssertionError, asyncpg.PostgresError)):
        await caught_by(kernel)


async def test_a_call_ends_after_about_its_limit(kernel: Kernel) -> None:
    wallet = await kernel.wallet()
    for _ in range(3):
        await kernel.all(*(op("deposit", wallet, "1") for _ in range(4)))
    assert [await number(kernel.pool, 5) for _ in range(3)] == [8, 4, 0]


async def test_the_event_of_an_entry_has_the_same_id_for_ever(kernel: Kernel) -> None:
    source, target = await kernel.wallet("5"), await kernel.wallet()
    await kernel.one(transfer(source, target, "1"))
    await number(kernel.pool)
    events = await read_all(kernel.pool)
    named = await kernel.rows(
        "select delivery.identify_entry(transaction_id, leg)::text as id from wallet.wallet_transactions"
    )
    assert {event.event_id for event in events} == {row["id"] for row in named}
    assert {event.event_id[14] for event in events} == {"8"}  # UUIDv8


async def test_a_refused_operation_a_replay_and_a_dry_run_leave_no_event(kernel: Kernel) -> None:
    wallet = await kernel.wallet()
    assert (await kernel.one(op("consume", wallet, "1"))).code == "insufficient_funds"
    await kernel.one(op("deposit", wallet, "1"), dry_run=True)
    paid = op("deposit", wallet, "1", key="once")
    await kernel.one(paid)
    assert (await kernel.one(paid)).status in ("posted", "replayed")
    reader = event_order.Reader(kernel)
    await finish(reader)
    assert len(reader.seen) == 1


async def test_a_page_is_bounded_in_bytes(kernel: Kernel) -> None:
    wallet = await kernel.wallet()
    metadata = {"note": "x" * 8000}
    await kernel.post(*(unit(op("deposit", wallet, "1", metadata=metadata)) for _ in range(200)))
    await number(kernel.pool)
    text = await kernel.value("select wallet_api.read_events(0, 1000)")
    assert 500_000 < len(text) < 1_000_000
    assert json.loads(text.partition("\n")[0])["more"]
    assert [event.number for event in await read_all(kernel.pool)] == list(range(1, 201))


async def test_filters_of_a_page(kernel: Kernel) -> None:
    wallets = [await kernel.wallet(user=user) for user in ("ann", "ann", "bob")]
    for amount in ("1", "2", "3"):
        await kernel.post(*(unit(op("deposit", wallet, amount)) for wallet in wallets))
    await number(kernel.pool)

    async def numbers(**filters: object) -> list[int]:
        named = ", ".join(f"p_{name} => ${place}" for place, name in enumerate(filters, start=1))
        found: list[int] = []
        after = 0
        while True:
            text = await kernel.value(
                f"select wallet_api.read_events(p_after => {after}, {named})", *filters.values()
            )
            place, events = event_order.read_lines(text)
            found += [event.number for event in events]
            assert place["after"] > after or not place["more"]
            after = place["after"]
            if not place["more"]:
                return found

    assert await numbers(wallet_id=wallets[1]) == [2, 5, 8]
    assert await numbers(user_id="ann") == [1, 2, 4, 5, 7, 8]
    assert await numbers(user_id="ann", limit=1) == [1, 2, 4, 5, 7, 8]
    assert await numbers(wallet_ids=json.dumps([wallets[0], wallets[2]]), limit=2) == [1, 3, 4, 6, 7, 9]
    assert await numbers(types=json.dumps(["wallet.updated"])) == []
    assert await numbers(types=json.dumps(["transaction.posted"]), user_id="bob", limit=1) == [3, 6, 9]
    assert await numbers(organization_id="none") == []


@pytest.mark.parametrize(("after", "message"), [(99, "validation_failed"), (-1, "cursor_expired")])
async def test_a_place_outside_of_what_is_kept(kernel: Kernel, after: int, message: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match=message):
        await read_page(kernel.pool, after)
