"""Debits and credits that are one movement of the owner's money."""

from typing import Any

import pytest
from support.kernel.harness import op

from wallet_service.core.identifiers import new_id

from .sql_book import CALLER, Row, SqlBook


@pytest.fixture
async def wallets(book: SqlBook) -> list[str]:
    return [await book.wallet() for _ in range(3)]


async def pairs(book: SqlBook, state: str = "paired") -> list[Row]:
    page, after = await book.call("list_pairs", book.book_id, state, None, 50)
    assert after is None
    return page


def sides(found: list[Row]) -> set[tuple[str, int, str, int]]:
    return {
        (
            each["debit"]["wallet_id"],
            each["debit"]["wallet_version"],
            each["credit"]["wallet_id"],
            each["credit"]["wallet_version"],
        )
        for each in found
    }


@pytest.mark.parametrize("later", range(-1, 6))
@pytest.mark.parametrize("first", ["debit", "credit", "both"])
async def test_a_credit_within_four_days_pairs(
    book: SqlBook, wallets: list[str], later: int, first: str
) -> None:
    bank, savings, _ = wallets

    async def debit() -> None:
        await book.move(bank, "-500.00", "2026-03-10")

    async def credit() -> None:
        await book.move(savings, "500", f"2026-03-{10 + later:02}")

    order = (credit, debit) if first == "credit" else (debit, credit)
    await order[0]()
    if first != "both":
        await book.catalogue()
    await order[1]()
    await book.catalogue()
    is_pair = 0 <= later <= 4
    assert sides(await pairs(book)) == ({(bank, 1, savings, 1)} if is_pair else set())
    assert await pairs(book, "suggested") == []
    kinds = [(await book.parts(each))[0][4] for each in (bank, savings)]
    assert kinds == (["own_transfers"] * 2 if is_pair else ["uncategorised_expense", "uncategorised_income"])
    if is_pair:
        (pair,) = await pairs(book)
        assert (pair["state"], pair["is_automatic"], pair["debit"]["amount"]) == ("paired", True, "-500.00")
        entry = await book.call("get_entry_parts", book.book_id, savings, 1)
        assert (entry["pair_id"], entry["parts"][0]["edited"]) == (pair["pair_id"], False)
        assert await book.call("get_pair", pair["pair_id"]) == pair
    assert await book.verify() == set()


