"""What ``verify`` finds in parts, sums of days and pairs: every fault that is planted."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from conftest import FreshDatabase
from support.kernel.harness import Kernel

from .sql_book import SqlBook

FAULTS: dict[str, tuple[str, set[str]]] = {
    "a-part-too-small": (
        "update finance.parts set amount = amount + 0.01 where amount = -4",
        {"parts of an entry", "day sums"},
    ),
    "balanced-but-too-fine": (
        "update finance.parts set amount = amount + 0.001 - 0.002 * part where wallet_version = 2 and amount in (-4, -2)",
        {"parts of an entry", "day sums"},
    ),
    "a-part-lost": (
        "delete from finance.parts where amount = -4",
        {"parts of an entry", "part numbers", "day sums"},
    ),
    "an-entry-without-parts": (
        "delete from finance.parts where amount = 10",
        {"parts of an entry", "part numbers", "part labels", "parts in the book", "pairs", "day sums"},
    ),
    "a-number-left-out": ("update finance.parts set part = 5 where amount = -2", {"part numbers"}),
    "two-days": (
        "update finance.parts set booked_on = booked_on + 1 where amount = -2",
        {"part numbers", "day sums"},
    ),
    "another-category": (
        "update finance.parts set category_id = (select label_id from finance.labels where system_key = 'fuel') where amount = -4",
        {"day sums"},
    ),
    "no-label": (
        "update finance.parts set category_id = book_id where amount = -4",
        {"part labels", "day sums"},
    ),
    "a-tag-that-is-a-category": (
        "update finance.parts set tag_ids = array[category_id] where amount = -4",
        {"part labels"},
    ),
    "a-payee-that-is-a-category": (
        "update finance.parts set payee_id = category_id where amount = -4",
        {"part labels"},
    ),
    "of-another-book": (
        "update finance.parts set book_id = gen_random_uuid() where amount = -4",
        {"parts in the book", "part labels", "day sums"},
    ),
    "a-pair-that-is-none": ("update finance.parts set pair_id = book_id where amount = -4", {"pairs"}),
    "a-pair-dismissed": ("update finance.pairs set state = 'dismissed'", {"pairs"}),
    "a-sum-off": (
        "update finance.day_sums set credits = credits + 1 where category_id is not null",
        {"day sums"},
    ),
    "a-count-off": ("update finance.day_sums set parts = parts + 1 where category_id is null", {"day sums"}),
    "a-sum-lost": (
        "delete from finance.day_sums where category_id is null",
        {"day sums", "balance of parts"},
    ),
    "a-sum-too-much": (
        "insert into finance.day_sums select book_id, '2030-01-01', null, wallet_id, 1, 5, 0 from finance.catalogued",
        {"day sums", "balance of parts"},
    ),
    "beyond-what-is-catalogued": (
        "update finance.catalogued set done_version = 2 where done_version = 3",
        {"catalogued", "balance of parts"},
    ),
    "a-wallet-of-another-owner": ("update wallet.wallets set user_id = 'eve'", {"parts in the book"}),
}


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> AsyncIterator[tuple[Kernel, SqlBook]]:
    kernel = await Kernel.open((await fresh_database()).dsn)
    book = await SqlBook.create(kernel)
    bank, cash = await book.wallet(), await book.wallet()
    await book.move(bank, "10", "2026-01-01")
    await book.move(bank, "-6", "2026-02-01")
    await book.move(cash, "-3", "2026-03-01")
    await book.move(bank, "3", "2026-03-02")
    await book.catalogue()
    await book.split(bank, 2, ("-4", "food"), ("-2", "rent"))
    assert await book.verify() == set()
    yield kernel, book
    await kernel.close()


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_found(made: tuple[Kernel, SqlBook], name: str) -> None:
    kernel, book = made
    change, checks = FAULTS[name]
    done: str = await kernel.pool.execute(change)
    assert not done.endswith(" 0")
    assert await book.verify() == checks


async def test_parts_are_not_written_twice(made: tuple[Kernel, SqlBook]) -> None:
    kernel, book = made
    await kernel.pool.execute("delete from finance.catalogued")
    with pytest.raises(asyncpg.UniqueViolationError):
        await book.catalogue()
