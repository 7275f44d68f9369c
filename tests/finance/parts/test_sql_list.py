"""Lists of parts: every filter, page by page, against a plain selection in Python."""

import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.kernel.harness import Kernel, op, refund

from wallet_service.core.identifiers import new_id

from .sql_book import CALLER, Row, SqlBook

WORDS = ("coffee", "rent", "Bäckerei", "train")
ENTRIES = 700


class Filled:
    """A book with many parts, and labels of each kind of which some were merged or lie under others."""

    def __init__(self, book: SqlBook, seed: int) -> None:
        self.book = book
        self.random = random.Random(seed)  # noqa: S311 - a test's data
        self.wallets: list[str] = []
        self.categories: list[str] = []
        self.payees: list[str] = []
        self.tags: list[str] = []
        self.above: dict[str, str] = {}

    async def fill(self) -> None:
        book = self.book
        self.wallets = [await book.wallet(), await book.wallet("JPY")]
        keys = ("groceries", "food", "fuel", "salary", "not_counted", "uncategorised_expense")
        self.categories = [await book.label(key) for key in keys]
        self.above[self.categories[0]] = self.categories[1]
        for kind, made in (("payee", self.payees), ("tag", self.tags)):
            made += [await book.new_label(kind, f"{kind} {number}") for number in range(3)]
            await book.call("merge_label", made[0], book.book_id, kind, None, made[1], CALLER)
            self.above[made[0]] = made[1]
        await book.call(
            "merge_label",
            self.categories[2],
            book.book_id,
            "category",
            None,
            self.categories[1],
            CALLER,
        )
        self.above[self.categories[2]] = self.categories[1]
        for _ in range(ENTRIES // 100):
            await book.post(*[self._entry() for _ in range(100)])
        while (await book.catalogue(300))["pending"]:
            pass
        rows = await self.rows()
        for start in range(0, len(rows), 500):
            await book.call(
                "edit_parts",
                book.book_id,
                [self._edit(row) for row in rows[start : start + 500] if self.random.random() < 0.9],
                new_id(),
                CALLER,
            )

    def _entry(self) -> Row:
        day = date(2026, 1, 1) + timedelta(days=self.random.randrange(40))
        return op(
            self.random.choice(("deposit", "withdraw")),
            self.random.choice(self.wallets),
            str(self.random.randint(1, 9)),
            description=self.random.choice((None, *WORDS)),
            effective_at=f"{day}T11:00:00Z",
        )

    def _edit(self, row: Row) -> Row:
        changes: Row = {"category_id": self.random.choice(self.categories)}
        if self.random.random() < 0.5:
            changes["payee_id"] = self.random.choice(self.payees)
        if self.random.random() < 0.5:
            changes["tag_ids"] = self.random.sample(self.tags, self.random.randint(1, 2))
        if self.random.random() < 0.2:
            changes["note"] = f"about {self.random.choice(WORDS)}"
        return {"wallet_id": row["wallet_id"], "wallet_version": row["wallet_version"], "changes": changes}

    async def rows(self) -> list[Row]:
        return await self.book.kernel.rows(
            "select p.wallet_id::text, p.wallet_version, p.part, p.booked_on, p.amount, p.category_id::text,"
            " p.payee_id::text, p.tag_ids::text[] as tags, concat_ws(' ', p.note, t.description) as text"
            " from finance.parts p join wallet.wallet_transactions t using (wallet_id, wallet_version)"
            " where p.book_id = $1 order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc, p.part desc",
            self.book.book_id,
        )

    def under(self, label_id: str | None, wanted: str) -> bool:
        """Whether a label is the wanted one, or counts for it."""
        while label_id is not None and label_id != wanted:
            label_id = self.above.get(label_id)
        return label_id is not None

    async def every(self, filters: Row, limit: int) -> list[tuple[Any, ...]]:
        """All that a list has, page by page."""
        found: list[tuple[Any, ...]] = []
        place: Row | None = None
        while True:
            page, after = await self.book.call("list_book_parts", self.book.book_id, filters, place, limit)
            assert len(page) <= limit
            found += [
                (each["booked_on"], each["wallet_id"], each["wallet_version"], each["part"]) for each in page
            ]
            if after is None:
                return found
            place = json.loads(after)


@pytest.fixture(scope="module")
async def filled(postgres_dsn: str) -> Filled:
    kernel = await Kernel.open(postgres_dsn)
    made = Filled(await SqlBook.create(kernel), 1)
    await made.fill()
    return made


def key(row: Row) -> tuple[Any, ...]:
    return row["booked_on"].isoformat(), row["wallet_id"], row["wallet_version"], row["part"]


Rule = tuple[Row, Callable[[Row], bool]]


async def rules(filled: Filled) -> list[Rule]:
    food, salary, uncategorised = filled.categories[1], filled.categories[3], filled.categories[5]
    keys = await filled.book.keys()
    transfer = {"not_counted", "opening_balance", "own_transfers"}
    return [
        ({}, lambda _: True),
        ({"category_id": food}, lambda row: filled.under(row["category_id"], food)),
        # One that was merged stands for its target.
        ({"category_id": filled.categories[2]}, lambda row: filled.under(row["category_id"], food)),
        ({"category_id": salary}, lambda row: row["category_id"] == salary),
        (
            {"uncategorized": True},
            lambda row: (
                row["category_id"] == uncategorised or keys[row["category_id"]] == "uncategorised_income"
            ),
        ),
        ({"type": "transfer"}, lambda row: keys[row["category_id"]] in transfer),
        (
            {"type": "income"},
            lambda row: keys[row["category_id"]] in ("salary", "uncategorised_income"),
        ),
        (
            {"payee_id": filled.payees[1]},
            lambda row: filled.under(row["payee_id"], filled.payees[1]),
        ),
        ({"payee_id": filled.payees[2]}, lambda row: row["payee_id"] == filled.payees[2]),
        (
            {"tag_id": filled.tags[0]},
            lambda row: any(filled.under(tag, filled.tags[1]) for tag in row["tags"]),
        ),
        ({"wallet_id": filled.wallets[0]}, lambda row: row["wallet_id"] == filled.wallets[0]),
        ({"amount_from": "3", "amount_to": "5"}, lambda row: 3 <= abs(row["amount"]) <= 5),
        ({"amount_from": "9.00"}, lambda row: abs(row["amount"]) >= Decimal(9)),
        ({"amount_to": "1"}, lambda row: abs(row["amount"]) <= 1),
        (
            {"from": "2026-01-10", "to": "2026-01-12"},
            lambda row: row["booked_on"] in (date(2026, 1, 10), date(2026, 1, 11)),
        ),
        ({"text": "COFFEE"}, lambda row: "coffee" in row["text"].split()),
        ({"text": "about bäckerei"}, lambda row: {"about", "Bäckerei"} <= {*row["text"].split()}),
        ({"text": "nothing"}, lambda _: False),
    ]


async def test_each_filter_selects_what_it_says(filled: Filled) -> None:
    rows = await filled.rows()
    assert len(rows) == ENTRIES
    for filters, holds in await rules(filled):
        wanted = [key(row) for row in rows if holds(row)]
        assert await filled.every(filters, 23) == wanted, filters
        assert await filled.every(filters, 500) == wanted, filters


@pytest.mark.parametrize("seed", range(3))
async def test_filters_join(filled: Filled, seed: int) -> None:
    rows = await filled.rows()
    known = await rules(filled)
    chooser = random.Random(seed)  # noqa: S311 - a test's data
    for _ in range(8):
        chosen = chooser.sample(known, chooser.randint(2, 3))
        filters: Row = {}
        for each, _ in chosen:
            filters |= each
        holding = [holds for each, holds in known if each and each.items() <= filters.items()]
        if sum(len(each) for each, _ in known if each and each.items() <= filters.items()) != len(filters):
            continue  # two of them name the same member
        wanted = [key(row) for row in rows if all(holds(row) for holds in holding)]
        assert await filled.every(filters, 11) == wanted, filters


async def test_an_item_says_what_the_entry_was(book: SqlBook) -> None:
    wallet = await book.wallet("JPY")
    await book.move(wallet, "-1200", "2026-03-01", description="train to Kyoto", reference="R1")
    await book.catalogue()
    tag, payee = await book.new_label("tag", "trip"), await book.new_label("payee", "JR")
    changes = {"category_id": await book.label("travel"), "payee_id": payee, "tag_ids": [tag], "note": "seat"}
    changed = await book.edit(wallet, 1, {"changes": changes})
    assert changed["run_id"] is not None
    (item,), after = await book.call("list_book_parts", book.book_id, {"text": "seat kyoto"}, None, 10)
    assert after is None
    assert item | {"transaction_id": None} == {
        "wallet_id": wallet,
        "wallet_version": 1,
        "part": 0,
        "transaction_id": None,
        "transaction_type": "withdraw",
        "booked_on": "2026-03-01",
        "currency": "JPY",
        "amount": "-1200",
        "category_id": changes["category_id"],
        "root": "expense",
        "payee_id": payee,
        "tag_ids": [tag],
        "payment_method_id": None,
        "note": "seat",
        "pair_id": None,
        "rule_id": None,
        "edited": True,
        "reference": "R1",
        "description": "train to Kyoto",
        "counter_account": "mirrored:withdrawals",
    }


async def test_other_books_are_not_listed(book: SqlBook) -> None:
    other = await SqlBook.create(book.kernel)
    for each in (book, other):
        await each.move(await each.wallet(), "-7.77", description="zeppelin")
        await each.catalogue()
    tag = await other.new_label("tag", "there")
    for filters in ({}, {"text": "zeppelin"}, {"amount_from": "7.77"}, {"type": "expense"}):
        page, _ = await book.call("list_book_parts", book.book_id, filters, None, 10)
        assert len(page) == 1, filters
    code, facts = await book.refusal("list_book_parts", book.book_id, {"tag_id": tag}, None, 10)
    assert (code, facts) == ("label_not_found", {"label_id": tag})


async def test_refunds_and_adjustments_are_types(book: SqlBook) -> None:
    bank = await book.wallet()
    bought = await book.move(bank, "-5")
    await book.post(
        refund(bought["transaction_id"], "2"), op("adjustment", bank, balance="0", description="x")
    )
    await book.catalogue()
    for kind, version in (("refund", 2), ("adjustment", 3)):
        page, after = await book.call("list_book_parts", book.book_id, {"type": kind}, None, 10)
        assert ([each["wallet_version"] for each in page], after) == ([version], None)
