"""Each fault put into the functions of labels and books is caught by the test that is there for it."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from conftest import FreshDatabase
from finance.books import test_books_router as books
from finance.labels import test_labels_router as labels
from support.api import Api, open_api

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

Check = Callable[[Api], Awaitable[None]]


async def merges(api: Api) -> None:
    await labels.test_a_merge_is_followed_and_can_be_taken_back(api, "tags")


async def changes(api: Api) -> None:
    await labels.test_labels_are_created_changed_moved_and_deleted(api, "tags")


MUTANTS: dict[str, tuple[str, Check, str, str]] = {
    "circles-are-not-looked-for": (
        "check_label_place",
        labels.test_a_tree_has_no_circle_and_at_most_six_levels,
        "v_path is null",
        "false",
    ),
    "seven-levels": (
        "check_label_place",
        labels.test_a_tree_has_no_circle_and_at_most_six_levels,
        "c_most_levels constant integer := 6",
        "c_most_levels constant integer := 7",
    ),
    "what-is-under-it-is-not-counted": (
        "check_label_place",
        labels.test_a_tree_has_no_circle_and_at_most_six_levels,
        "cardinality(v_path) - 1 + finance.count_label_levels(v_top)",
        "cardinality(v_path)",
    ),
    "what-was-merged-is-not-counted": (
        "count_label_levels",
        labels.test_a_tree_has_no_circle_and_at_most_six_levels,
        " or l.merged_into = b.label_id",
        "",
    ),
    "merges-are-not-followed": ("find_label_path", merges, "v_label.merged_into is null", "true"),
    "a-merge-back-is-not-checked": (
        "store_label",
        labels.test_a_merge_is_not_taken_back_into_a_circle,
        "perform finance.check_label_place(v_new);",
        "",
    ),
    "roots-change": (
        "lock_label",
        labels.test_roots_are_fixed_and_other_system_categories_are_not,
        "v_label.parent_id is null",
        "false",
    ),
    "names-are-compared-with-capitals": (
        "check_label_name",
        labels.test_names_differ_under_one_parent,
        "lower(l.name) = lower(p_label.name)",
        "l.name = p_label.name",
    ),
    "labels-of-others": (
        "find_label",
        labels.test_others_labels_are_not_found,
        "(p_book_id is null or l.book_id = p_book_id)",
        "true",
    ),
    "labels-of-another-kind": (
        "find_label",
        labels.test_others_labels_are_not_found,
        "l.kind = p_kind and",
        "",
    ),
    "used-ones-are-deleted": ("delete_label", merges, "u.value <> '0'", "false"),
    "versions-are-not-compared": ("lock_label", changes, "v_label.version <> p_version", "false"),
    "a-book-without-categories": (
        "create_book",
        labels.test_a_new_book_has_sixty_categories_under_three_roots,
        "perform finance.complete_book(p_book_id);",
        "",
    ),
    "wallets-of-organizations-are-the-users": (
        "find_book_of_wallet",
        books.test_the_wallets_of_a_book_are_those_of_its_owner,
        "p_organization_id is not null",
        "false",
    ),
    "wallets-of-organizations-are-listed-for-the-user": (
        "list_book_wallets",
        books.test_the_wallets_of_a_book_are_those_of_its_owner,
        "and w.organization_id is null",
        "",
    ),
    "books-without-versions": (
        "update_book",
        books.test_a_user_creates_its_book_once_reads_and_changes_it,
        "v_old.version <> p_version",
        "false",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_fault_is_caught(fresh_database: FreshDatabase, name: str) -> None:
    function, check, right, wrong = MUTANTS[name]
    (sql,) = [each.sql for each in read_sql_files(ROOMS).functions if each.name == function]
    assert sql.count(right) >= 1
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    async with connection.transaction():
        await connection.execute("set local role wallet_owner")
        await connection.execute(sql.replace(right, wrong))
    await connection.close()
    async with open_api(made.service_dsn) as api:
        with pytest.raises(AssertionError):
            await check(api)
