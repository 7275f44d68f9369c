"""Changes of parts, and runs that are taken back."""

import json
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from support.kernel.harness import op

from wallet_service.core.identifiers import new_id

from .sql_book import CALLER, SqlBook


@pytest.fixture
async def bank(book: SqlBook) -> str:
    """A wallet with 10.00 in and 6.00 out."""
    wallet_id = await book.wallet()
    await book.move(wallet_id, "10.00", "2026-03-01")
    await book.move(wallet_id, "-6.00", "2026-03-02")
    await book.catalogue()
    return wallet_id


async def day_sums(book: SqlBook) -> dict[tuple[str, str | None], tuple[int, Decimal, Decimal]]:
    """The sums of the days of a book: by day and category, the parts, credits and debits."""
    keys = await book.keys()
    rows = await book.kernel.rows("select * from finance.day_sums where book_id = $1", book.book_id)
    return {
        (row["booked_on"].isoformat(), keys.get(str(row["category_id"]))): (
            row["parts"],
            row["credits"],
            row["debits"],
        )
        for row in rows
    }


async def changes(book: SqlBook, run_id: str) -> list[dict[str, Any]]:
    return await book.kernel.rows("select * from finance.part_changes where run_id = $1", run_id)


async def test_an_entry_is_split(book: SqlBook, bank: str) -> None:
    tag, payee = await book.new_label("tag", "trip"), await book.new_label("payee", "shop")
    food, rent = await book.label("food"), await book.label("rent")
    before = await book.call("get_entry_parts", book.book_id, bank, 2)
    split = [
        {"amount": "-4.50", "category_id": food, "payee_id": payee, "tag_ids": [tag], "note": "bread"},
        {"amount": "-1.50", "category_id": rent},
    ]
    changed = await book.edit(bank, 2, {"etag": before["etag"], "parts": split})
    assert changed["etag"] != before["etag"]
    assert changed["run_id"] is not None
    assert (changed["amount"], changed["booked_on"]) == ("-6.00", "2026-03-02")
    common = {"payment_method_id": None, "rule_id": None, "edited": True, "root": "expense"}
    assert changed["parts"] == [
        split[0] | common | {"part": 0},
        {"part": 1, "amount": "-1.50", "category_id": rent, "payee_id": None, "tag_ids": [], "note": None}
        | common,
    ]
    assert {name: changed[name] for name in before if name not in ("etag", "parts")} == {
        name: before[name] for name in before if name not in ("etag", "parts")
    }
    again = await book.edit(bank, 2, {"etag": changed["etag"], "parts": split})
    assert again == changed | {"run_id": None}
    assert await day_sums(book) == {
        ("2026-03-01", "uncategorised_income"): (1, 10, 0),
        ("2026-03-01", None): (1, 10, 0),
        ("2026-03-02", "food"): (1, 0, Decimal("4.5")),
        ("2026-03-02", "rent"): (1, 0, Decimal("1.5")),
        ("2026-03-02", None): (2, 0, 6),
    }
    (change,) = await changes(book, changed["run_id"])
    assert (change["who"], change["wallet_version"]) == ("user:ada", 2)
    event = await book.kernel.rows(
        "select before, after, user_id from platform.outbox where object_id = $1 and event_type = 'parts.updated'",
        f"{bank}/2",
    )
    assert (len(event), event[0]["user_id"]) == (1, book.user)
    assert await book.verify() == set()


async def test_parts_may_have_both_signs_and_one_needs_no_amount(book: SqlBook, bank: str) -> None:
    await book.split(bank, 2, ("-7.00", "food"), ("1.00", "bank_fees"))
    assert (await day_sums(book))[("2026-03-02", None)] == (2, 1, 7)
    await book.edit(bank, 2, {"parts": [{"category_id": await book.label("rent")}]})
    assert await book.amounts(bank, 2) == [("-6", "rent")]
    await book.edit(bank, 2, {"parts": [{"amount": "-7"}, {"amount": "1"}]})
    assert await book.amounts(bank, 2) == [("-7", "uncategorised_expense"), ("1", "uncategorised_income")]
    assert await book.verify() == set()


