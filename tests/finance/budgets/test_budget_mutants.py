"""Each fault put into a function of budgets is caught by the check that is there for it."""

import asyncpg
import pytest
from conftest import FreshDatabase

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

from .budget_checks import CHECKS
from .home import Home

MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "no-cap": ("fold_carry", "the_carry_of_g11", "least(p_cap, v_carry + v_left)", "v_carry + v_left"),
    "surplus-carries-a-lack": (
        "fold_carry",
        "the_carry_of_g11",
        "when 'surplus' then 0",
        "when 'surplus' then null",
    ),
    "income-counts": (
        "list_budget_categories",
        "only_expenses_count_with_what_is_under_a_category",
        "where p.root = 'expense'",
        "where true",
    ),
    "merges-are-not-followed": (
        "list_budget_categories",
        "merges_and_moves_are_followed_when_read",
        "p.above = c.path[1]",
        "p.above = c.category_id",
    ),
    "a-merged-one-has-its-own-place": (
        "list_category_paths",
        "merges_and_moves_are_followed_when_read",
        "else t.path end",
        "else l.label_id || t.path end",
    ),
    "wallets-are-not-chosen": (
        "fold_budgets",
        "chosen_wallets_alone_count",
        "(b.wallet_ids = '{}' or s.wallet_id = any (b.wallet_ids))",
        "true",
    ),
    "before-the-start": (
        "fold_budgets",
        "days_count_from_the_start_to_the_end",
        "and s.day >= b.start_date",
        "",
    ),
    "after-the-end": (
        "fold_budgets",
        "days_count_from_the_start_to_the_end",
        "(b.end_date is null or s.day < b.end_date)",
        "true",
    ),
    "always-whole": (
        "fold_budgets",
        "a_cut_period_is_whole_or_by_days",
        "when b.prorate and",
        "when false and",
    ),
    "no-rate-is-one": (
        "sum_money",
        "what_has_no_rate_is_left_out_and_shown",
        "round(c.amount * r.rate_to, 40) / r.rate_from",
        "round(c.amount * coalesce(r.rate_to, 1), 40) / coalesce(r.rate_from, 1)",
    ),
    "credits-are-money": (
        "sum_money",
        "what_has_no_rate_is_left_out_and_shown",
        "and w.kind <> 'credit'",
        "",
    ),
    "the-newest-rate-for-all-days": (
        "sum_money",
        "each_day_has_its_rate_and_a_sum_is_rounded_once",
        "on r.currency = w.currency and r.day = c.day",
        "on r.currency = w.currency and r.day = (select max(x.day) from rates x)",
    ),
    "thirds-are-less": (
        "sum_money",
        "each_day_has_its_rate_and_a_sum_is_rounded_once",
        "round(c.amount * r.rate_to, 40) / r.rate_from",
        "round(c.amount * r.rate_to / r.rate_from, 2)",
    ),
    "stale-is-silent": ("sum_money", "a_stale_rate_is_named", "when r.is_stale then", "when false then"),
    "an-item-takes-all-below": (
        "format_item_figures",
        "a_part_counts_for_the_nearest_item",
        "order by array_position(p.path, i.stand), i.place",
        "order by array_position(p.path, i.stand) desc, i.place",
    ),
    "a-tier-is-passed": (
        "is_tier_reached",
        "a_tier_is_one_event",
        "100 * p_spent >= p_tier * p_available",
        "100 * p_spent > p_tier * p_available",
    ),
    "nothing-available-is-silent": (
        "is_tier_reached",
        "nothing_available_and_something_spent_reaches_all",
        "p_available <= 0 or",
        "p_available > 0 and",
    ),
    "nothing-spent-reaches": (
        "is_tier_reached",
        "nothing_available_and_something_spent_reaches_all",
        "p_spent > 0 and",
        "",
    ),
    "no-re-arming": (
        "replace_budget",
        "a_higher_amount_re_arms_what_is_not_reached",
        "v_new.amount > v_old.amount",
        "false",
    ),
    "all-is-re-armed": (
        "rearm_budget",
        "a_higher_amount_re_arms_what_is_not_reached",
        "and not finance.is_tier_reached(a.tier, f.spent, f.amount + f.carry)",
        "",
    ),
    "old-periods-are-events": (
        "list_reached_tiers",
        "late_entries_count_for_alerts_and_old_periods_do_not",
        "f.next_day > b.watched_from and",
        "",
    ),
    "only-the-running-period": (
        "list_reached_tiers",
        "late_entries_count_for_alerts_and_old_periods_do_not",
        "min(b.checked_on) - c_late_days",
        "p_today",
    ),
    "unused-by-budgets": (
        "count_budgets_of_label",
        "used_labels_are_not_deleted",
        "p_id = any (b.category_ids)",
        "false",
    ),
    "unused-by-items": (
        "count_budgets_of_label",
        "used_labels_are_not_deleted",
        "i.category_id = p_id",
        "false",
    ),
    "categories-of-income": (
        "check_budget_category",
        "items_categories_and_wallets_are_checked",
        "l.system_key = 'expense'",
        "true",
    ),
    "wallets-of-others": (
        "read_budget",
        "items_categories_and_wallets_are_checked",
        "is distinct from p_book.book_id limit 1",
        "is distinct from p_book.book_id and false limit 1",
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
    async with Home.on(made) as home:
        with pytest.raises(AssertionError):
            await CHECKS[check](home)
