"""``verify`` finds what is wrong with events."""

from collections.abc import AsyncIterator

import pytest
from conftest import FreshDatabase
from support.database_location import connect
from support.event_order import number
from support.kernel.harness import Kernel, op, transfer

from wallet_service.delivery.events.room import ROOM
from wallet_service.ledger.verify import verify


@pytest.fixture
async def kernel(fresh_database: FreshDatabase) -> AsyncIterator[Kernel]:
    opened = await Kernel.open((await fresh_database()).dsn)
    yield opened
    await opened.close()


async def faults(kernel: Kernel) -> set[str]:
    """The names of the checks that find a fault."""
    lines: list[str] = []
    driver = await connect(kernel.dsn)
    clean = await verify(driver, lines.append, ROOM.verify_walks)
    await driver.close()
    found = {line.split(":")[0].removeprefix("FAULT ") for line in lines if line.startswith("FAULT")}
    assert clean == (not found)
    return found


async def test_nothing_is_wrong_while_events_wait_or_are_numbered(kernel: Kernel) -> None:
    source, target = await kernel.wallet("5"), await kernel.wallet()
    await kernel.one(transfer(source, target, "1"))
    assert await faults(kernel) == set()
    await number(kernel.pool)
    await kernel.one(transfer(source, target, "1"))
    assert await faults(kernel) == set()
    await number(kernel.pool)
    assert await faults(kernel) == set()


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("delete from delivery.events where number = 3", {"numbers", "event order"}),
        ("delete from delivery.events where number = 4", {"events"}),
        (
            "update delivery.events set wallet_version = 9 where number = 4",
            {"event order", "event rows", "events"},
        ),
        ("update delivery.events set number = 9 where number = 4", {"numbers"}),
        ("delete from platform.outbox", {"events"}),
        (
            "update platform.outbox set wallet_versions = '{6}' where wallet_versions = '{5}'",
            {"events"},
        ),
    ],
)
async def test_a_fault_is_found(kernel: Kernel, damage: str, check: set[str]) -> None:
    wallet = await kernel.wallet("1")
    for _ in range(3):
        await kernel.one(op("deposit", wallet, "1"))
    await number(kernel.pool)
    if "outbox" in damage:
        await kernel.one(op("deposit", wallet, "1"))
    await kernel.pool.execute(damage)
    assert await faults(kernel) == check


async def test_a_row_that_waits_for_more_than_a_day_is_a_fault(kernel: Kernel) -> None:
    wallet = await kernel.wallet("1")
    await kernel.pool.execute(
        "alter table wallet.wallet_transactions disable trigger append_only;"
        "update wallet.wallet_transactions set created_at = created_at - interval '2 days';"
        "alter table wallet.wallet_transactions enable trigger append_only"
    )
    assert await faults(kernel) == {"outbox"}
    del wallet


async def test_entries_from_before_the_first_event_need_none(kernel: Kernel) -> None:
    wallet = await kernel.wallet("1")
    await kernel.pool.execute(
        "delete from platform.outbox;"
        "update delivery.numbering set complete_since = clock_timestamp() + interval '1 minute'"
    )
    assert await faults(kernel) == set()
    await kernel.one(op("deposit", wallet, "1"))
    assert await faults(kernel) == set()
    await kernel.pool.execute("update delivery.numbering set complete_since = clock_timestamp()")
    await kernel.one(op("deposit", wallet, "1"))
    await number(kernel.pool)
    assert await faults(kernel) == set()
