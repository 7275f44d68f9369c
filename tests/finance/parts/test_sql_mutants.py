"""Each fault put into the SQL of parts is caught by the test that is there for it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from conftest import FreshDatabase
from support.kernel.harness import Kernel

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

from . import test_sql_catalogue as catalogue
from . import test_sql_edits as edits
from . import test_sql_list as lists
from . import test_sql_pairs as pairs
from .sql_book import SqlBook

Check = Callable[[SqlBook], Awaitable[None]]


async def shares(book: SqlBook) -> None:
    await catalogue.test_shares_are_pro_rata(
        book.kernel, "10.00", ["1", "1", "1"], 2, ["3.34", "3.33", "3.33"]
    )
    await catalogue.test_shares_are_pro_rata(book.kernel, "28.12", ["60.00", "24.37"], 2, ["20", "8.12"])
    await catalogue.test_shares_are_pro_rata(book.kernel, "1.00", ["-10", "3"], 2, ["1.43", "-0.43"])


async def bank_of(book: SqlBook) -> str:
    bank = await book.wallet()
    await book.move(bank, "10.00", "2026-03-01")
    await book.move(bank, "-6.00", "2026-03-02")
    await book.catalogue()
    return bank


def with_bank(check: Callable[[SqlBook, str], Awaitable[None]]) -> Check:
    async def run(book: SqlBook) -> None:
        await check(book, await bank_of(book))

    return run


def with_wallets(check: Callable[[SqlBook, list[str]], Awaitable[None]]) -> Check:
    async def run(book: SqlBook) -> None:
        await check(book, [await book.wallet() for _ in range(3)])

    return run


def later(days: int, first: str = "both") -> Check:
    async def run(book: SqlBook) -> None:
        wallets = [await book.wallet() for _ in range(3)]
        await pairs.test_a_credit_within_four_days_pairs(book, wallets, days, first)

    return run


async def zones(book: SqlBook) -> None:
    await catalogue.test_the_day_is_that_of_the_zone_of_the_book(
        book.kernel, "America/New_York", "2026-01-01T03:30:00Z", "2025-12-31"
    )


async def unbalanced(book: SqlBook) -> None:
    change = {"parts": [{"amount": "-5.99"}, {"amount": "-0.02"}]}
    await edits.test_what_is_wrong_is_refused(book, await bank_of(book), change, "parts_unbalanced", {})


async def stale(book: SqlBook) -> None:
    change = {"etag": "0", "changes": {"note": "x"}}
    await edits.test_what_is_wrong_is_refused(book, await bank_of(book), change, "version_mismatch", {})


async def listing(book: SqlBook) -> None:
    filled = lists.Filled(book, 1)
    await filled.fill()
    await lists.test_each_filter_selects_what_it_says(filled)


async def small_pages(book: SqlBook) -> None:
    """Pages end because they have read enough, and go on where they ended."""
    most = "c_most_read constant integer := "
    await change(
        book.kernel, "list_book_parts", (most + "10000", most + "40"), ("v_filter, 5000)", "v_filter, 50)")
    )
    filled = lists.Filled(book, 2)
    await filled.fill()
    await lists.test_each_filter_selects_what_it_says(filled)
    await lists.test_filters_join(filled, 1)


async def after_history(book: SqlBook) -> None:
    await catalogue.test_a_book_that_comes_after_its_history(book.kernel)


split, listed = with_bank(edits.test_an_entry_is_split), lists.test_an_item_says_what_the_entry_was
others = with_bank(edits.test_others_labels_and_entries_are_not_found)
refunds, taken_back = (
    catalogue.test_a_refund_takes_the_parts_of_its_original,
    edits.test_a_run_is_taken_back_but_for_what_was_edited_later,
)
defaults = catalogue.test_entries_get_their_default_parts_once
exchanges, given = (
    catalogue.test_what_exchanges_and_imports_are_for,
    catalogue.test_parts_that_came_with_a_posting,
)
dissolved = with_wallets(pairs.test_a_pair_is_dissolved_and_does_not_come_again)
merges = with_bank(edits.test_a_run_is_taken_back_after_a_merge_and_a_deletion)

MUTANTS: dict[str, tuple[str, Check, str, str]] = {
    "sums-are-not-checked": ("check_parts", unbalanced, "e.total = case", "0 <> case"),
    "others-wallets": (
        "check_parts",
        catalogue.test_entries_get_their_default_parts_once,
        "is not true\n",
        "is true\n",
    ),
    "labels-of-others": ("check_part_labels", others, "and l.book_id = p_book_id", ""),
    "labels-of-another-kind": (
        "check_part_labels",
        others,
        "and l.book_id = p_book_id and l.kind = u.kind",
        "",
    ),
    "sums-keep-what-is-gone": ("change_day_sums", split, "select -1 as sign", "select 0 as sign"),
    "empty-sums-stay": ("change_day_sums", split, "and s.parts = 0", "and false"),
    "debits-are-credits": (
        "change_day_sums",
        split,
        "when c.amount < 0 then -c.sign",
        "when c.amount < 0 then c.sign",
    ),
    "no-day-of-the-wallet": ("change_day_sums", split, ", (c.booked_on, c.wallet_id))", ")"),
    "changes-are-not-kept": ("replace_parts", split, "where n.parts is distinct from o.parts", "where false"),
    "texts-are-not-searched": ("replace_parts", listed, "n.note, t.description", "n.note"),
    "searches-find-other-books": (
        "build_words",
        lists.test_other_books_are_not_listed,
        "p_book_id::text",
        "'x'",
    ),
    "left-over-units-to-the-last": ("share_amount", shares, "desc, f.place)", "desc, f.place desc)"),
    "left-over-units-to-the-least": (
        "share_amount",
        shares,
        "abs(v_total) desc, f.place",
        "abs(v_total), f.place",
    ),
    "cut-towards-zero": ("share_amount", shares, "then 1 else 0 end as units", "then 0 else 0 end as units"),
    "days-of-utc": ("find_booking_day", zones, "at time zone p_time_zone", "at time zone 'UTC'"),
    "refunds-by-default": (
        "list_refunded_parts",
        refunds,
        "(s.parts[s.place]).category_id",
        "(s.parts[1]).category_id",
    ),
    "transfers-are-expense": ("list_default_parts", defaults, "then v_own", "then v_expense"),
    "adjustments-are-income": ("list_default_parts", defaults, "t.transaction_type = 'adjustment' or", ""),
    "imports-are-income": ("list_default_parts", exchanges, ", 'external:opening-balances'", ""),
    "fees-are-exchanges": ("list_default_parts", exchanges, "and t.counter_account not like 'revenue:%'", ""),
    "all-wallets-are-own": (
        "list_default_parts",
        catalogue.test_a_transfer_to_a_wallet_of_another_book_is_no_own_one,
        "o.user_id = p_book.user_id and o.organization_id is null",
        "true",
    ),
    "merges-are-not-followed": (
        "find_system_category",
        catalogue.test_system_categories_are_followed_through_merges,
        "return (finance.find_label_path(v_label_id))[1];",
        "return v_label_id;",
    ),
    "long-histories-first": (
        "catalogue_entries",
        catalogue.test_small_histories_do_not_wait_for_long_ones,
        "over (order by o.last_entry - o.done,",
        "over (order by o.done - o.last_entry,",
    ),
    "the-limit-is-not-kept": (
        "bound_entries",
        catalogue.test_entries_with_many_parts_are_catalogued_in_small_pieces,
        "where s.before < p_limit",
        "where true",
    ),
    "given-parts-are-not-checked": (
        "write_given_parts",
        given,
        "is distinct from v_default.amount",
        "is null",
    ),
    "unsaid-parts-are-edited": (
        "write_given_parts",
        given,
        "null, null, v_is_said, '')",
        "null, null, true, '')",
    ),
    "said-parts-are-not-edited": (
        "write_given_parts",
        given,
        "@.category_id != null || @.payee_id != null || @.note != null ||",
        "",
    ),
    "given-parts-stay": ("write_given_parts", given, "and g.leg = v_given.leg", "and false"),
    "deleted-labels-are-written": ("mend_labels", given, "coalesce(c.label_id,", "coalesce(n.category_id,"),
    "a-cataloguer-fails": (
        "catalogue_book",
        catalogue.test_a_cataloguer_does_not_wait_for_ever,
        "when lock_not_available",
        "when division_by_zero",
    ),
    "writes-on-a-standby": (
        "catalogue_book",
        catalogue.test_a_read_only_session_only_counts,
        "and current_setting('transaction_read_only') = 'off'",
        "",
    ),
    "stale-edits": ("edit_entry", stale, "p_change ->> 'etag' <> finance.build_parts_etag(v_old)", "false"),
    "entries-of-others": ("find_entry_parts", others, "and p.book_id = p_book_id order", "order"),
    "moved-days-are-edits": (
        "change_parts",
        with_bank(edits.test_a_day_is_moved),
        "v_changes = '{}' or",
        "",
    ),
    "later-edits-are-lost": ("plan_undo", taken_back, "and s.now_parts <> s.after_parts", "and false"),
    "later-days-are-lost": (
        "plan_undo",
        with_bank(edits.test_what_a_run_moved_stays_where_it_was_moved_later),
        "and s.now_day <> s.after_day",
        "and false",
    ),
    "undone-with-the-day": ("plan_undo", taken_back, "else j.now_day end", "else j.before_day end"),
    "the-last-before": (
        "plan_undo",
        with_bank(edits.test_many_are_changed_each_with_its_outcome),
        "array_agg(c.before order by c.change_id)",
        "array_agg(c.before order by c.change_id desc)",
    ),
    "undone-with-deleted-labels": (
        "undo_run",
        merges,
        "finance.mend_labels(p_book_id, v_plan.parts)",
        "v_plan.parts",
    ),
    "runs-of-others": (
        "undo_run",
        with_bank(edits.test_runs_of_others_are_not_found),
        "and r.book_id = v_book.book_id",
        "",
    ),
    "pairs-of-a-run-stay": (
        "undo_run",
        with_wallets(pairs.test_pairs_of_a_run_are_taken_back_with_it),
        "v_run.kind = 'pair'",
        "false",
    ),
    "five-days": (
        "list_pair_candidates",
        later(5),
        "c_days constant integer := 4",
        "c_days constant integer := 5",
    ),
    "three-days": (
        "list_pair_candidates",
        later(4),
        "c_days constant integer := 4",
        "c_days constant integer := 3",
    ),
    "credits-before-debits": (
        "list_pair_candidates",
        later(-1),
        "case when n.amount > 0 then c_days else 0 end",
        "c_days",
    ),
    "one-wallet-pairs": (
        "list_pair_candidates",
        with_wallets(pairs.test_what_is_no_pair),
        "f.wallet_id <> n.wallet_id",
        "true",
    ),
    "currencies-pair": (
        "list_pair_candidates",
        with_wallets(pairs.test_what_is_no_pair),
        "and s.currency = t.currency",
        "",
    ),
    "categories-pair": (
        "list_pair_candidates",
        with_wallets(pairs.test_one_that_has_a_category_is_no_pair),
        "and f.category_id = any (v_open)",
        "",
    ),
    "dismissed-ones-pair": ("list_pair_candidates", dissolved, "d.state = 'dismissed'", "false"),
    "two-credits-pair": (
        "pair_entries",
        with_wallets(pairs.test_two_candidates_are_suggestions),
        "c.credits = 1 and",
        "",
    ),
    "two-debits-pair": (
        "pair_entries",
        with_wallets(pairs.test_a_debit_of_another_debit_s_only_credit_is_a_suggestion),
        "and c.debits = 1",
        "",
    ),
    "edited-ones-become-transfers": (
        "join_pairs",
        with_wallets(pairs.test_edited_parts_keep_their_category_in_a_pair),
        "case when p.edited then p.category_id else c_own end",
        "c_own",
    ),
    "suggestions-stay": (
        "join_pairs",
        with_wallets(pairs.test_two_candidates_are_suggestions),
        "o.state = 'suggested'",
        "false",
    ),
    "dissolved-ones-stay-transfers": ("dissolve_pairs", dissolved, "<> c_own then", "is not null then"),
    "redates-one-wallet": (
        "redate_parts",
        edits.test_a_redate_moves_all_to_their_days,
        "k.wallet_id > p_after_wallet or",
        "",
    ),
    "used-labels-are-deleted": (
        "count_parts_of_label",
        with_bank(edits.test_a_label_that_parts_have_is_not_deleted),
        "p.payee_id = p_id",
        "false",
    ),
    "categories-without-those-below": (
        "expand_labels",
        listing,
        "or p_below and",
        "or false and",
    ),
    "merged-labels-are-not-listed": ("expand_labels", listing, "l.merged_into = f.label_id or", ""),
    "pages-past-what-was-read": (
        "read_part_page",
        small_pages,
        ">= (horizon.booked_on, horizon.wallet_id, horizon.wallet_version, horizon.part)",
        "is not null",
    ),
    "amounts-with-sign": (
        "is_part_shown",
        small_pages,
        "abs(p_part.amount) <= p_filter.most",
        "p_part.amount <= p_filter.most",
    ),
}


async def change(kernel: Kernel, function: str, *replacements: tuple[str, str]) -> None:
    """Put other text into a function."""
    (sql,) = [each.sql for each in read_sql_files(ROOMS).functions if each.name == function]
    for right, wrong in replacements:
        assert sql.count(right) >= 1, right
        sql = sql.replace(right, wrong)
    async with kernel.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role wallet_owner")
        await connection.execute(sql)


@pytest.fixture
async def fresh(fresh_database: FreshDatabase) -> AsyncIterator[Kernel]:
    opened = await Kernel.open((await fresh_database()).dsn)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_fault_is_caught(fresh: Kernel, name: str) -> None:
    function, check, right, wrong = MUTANTS[name]
    await change(fresh, function, (right, wrong))
    book = await SqlBook.create(fresh)
    with pytest.raises((AssertionError, ValueError, asyncpg.PostgresError)) as caught:
        await check(book)
    assert not isinstance(caught.value, asyncpg.SyntaxOrAccessError)


async def test_lists_are_the_same_when_little_is_read_for_a_page(fresh: Kernel) -> None:
    await small_pages(await SqlBook.create(fresh))
