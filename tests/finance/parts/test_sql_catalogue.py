"""Which parts entries get when they are catalogued."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from support.kernel.harness import Kernel, op, refund, transfer

from wallet_service.core.identifiers import new_id

from .sql_book import CALLER, SqlBook


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


async def test_what_exchanges_and_imports_are_for(book: SqlBook) -> None:
    euros, dollars = await book.wallet(keeping="operating"), await book.wallet("USD", keeping="operating")
    await book.post(
        op("deposit", euros, "100", counter_account="external:opening-balances"),
        op(
            "exchange",
            entries=[
                {"wallet_id": euros, "direction": "debit", "amount": "10", "counter_account": "fx:EUR-USD"},
                {
                    "wallet_id": dollars,
                    "direction": "credit",
                    "amount": "11",
                    "counter_account": "fx:EUR-USD",
                },
                {
                    "wallet_id": dollars,
                    "direction": "debit",
                    "amount": "1",
                    "counter_account": "revenue:fees",
                },
            ],
        ),
        op("consume", euros, "3"),
    )
    await book.catalogue()
    assert [each[3:] for each in await book.parts(euros)] == [
        (100, "opening_balance"),
        (-10, "exchange"),
        (-3, "uncategorised_expense"),
    ]
    assert [each[3:] for each in await book.parts(dollars)] == [
        (11, "exchange"),
        (-1, "uncategorised_expense"),
    ]


async def test_a_transfer_to_a_wallet_of_another_book_is_no_own_one(book: SqlBook) -> None:
    organization = new_id()
    firm = await SqlBook.create(book.kernel, organization=organization)
    mine, ours = await book.wallet(), await book.wallet(organization=organization)
    await book.post(op("deposit", mine, "10"), transfer(mine, ours, "4"))
    assert (await book.catalogue())["written"] == 2
    assert (await firm.catalogue())["written"] == 1
    assert (await book.parts(mine))[1][3:] == (-4, "uncategorised_expense")
    assert (await firm.parts(ours))[0][3:] == (4, "uncategorised_income")
    second = await book.wallet(organization=organization)
    await book.post(transfer(ours, second, "1"))
    await firm.catalogue()
    assert (await firm.parts(second))[0][3:] == (1, "own_transfers")
    assert await book.verify() == set()


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/New_York", "2026-01-01T03:30:00Z", "2025-12-31"),
        ("Europe/Berlin", "2026-03-31T22:30:00Z", "2026-04-01"),
        ("Pacific/Kiritimati", "2026-01-01T10:00:00Z", "2026-01-02"),
        ("America/New_York", "0001-01-01T00:00:00Z", "0001-01-01"),
    ],
)
async def test_the_day_is_that_of_the_zone_of_the_book(
    kernel: Kernel, zone: str, moment: str, day: str
) -> None:
    book = await SqlBook.create(kernel, time_zone=zone)
    bank = await book.wallet()
    await book.move(bank, "1", effective_at=moment)
    await book.catalogue()
    assert (await book.parts(bank))[0][2] == day


async def test_a_day_stays_when_the_zone_changes(book: SqlBook) -> None:
    bank = await book.wallet()
    await book.move(bank, "1", effective_at="2026-03-31T22:30:00Z")
    await book.catalogue()
    await book.call("update_book", book.book_id, None, {"time_zone": "America/New_York"}, CALLER)
    await book.move(bank, "1", effective_at="2026-03-31T22:30:00Z")
    await book.catalogue()
    assert [each[2] for each in await book.parts(bank)] == ["2026-04-01", "2026-03-31"]


async def test_system_categories_are_followed_through_merges(book: SqlBook) -> None:
    bank = await book.wallet()
    for name, into in (("uncategorised_expense", "household"), ("opening_balance", "not_counted")):
        await book.call(
            "merge_label",
            await book.label(name),
            book.book_id,
            "category",
            None,
            await book.label(into),
            CALLER,
        )
    income = await book.label("uncategorised_income")
    await book.call("delete_label", income, book.book_id, "category", None, CALLER)
    await book.move(bank, "9", counter_account="mirrored:opening")
    await book.move(bank, "-2")
    await book.move(bank, "3")
    await book.catalogue()
    assert [each[4] for each in await book.parts(bank)] == ["not_counted", "household", "income"]


async def test_a_book_that_comes_after_its_history(kernel: Kernel) -> None:
    book = await SqlBook.create(kernel)
    other = await SqlBook.create(kernel)
    bank = await kernel.wallet("0", "EUR", user=book.user, keeping="mirrored")
    await book.post(*[op("deposit", bank, "1") for _ in range(30)])
    assert await book.call("read_pending_entries", book.book_id) == {"pending": 30}
    seen = []
    while (done := await book.catalogue(7))["written"]:
        seen.append((done["written"], done["pending"]))
    assert seen == [(7, 23), (7, 16), (7, 9), (7, 2), (2, 0)]
    assert [each[0] for each in await book.parts(bank)] == list(range(1, 31))
    assert (await other.catalogue()) == {"written": 0, "pending": 0}
    assert await book.verify() == set()


async def test_books_with_entries_to_catalogue_are_found(book: SqlBook) -> None:
    bank, stranger = await book.wallet(), await book.kernel.wallet("0")
    await book.move(bank, "1")

    async def pending() -> set[str]:
        found: set[str] = set()
        page: dict[str, Any] = {"next": None}
        while True:
            page = await book.call("list_pending_books", page["next"], 3)
            found |= {*page["books"]}
            if page["next"] is None:
                return found

    assert book.book_id in await pending()
    unknown = new_id()
    assert await book.call("list_books_of_wallets", [bank, stranger, unknown]) == {
        bank: book.book_id,
        stranger: None,
        unknown: None,
    }
    await book.catalogue()
    assert book.book_id not in await pending()


async def test_small_histories_do_not_wait_for_long_ones(book: SqlBook) -> None:
    old, new = await book.wallet(), await book.wallet()
    await book.post(*[op("deposit", old, "1") for _ in range(50)])
    await book.move(new, "5")
    assert await book.catalogue(2) == {"written": 2, "pending": 49}
    assert len(await book.parts(new)) == 1


async def give(book: SqlBook, posted: dict[str, Any], *parts: dict[str, Any], leg: int = 0) -> None:
    await book.kernel.pool.execute(
        "insert into finance.posting_parts values ($1, $2, $3)",
        posted["transaction_id"],
        leg,
        json.dumps(parts),
    )


async def test_entries_with_many_parts_are_catalogued_in_small_pieces(book: SqlBook) -> None:
    bank, cash = await book.wallet(), await book.wallet()
    posted = await book.post(*[op("deposit", bank, "100") for _ in range(4)])
    for each in posted[:3]:
        await give(book, each, *[{"amount": "1"}] * 100)
    await book.move(cash, "5")
    assert await book.catalogue(150) == {"written": 3, "pending": 2}, "1, 100 and 100 parts"
    assert await book.catalogue(1) == {"written": 1, "pending": 1}, "an entry is never cut"
    assert await book.catalogue(1) == {"written": 1, "pending": 0}
    refunds = [refund(each["transaction_id"]) for each in posted[:2]]
    await book.post(*refunds)
    assert await book.catalogue(100) == {"written": 1, "pending": 1}, "a refund has the parts of its original"
    assert (await book.catalogue())["pending"] == 0
    assert len(await book.parts(bank)) == 501


async def test_parts_that_came_with_a_posting(book: SqlBook) -> None:
    bank, cash = await book.wallet(), await book.wallet()
    payee, tag = await book.new_label("payee", "shop"), await book.new_label("tag", "trip")
    groceries = await book.label("groceries")
    split = await book.move(bank, "-10")
    await give(
        book,
        split,
        {"amount": "-7.50", "category_id": groceries, "payee_id": payee, "tag_ids": [tag], "note": "bread"},
        {"amount": "-2.50"},
    )
    gone = await book.new_label("category", "gone", "food")
    await give(book, await book.move(bank, "-3"), {"amount": "-3", "category_id": gone, "payee_id": new_id()})
    await book.call("delete_label", gone, book.book_id, "category", None, CALLER)
    await give(book, await book.move(bank, "-4"), {"amount": "-5"})
    await give(book, await book.move(bank, "-4"), {"amount": "-3.999"}, {"amount": "-0.001"})
    (moved,) = await book.post(transfer(bank, cash, "1"))
    await give(book, moved, {"amount": "-1", "note": "change"})
    await give(book, await book.move(bank, "-6"), {"amount": "-6", "tag_ids": []})
    await book.catalogue()
    assert [each[1:2] + each[3:] for each in await book.parts(bank)] == [
        (0, Decimal("-7.5"), "groceries"),
        (1, Decimal("-2.5"), "uncategorised_expense"),
        (0, -3, "uncategorised_expense"),
        (0, -4, "uncategorised_expense"),
        (0, -4, "uncategorised_expense"),
        (0, -1, "own_transfers"),
        (0, -6, "uncategorised_expense"),
    ]
    edited = [await book.call("get_entry_parts", book.book_id, bank, version) for version in (5, 6)]
    assert [each["parts"][0]["edited"] for each in edited] == [True, False], (
        "without labels rules may set some"
    )
    entry = await book.call("get_entry_parts", book.book_id, bank, 1)
    assert [(each["payee_id"], each["tag_ids"], each["note"], each["edited"]) for each in entry["parts"]] == [
        (payee, [tag], "bread", True),
        (None, [], None, True),
    ]
    assert (
        await book.kernel.value(
            "select count(*) from finance.posting_parts where transaction_id = $1", split["transaction_id"]
        )
        == 0
    )
    assert await book.verify() == set()


@pytest.mark.parametrize(
    ("amount", "weights", "exponent", "shares"),
    [
        ("28.12", ["60.00", "24.37"], 2, ["20", "8.12"]),
        ("10.00", ["1", "1", "1"], 2, ["3.34", "3.33", "3.33"]),
        ("0.01", ["33.33", "33.33", "33.34"], 2, ["0", "0", "0.01"]),
        ("100", ["333", "333", "334"], 0, ["33", "33", "34"]),
        ("-28.12", ["-60.00", "-24.37"], 2, ["-20", "-8.12"]),
        ("28.12", ["-60.00", "-24.37"], 2, ["20", "8.12"]),
        ("9.50", ["-10.00", "0.50"], 2, ["10", "-0.5"]),
        ("1.00", ["-10", "3"], 2, ["1.43", "-0.43"]),
        ("-0.01", ["1", "1"], 2, ["-0.01", "0"]),
        ("1", ["1e-18", "1e20"], 18, ["0", "1"]),
    ],
)
async def test_shares_are_pro_rata(
    kernel: Kernel, amount: str, weights: list[str], exponent: int, shares: list[str]
) -> None:
    found = await kernel.value(
        "select finance.share_amount($1, $2, $3)",
        Decimal(amount),
        [Decimal(each) for each in weights],
        exponent,
    )
    assert found == [Decimal(each) for each in shares]


async def test_a_refund_in_another_month_nets_in_its_own(book: SqlBook) -> None:
    """G16: 60.00 restaurant in May, 40.00 back in June, rent 800.00 in June."""
    bank = await book.wallet()
    meal = await book.move(bank, "-60.00", "2026-05-20")
    await book.move(bank, "-800.00", "2026-06-01")
    await book.catalogue()
    await book.split(bank, 1, ("-60.00", "restaurants"))
    await book.split(bank, 2, ("-800.00", "rent"))
    await book.post(refund(meal["transaction_id"], "40.00") | {"effective_at": "2026-06-10T10:00:00Z"})
    await book.catalogue()
    assert await sums(book, "2026-05-01", "2026-06-01") == {"restaurants": Decimal(-60)}
    assert await sums(book, "2026-06-01", "2026-07-01") == {"restaurants": 40, "rent": -800}


async def test_what_was_bought_and_refunded_is_no_income(book: SqlBook) -> None:
    """G17: salary 50,000, spend 30,000, 5,000 bought and refunded."""
    bank = await book.wallet()
    await book.move(bank, "50000", "2026-05-01")
    await book.move(bank, "-30000", "2026-05-02")
    bought = await book.move(bank, "-5000", "2026-05-03")
    await book.catalogue()
    for version, amount, key in ((1, "50000", "salary"), (2, "-30000", "rent"), (3, "-5000", "electronics")):
        await book.split(bank, version, (amount, key))
    await book.post(refund(bought["transaction_id"]) | {"effective_at": "2026-05-04T10:00:00Z"})
    await book.catalogue()
    assert await sums(book, "2026-05-01", "2026-06-01") == {"salary": 50000, "rent": -30000, "electronics": 0}


async def sums(book: SqlBook, first: str, last: str) -> dict[str, Decimal]:
    """What a period came to, by category, from the sums of days."""
    keys = await book.keys()
    rows = await book.kernel.rows(
        "select category_id::text as id, sum(credits - debits) as amount from finance.day_sums"
        " where book_id = $1 and booked_on >= $2::text::date and booked_on < $3::text::date"
        " and category_id is not null group by 1",
        book.book_id,
        first,
        last,
    )
    return {keys[row["id"]]: row["amount"] for row in rows}


async def test_a_refund_of_a_transfer_and_of_a_payment(book: SqlBook) -> None:
    bank, cash = await book.wallet(keeping="operating"), await book.wallet(keeping="operating")
    await book.post(op("deposit", bank, "100"))
    (moved,) = await book.post(transfer(bank, cash, "10"))
    entries = [
        {"wallet_id": bank, "direction": "debit", "amount": "5", "counter_account": "external:shop"},
        {"wallet_id": bank, "direction": "debit", "amount": "1", "counter_account": "revenue:fees"},
    ]
    (paid,) = await book.post(op("payment", entries=entries))
    await book.catalogue()
    await book.split(bank, 4, ("-1", "bank_fees"))
    await book.post(refund(moved["transaction_id"], "4"), refund(paid["transaction_id"]))
    await book.catalogue()
    assert [each[3:] for each in await book.parts(bank)][4:] == [
        (4, "own_transfers"),
        (5, "uncategorised_expense"),
        (1, "bank_fees"),
    ]
    assert [each[3:] for each in await book.parts(cash)] == [(10, "own_transfers"), (-4, "own_transfers")]
    assert await book.verify() == set()


async def test_an_original_and_its_refund_are_catalogued_together(book: SqlBook) -> None:
    bank = await book.wallet()
    bought = await book.move(bank, "-9")
    await book.post(refund(bought["transaction_id"], "2"))
    assert (await book.catalogue())["written"] == 2
    assert [each[3:] for each in await book.parts(bank)] == [
        (-9, "uncategorised_expense"),
        (2, "uncategorised_expense"),
    ]


async def is_split(book: SqlBook, wallet_id: str, version: int) -> bool:
    """Split an entry, unless it is not posted yet."""
    try:
        await book.split(wallet_id, version, ("-0.5", "food"), (f"-{version - 0.5}", "rent"))
    except asyncpg.PostgresError as error:
        if error.args[0] not in ("entry_not_found", "entry_pending"):
            raise
        return False
    return True


async def test_cataloguers_and_edits_at_once(book: SqlBook) -> None:
    """Each entry is catalogued exactly once while it is posted to, edited and catalogued from all sides."""
    wallets = [await book.wallet() for _ in range(2)]
    posted = 12

    async def post(wallet_id: str) -> None:
        for number in range(posted):
            outcome = None
            while outcome is None or outcome.status == "busy":
                outcome = await book.kernel.one(op("withdraw", wallet_id, str(number + 1)))

    async def catalogue() -> int:
        written = 0
        for _ in range(posted):
            written += (await book.catalogue(3))["written"]
        return written

    async def edit(wallet_id: str) -> None:
        for version in range(1, posted + 1):
            while not await is_split(book, wallet_id, version):
                pass

    await asyncio.gather(
        *(post(wallet_id) for wallet_id in wallets), *(catalogue() for _ in range(3)), edit(wallets[0])
    )
    while (await book.catalogue())["pending"]:
        pass
    assert [each[0] for each in await book.parts(wallets[1])] == list(range(1, posted + 1))
    assert [each[3:] for each in await book.parts(wallets[0])] == [
        each
        for version in range(1, posted + 1)
        for each in ((Decimal("-0.5"), "food"), (Decimal(str(0.5 - version)), "rent"))
    ]
    assert await book.verify() == set()


async def test_a_cataloguer_does_not_wait_for_ever(book: SqlBook) -> None:
    bank = await book.wallet()
    await book.move(bank, "1")
    async with book.kernel.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "select from finance.books where book_id = $1 for no key update", book.book_id
        )
        assert await book.catalogue() == {"written": 0, "pending": 1}
        assert await book.catalogue(0) == {"written": 0, "pending": 1}
    assert await book.catalogue() == {"written": 1, "pending": 0}


async def test_a_read_only_session_only_counts(book: SqlBook) -> None:
    bank = await book.wallet()
    await book.move(bank, "1")
    async with book.kernel.pool.acquire() as connection, connection.transaction(readonly=True):
        answer = await connection.fetchval("select wallet_api.catalogue_book($1, 10)", book.book_id)
    assert json.loads(answer) == {"written": 0, "pending": 1}


async def test_a_closed_wallet_keeps_its_history(book: SqlBook) -> None:
    bank = await book.wallet()
    await book.move(bank, "-1")
    await book.kernel.pool.execute("update wallet.wallets set status = 'closed' where wallet_id = $1", bank)
    await book.catalogue()
    await book.split(bank, 1, ("-1", "food"))
    assert [each[4] for each in await book.parts(bank)] == ["food"]