@pytest.mark.parametrize(
    ("change", "code", "facts"),
    [
        (
            {"parts": [{"amount": "-5.99"}, {"amount": "-0.02"}]},
            "parts_unbalanced",
            {"amount": "-6.00", "sum": "-6.01"},
        ),
        ({"parts": [{"amount": "-5.999"}, {"amount": "-0.001"}]}, "amount_precision", {"exponent": 2}),
        ({"parts": [{"amount": "-6"}, {"amount": "0"}]}, "validation_failed", {}),
        ({"parts": [{"amount": "-6"}, {"amount": "x"}]}, "validation_failed", {}),
        ({"parts": [{"amount": "-6"}, {"note": "x"}]}, "validation_failed", {}),
        ({"parts": []}, "validation_failed", {}),
        ({"parts": [{"amount": "-0.01"}] * 101}, "validation_failed", {}),
        ({"parts": None}, "validation_failed", {}),
        ({"part": 1, "changes": {"note": "x"}}, "validation_failed", {}),
        ({"booked_on": "10000-01-01"}, "validation_failed", {}),
        ({"booked_on": "0001-01-01 BC"}, "validation_failed", {}),
        ({"etag": "0", "changes": {"note": "x"}}, "version_mismatch", {}),
    ],
)
async def test_what_is_wrong_is_refused(
    book: SqlBook, bank: str, change: dict[str, Any], code: str, facts: dict[str, Any]
) -> None:
    before = await book.parts(bank)
    found = await book.refusal("set_entry_parts", book.book_id, bank, 2, change, new_id(), CALLER)
    assert found[0] == code
    assert facts.items() <= found[1].items()
    assert await book.parts(bank) == before


async def test_others_labels_and_entries_are_not_found(book: SqlBook, bank: str) -> None:
    other = await SqlBook.create(book.kernel)
    food, tag, payee = (
        await other.label("food"),
        await other.new_label("tag", "x"),
        await book.new_label("tag", "y"),
    )
    for changes_ in ({"category_id": food}, {"tag_ids": [tag]}, {"payee_id": payee}):
        refused = await book.refusal(
            "set_entry_parts", book.book_id, bank, 2, {"changes": changes_}, new_id(), CALLER
        )
        assert refused[0] == "label_not_found", changes_
    for book_id, wallet_id, version in (
        (other.book_id, bank, 2),
        (book.book_id, bank, 3),
        (book.book_id, bank, 0),
        (book.book_id, new_id(), 1),
    ):
        for function, more in (("get_entry_parts", ()), ("set_entry_parts", ({}, new_id(), CALLER))):
            code, facts = await book.refusal(function, book_id, wallet_id, version, *more)
            assert (code, facts["wallet_id"]) == ("entry_not_found", wallet_id)
    await book.move(bank, "1")
    assert (await book.refusal("get_entry_parts", book.book_id, bank, 3))[0] == "entry_pending"
    await book.edit(bank, 3, {"changes": {"note": "first"}})  # it is catalogued by the way
    assert (await book.parts(bank))[2][0] == 3


async def test_a_day_is_moved(book: SqlBook, bank: str) -> None:
    moved = await book.edit(bank, 2, {"booked_on": "2026-02-28"})
    assert (moved["booked_on"], moved["parts"][0]["edited"]) == ("2026-02-28", False)
    assert (await day_sums(book)).keys() == {
        ("2026-03-01", "uncategorised_income"),
        ("2026-03-01", None),
        ("2026-02-28", "uncategorised_expense"),
        ("2026-02-28", None),
    }
    await book.undo(moved["run_id"])
    assert (await book.parts(bank))[1][2] == "2026-03-02"
    assert await book.verify() == set()


async def test_one_part_or_each_is_changed(book: SqlBook, bank: str) -> None:
    await book.split(bank, 2, ("-4", "food"), ("-2", "rent"))
    tag = await book.new_label("tag", "trip")
    await book.edit(bank, 2, {"part": 1, "changes": {"category_id": await book.label("fuel")}})
    changed = await book.edit(bank, 2, {"changes": {"tag_ids": [tag], "note": "x"}})
    assert [(each["tag_ids"], each["note"]) for each in changed["parts"]] == [([tag], "x")] * 2
    assert await book.amounts(bank, 2) == [("-4", "food"), ("-2", "fuel")]
    changed = await book.edit(bank, 2, {"part": 0, "changes": {"tag_ids": None, "note": None}})
    assert [(each["tag_ids"], each["note"]) for each in changed["parts"]] == [([], None), ([tag], "x")]


