"""Which parts entries get when they are catalogued."""

from support.kernel.harness import op, refund, transfer

from .sql_book import SqlBook


async def test_entries_get_their_default_parts_once(book: SqlBook) -> None:
    bank, cash = await book.wallet(), await book.wallet()
    await book.move(bank, "100.00", "2026-03-01", counter_account="mirrored:opening")
    await book.move(bank, "50.00", "2026-03-02")
    await book.move(bank, "-20.00", "2026-03-03")
    await book.post(
        transfer(bank, cash, "30.00"), op("adjustment", cash, balance="25.00", description="counted")
    )
    assert await book.catalogue(2) == {"written": 2, "pending": 4}
    assert await book.catalogue() == {"written": 4, "pending": 0}
    assert await book.catalogue() == {"written": 0, "pending": 0}
    shown = [(version, str(amount), key) for version, _, _, amount, key in await book.parts(bank)]
    assert shown == [
        (1, "100", "opening_balance"),
        (2, "50", "uncategorised_income"),
        (3, "-20", "uncategorised_expense"),
        (4, "-30", "own_transfers"),
    ]
    shown = [(version, str(amount), key) for version, _, _, amount, key in await book.parts(cash)]
    assert shown == [(1, "30", "own_transfers"), (2, "-5", "opening_balance")]
    assert await book.verify() == set()


async def test_a_refund_takes_the_parts_of_its_original(book: SqlBook) -> None:
    bank = await book.wallet()
    bought = await book.move(bank, "-84.37", "2024-01-05")
    await book.catalogue()
    await book.split(bank, 1, ("-60.00", "groceries"), ("-24.37", "household"))
    await book.post(refund(bought["transaction_id"], "28.12"))
    await book.catalogue()
    assert await book.amounts(bank, 2) == [("20", "groceries"), ("8.12", "household")]
    assert await book.verify() == set()