async def test_what_is_no_pair(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, _ = wallets
    dollars = await book.wallet("USD")
    other = await SqlBook.create(book.kernel)
    elsewhere = await other.wallet()
    await book.move(bank, "-10", "2026-03-10")
    await book.move(bank, "10", "2026-03-10")  # the same wallet
    await book.move(dollars, "10", "2026-03-10")  # another currency
    await other.move(elsewhere, "10", "2026-03-10")  # another book
    await book.move(savings, "10.01", "2026-03-10")  # another amount
    await book.move(savings, "10", "2026-03-10", counter_account="mirrored:opening")
    await book.post(op("adjustment", savings, "10", direction="credit", description="found"))
    await other.catalogue()
    await book.catalogue()
    assert await pairs(book) == await pairs(book, "suggested") == []


async def test_one_that_has_a_category_is_no_pair(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, _ = wallets
    await book.move(bank, "-10", "2026-03-10")
    await book.catalogue()
    await book.split(bank, 1, ("-10", "food"))
    await book.move(savings, "10", "2026-03-10")
    await book.catalogue()
    assert await pairs(book) == await pairs(book, "suggested") == []


async def test_two_candidates_are_suggestions(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, cash = wallets
    await book.move(bank, "-20", "2026-03-10")
    await book.move(savings, "20", "2026-03-11")
    await book.move(cash, "20", "2026-03-12")
    await book.catalogue()
    assert await pairs(book) == []
    suggested = await pairs(book, "suggested")
    assert sides(suggested) == {(bank, 1, savings, 1), (bank, 1, cash, 1)}
    (first,) = [each for each in suggested if each["credit"]["wallet_id"] == cash]
    sent = {
        side: {name: first[side][name] for name in ("wallet_id", "wallet_version")}
        for side in ("debit", "credit")
    }
    made = await book.call("create_pair", new_id(), book.book_id, sent, new_id(), CALLER)
    assert (made["pair_id"], made["state"], made["is_automatic"]) == (first["pair_id"], "paired", False)
    assert await book.call("create_pair", new_id(), book.book_id, sent, new_id(), CALLER) == made
    assert await pairs(book, "suggested") == []
    assert [(await book.parts(each))[0][4] for each in wallets] == [
        "own_transfers",
        "uncategorised_income",
        "own_transfers",
    ]
    taken = {"debit": sent["debit"], "credit": {"wallet_id": savings, "wallet_version": 1}}
    refused = await book.refusal("create_pair", new_id(), book.book_id, taken, new_id(), CALLER)
    assert refused == ("pair_exists", {"pair_id": made["pair_id"]})
    assert await book.verify() == set()


async def test_a_debit_of_another_debit_s_only_credit_is_a_suggestion(
    book: SqlBook, wallets: list[str]
) -> None:
    """The credit is the only candidate of the second debit, and has another one itself."""
    bank, savings, cash = wallets
    await book.move(bank, "-20", "2026-03-10")
    await book.move(savings, "20", "2026-03-14")
    await book.move(cash, "-20", "2026-03-14")
    await book.catalogue()
    assert await pairs(book) == []
    assert sides(await pairs(book, "suggested")) == {(bank, 1, savings, 1), (cash, 1, savings, 1)}


async def test_a_pair_is_dissolved_and_does_not_come_again(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, cash = wallets
    await book.move(bank, "-20", "2026-03-10")
    await book.move(savings, "20", "2026-03-10")
    await book.catalogue()
    (pair,) = await pairs(book)
    await book.split(savings, 1, ("20", "salary"))
    assert await book.call("delete_pair", pair["pair_id"], book.book_id, new_id(), CALLER) is True
    assert await pairs(book) == await pairs(book, "suggested") == []
    assert [(await book.parts(each))[0][4] for each in (bank, savings)] == ["uncategorised_expense", "salary"]
    refused = await book.refusal("delete_pair", pair["pair_id"], book.book_id, new_id(), CALLER)
    assert refused == ("pair_not_found", {"pair_id": pair["pair_id"]})
    assert (await book.refusal("get_pair", pair["pair_id"]))[0] == "pair_not_found"
    await book.edit(savings, 1, {"parts": [{"category_id": await book.label("uncategorised_income")}]})
    await book.move(cash, "-20", "2026-03-10")
    await book.catalogue()
    assert sides(await pairs(book)) == {(cash, 1, savings, 1)}
    assert await book.verify() == set()


async def test_edited_parts_keep_their_category_in_a_pair(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, _ = wallets
    await book.move(bank, "-20", "2026-03-10")
    await book.move(savings, "15", "2026-05-10")
    await book.catalogue()
    await book.split(bank, 1, ("-15", "own_transfers"), ("-5", "bank_fees"))
    sent: dict[str, Any] = {
        "debit": {"wallet_id": bank, "wallet_version": 1},
        "credit": {"wallet_id": savings, "wallet_version": 1},
    }
    pair = await book.call("create_pair", new_id(), book.book_id, sent, new_id(), CALLER)
    assert (pair["debit"]["amount"], pair["credit"]["amount"]) == ("-20.00", "15.00")
    assert await book.amounts(bank, 1) == [("-15", "own_transfers"), ("-5", "bank_fees")]
    assert (await book.parts(savings))[0][4] == "own_transfers"
    for wrong in (
        {"debit": sent["credit"], "credit": sent["debit"]},
        {"debit": sent["debit"], "credit": sent["debit"]},
    ):
        refused = await book.refusal("create_pair", new_id(), book.book_id, wrong, new_id(), CALLER)
        assert refused[0] == "validation_failed"
    await book.move(bank, "20", "2026-08-10")
    same = sent | {"credit": {"wallet_id": bank, "wallet_version": 2}}
    assert (await book.refusal("create_pair", new_id(), book.book_id, same, new_id(), CALLER))[
        0
    ] == "validation_failed"
    unknown = sent | {"credit": {"wallet_id": bank, "wallet_version": 3}}
    assert (await book.refusal("create_pair", new_id(), book.book_id, unknown, new_id(), CALLER))[
        0
    ] == "entry_not_found"
    assert await book.verify() == set()


async def test_pairs_of_a_run_are_taken_back_with_it(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, _ = wallets
    await book.move(bank, "-20", "2026-03-10")
    await book.catalogue()
    await book.move(savings, "20", "2026-03-10")
    await book.catalogue()
    assert len(await pairs(book)) == 1
    (run,) = await book.kernel.rows(
        "select run_id::text, actor from finance.runs where book_id = $1 and kind = 'pair'", book.book_id
    )
    assert run["actor"] == "service"
    await book.undo(run["run_id"])
    assert await pairs(book) == []
    assert [(await book.parts(each))[0][4] for each in (bank, savings)] == [
        "uncategorised_expense",
        "uncategorised_income",
    ]
    entry = await book.call("get_entry_parts", book.book_id, bank, 1)
    assert entry["pair_id"] is None
    assert await book.verify() == set()


async def test_an_edit_leaves_the_pair(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, _ = wallets
    await book.move(bank, "-20", "2026-03-10")
    await book.move(savings, "20", "2026-03-10")
    await book.catalogue()
    changed = await book.split(bank, 1, ("-19", "own_transfers"), ("-1", "bank_fees"))
    assert changed["pair_id"] == (await pairs(book))[0]["pair_id"]
    await book.undo(changed["run_id"])
    entry = await book.call("get_entry_parts", book.book_id, bank, 1)
    assert entry["pair_id"] == changed["pair_id"]
    assert await book.verify() == set()


async def test_pages_of_suggestions(book: SqlBook, wallets: list[str]) -> None:
    bank, savings, cash = wallets
    for wallet_id, amount in ((bank, "-1"), (savings, "1"), (cash, "1")):
        await book.post(*[op("withdraw" if amount < "0" else "deposit", wallet_id, "1") for _ in range(4)])
    await book.catalogue()
    every = await pairs(book, "suggested")
    assert 4 <= len(every) <= 4 * 3 * 3
    found: list[Row] = []
    after = None
    while True:
        page, after = await book.call("list_pairs", book.book_id, "suggested", after, 3)
        found += page
        if after is None:
            break
    assert found == every