async def test_many_are_changed_each_with_its_outcome(book: SqlBook, bank: str) -> None:
    food = await book.label("food")
    run_id = new_id()
    items = [
        {"wallet_id": bank, "wallet_version": 2, "changes": {"category_id": food}},
        {"wallet_id": bank, "wallet_version": 9, "changes": {"category_id": food}},
        {"wallet_id": bank, "wallet_version": 1, "parts": [{"amount": "9"}]},
        {"wallet_id": bank, "wallet_version": 1, "changes": {}},
        {"wallet_id": bank, "wallet_version": 2, "changes": {"note": "again"}},
    ]
    answer = await book.call("edit_parts", book.book_id, items, run_id, CALLER)
    assert answer["run_id"] == run_id
    assert [(each["status"], each.get("code")) for each in answer["items"]] == [
        ("changed", None),
        ("refused", "entry_not_found"),
        ("refused", "parts_unbalanced"),
        ("unchanged", None),
        ("changed", None),
    ]
    assert answer["items"][4]["entry"]["parts"][0]["note"] == "again"
    assert len(await changes(book, run_id)) == 2
    assert await book.undo(run_id) == {
        "run_id": run_id,
        "undo_run_id": (await book.call("get_run", run_id))["undo_run_id"],
        "restored": 1,
        "kept": [],
        "done": True,
    }
    entry = await book.call("get_entry_parts", book.book_id, bank, 2)
    assert (entry["parts"][0]["note"], entry["parts"][0]["edited"]) == (None, False)
    nothing = await book.call("edit_parts", book.book_id, items[1:3], new_id(), CALLER)
    assert nothing["run_id"] is None


async def test_one_call_changes_a_bounded_number_of_parts(book: SqlBook) -> None:
    """The book is locked meanwhile, and the server goes on with a call that the service has given up."""
    bank = await book.wallet()
    await book.post(*[op("deposit", bank, "100") for _ in range(21)])
    await book.catalogue()
    split = [{"amount": "1"}] * 100
    items: list[dict[str, Any]] = [
        {"wallet_id": bank, "wallet_version": version, "parts": split} for version in range(1, 22)
    ]
    code, facts = await book.refusal("edit_parts", book.book_id, items, new_id(), CALLER)
    assert code == "validation_failed"
    assert '"/changes"' in json.dumps(facts)
    answer = await book.call("edit_parts", book.book_id, items[:20], new_id(), CALLER)
    assert {each["status"] for each in answer["items"]} == {"changed"}
    await book.edit(bank, 21, {"parts": split})
    notes = [
        {"wallet_id": bank, "wallet_version": version, "changes": {"note": "x"}} for version in range(1, 22)
    ]
    code, _ = await book.refusal("edit_parts", book.book_id, notes, new_id(), CALLER)
    assert code == "validation_failed", "the parts that entries have count, too"


async def test_a_run_is_taken_back_but_for_what_was_edited_later(book: SqlBook) -> None:
    bank = await book.wallet()
    await book.post(*[op("withdraw", bank, str(number)) for number in range(1, 8)])
    await book.catalogue()
    before = await book.parts(bank)
    run_id = new_id()
    items = [
        {
            "wallet_id": bank,
            "wallet_version": version,
            "changes": {"category_id": await book.label("food")},
        }
        for version in range(1, 8)
    ]
    await book.call("edit_parts", book.book_id, items, run_id, CALLER)
    await book.split(bank, 3, ("-3", "rent"))
    await book.split(bank, 4, ("-4", "rent"))
    await book.split(bank, 4, ("-4", "food"))  # as the run left it
    await book.edit(bank, 5, {"booked_on": "2020-01-01"})  # another member than the run's
    seen = [await book.undo(run_id, 2) for _ in range(4)]
    assert [(each["restored"], each["done"]) for each in seen] == [
        (2, False),
        (3, False),
        (5, False),
        (6, True),
    ]
    assert seen[-1]["kept"] == [{"wallet_id": bank, "wallet_version": 3}]
    after = await book.parts(bank)
    assert [each[4] for each in after] == [
        "rent" if each[0] == 3 else "uncategorised_expense" for each in before
    ]
    assert after[4][2] == "2020-01-01"
    assert await book.undo(run_id) == seen[-1]
    assert await book.verify() == set()
    redone = await book.undo(seen[-1]["undo_run_id"])
    assert (redone["restored"], redone["done"]) == (6, True)
    assert [each[4] for each in await book.parts(bank)] == ["food"] * 2 + ["rent"] + ["food"] * 4


async def test_what_a_run_moved_stays_where_it_was_moved_later(book: SqlBook, bank: str) -> None:
    moved = await book.edit(bank, 2, {"booked_on": "2026-02-28"})
    await book.edit(bank, 2, {"booked_on": "2026-02-27"})
    undone = await book.undo(moved["run_id"])
    assert undone["kept"] == [{"wallet_id": bank, "wallet_version": 2}]
    assert (await book.parts(bank))[1][2] == "2026-02-27"


async def test_a_run_is_taken_back_after_a_merge_and_a_deletion(book: SqlBook, bank: str) -> None:
    first, second = (
        await book.new_label("category", "first", "food"),
        await book.new_label("category", "second", "food"),
    )
    payee, tag = await book.new_label("payee", "shop"), await book.new_label("tag", "trip")
    await book.edit(bank, 2, {"changes": {"category_id": first, "payee_id": payee, "tag_ids": [tag]}})
    later = await book.split(bank, 2, ("-6", "rent"))
    await book.call("merge_label", first, book.book_id, "category", None, second, CALLER)
    await book.undo(later["run_id"])
    entry = await book.call("get_entry_parts", book.book_id, bank, 2)
    assert entry["parts"][0]["category_id"] == second
    assert (await book.parts(bank))[1][4] == "first"
    await book.call("unmerge_label", first, book.book_id, "category", None, CALLER)
    deleted = await book.split(bank, 2, ("-6", "rent"))
    for kind, label_id in (("category", first), ("payee", payee), ("tag", tag)):
        await book.call("delete_label", label_id, book.book_id, kind, None, CALLER)
    await book.undo(deleted["run_id"])
    part = (await book.call("get_entry_parts", book.book_id, bank, 2))["parts"][0]
    assert (await book.parts(bank))[1][4] == "uncategorised_expense"
    assert (part["payee_id"], part["tag_ids"]) == (None, [])
    assert await book.verify() == set()


async def test_runs_of_others_are_not_found(book: SqlBook, bank: str) -> None:
    run_id = (await book.split(bank, 2, ("-6", "rent")))["run_id"]
    other = await SqlBook.create(book.kernel)
    refused = await book.refusal("undo_run", run_id, other.book_id, new_id(), 10, CALLER)
    assert refused == ("run_not_found", {"run_id": run_id})
    assert (await book.refusal("get_run", new_id()))[0] == "run_not_found"
    run = await book.call("get_run", run_id)
    assert (run["book_id"], run["kind"], run["actor"]) == (book.book_id, "edit", "user:ada")


async def test_a_label_that_parts_have_is_not_deleted(book: SqlBook, bank: str) -> None:
    for kind, member in (("category", "category_id"), ("payee", "payee_id"), ("tag", "tag_ids")):
        label_id = await book.new_label(kind, "used", "food" if kind == "category" else None)
        await book.edit(bank, 2, {"changes": {member: [label_id] if kind == "tag" else label_id}})
        code, facts = await book.refusal("delete_label", label_id, book.book_id, kind, None, CALLER)
        assert (code, facts["uses"]["parts"]) == ("label_in_use", 1)
        free = await book.new_label(kind, "free", "food" if kind == "category" else None)
        assert await book.call("delete_label", free, book.book_id, kind, None, CALLER)


async def test_changes_are_kept_as_they_were_made(book: SqlBook, bank: str) -> None:
    await book.split(bank, 2, ("-6", "rent"))
    for statement in ("update finance.part_changes set who = 'x'", "delete from finance.part_changes"):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await book.kernel.pool.execute(statement)


async def test_a_redate_moves_all_to_their_days(book: SqlBook) -> None:
    wallets = [await book.wallet() for _ in range(2)]
    for wallet_id in wallets:
        for hour in ("03", "12", "22", "23"):
            await book.move(wallet_id, "-1", effective_at=f"2026-01-10T{hour}:30:00Z")
    await book.catalogue()
    await book.edit(wallets[0], 2, {"booked_on": "2026-01-15"})
    berlin = [await book.parts(each) for each in wallets]
    assert [each[2] for each in berlin[1]] == ["2026-01-10", "2026-01-10", "2026-01-10", "2026-01-11"]
    await book.call("update_book", book.book_id, None, {"time_zone": "America/New_York"}, CALLER)
    run_id, place, moved, calls = new_id(), {"after_wallet": None, "after_version": None}, 0, 0
    while place is not None:
        answer = await book.call(
            "redate_parts", book.book_id, run_id, place["after_wallet"], place["after_version"], 3, CALLER
        )
        assert answer["checked"] <= 3
        place, moved, calls = answer["next"], moved + answer["moved"], calls + 1
    assert (moved, calls) == (5, 5)
    for wallet_id in wallets:
        assert [each[2] for each in await book.parts(wallet_id)] == ["2026-01-09"] + ["2026-01-10"] * 3
    assert await book.verify() == set()
    await book.undo(run_id)
    assert [await book.parts(each) for each in wallets] == berlin
    assert await book.verify() == set()
