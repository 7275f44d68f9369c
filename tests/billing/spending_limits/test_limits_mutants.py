"""Each rule of limits holds, and each fault put into their functions is caught by the check that is there for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from conftest import FreshDatabase
from support.clock import SettableClock
from support.kernel.harness import Kernel

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

from .limit_checks import CHECKS

LONGEST_S = 30


@asynccontextmanager
async def kernel_of_its_own(
    fresh_database: FreshDatabase, sql: str | None = None
) -> AsyncIterator[tuple[Kernel, SettableClock]]:
    kernel = await Kernel.open((await fresh_database()).dsn)
    try:
        connection = await asyncpg.connect(kernel.dsn)
        clock = SettableClock(connection)
        await clock.install()
        if sql is not None:
            async with connection.transaction():
                await connection.execute("set local role wallet_owner")
                await connection.execute(sql)
        yield kernel, clock
        await connection.close()
    finally:
        await kernel.close()


async def test_every_rule_holds(fresh_database: FreshDatabase) -> None:
    async with kernel_of_its_own(fresh_database) as (kernel, clock):
        for name, check in CHECKS.items():
            await check(kernel, clock)
            await kernel.pool.execute("truncate billing.spending_limits, billing.limit_sets")
            assert name


MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "credits-count": (
        "follow_limits",
        "what_is_spent_counts_and_nothing_else",
        "and v_entry.direction = 'debit'",
        "",
    ),
    "adjustments-count": (
        "follow_limits",
        "what_is_spent_counts_and_nothing_else",
        "in ('refund', 'adjustment')",
        "in ('refund')",
    ),
    "refunds-count": (
        "follow_limits",
        "what_is_spent_counts_and_nothing_else",
        "in ('refund', 'adjustment')",
        "in ('adjustment')",
    ),
    "transfers-of-history-not-counted": (
        "is_spending",
        "what_is_spent_counts_and_nothing_else",
        "'transfer', ",
        "",
    ),
    "below-the-limit-only": (
        "follow_limits",
        "a_period_counts_to_its_end",
        "v_limit.amount < (",
        "v_limit.amount <= (",
    ),
    "not-counted": ("follow_limits", "a_period_counts_to_its_end", "v_used[i] + v_amount;", "v_used[i];"),
    "not-written": ("write_limits", "a_period_counts_to_its_end", "l.used <> s.used or ", ""),
    "new-period-goes-on": ("roll_limit", "a_period_counts_to_its_end", "p_limit.used := 0;", ""),
    "second-midnight": (
        "find_period",
        "midnight_comes_when_the_time_zone_says",
        "then least(v_first, v_begin)",
        "then v_begin",
    ),
    "falls-out-late": (
        "move_window",
        "a_window_rolls_exactly",
        "t.created_at <= p_out",
        "t.created_at < p_out",
    ),
    "window-not-moved": (
        "read_limit",
        "a_window_rolls_exactly",
        "p_at < p_limit.ends_at",
        "p_at <= p_limit.ends_at",
    ),
    "first-entry-not-noted": (
        "follow_limits",
        "a_window_rolls_exactly",
        "if v_limit.ends_at = 'infinity' then",
        "if false then",
    ),
    "resets-with-the-first": (
        "find_reset",
        "a_window_rolls_exactly",
        "where v_fallen + s.fallen >= p_enough",
        "where true",
    ),
    "only-the-first-200-fall-out": (
        "move_window",
        "many_entries_are_counted_by_checkpoints",
        "if v_out = p_limit.tail + c_few then",
        "if false then",
    ),
    "all-of-the-checkpoint": (
        "sum_spent",
        "many_entries_are_counted_by_checkpoints",
        "- billing.sum_spent_until(p_wallet_id, p_limited, p_from, p_last)",
        "",
    ),
    "any-place-of-the-bisection": (
        "find_reset",
        "many_entries_are_counted_by_checkpoints",
        "greatest(p_limit.tail, v_low * 1000)",
        "v_high * 1000",
    ),
    "any-letter": (
        "build_pattern",
        "only_debits_against_the_account_count",
        "pg_catalog.replace(p_limited, '_', '\\_')",
        "p_limited",
    ),
    "any-account": (
        "follow_limits",
        "only_debits_against_the_account_count",
        "(v_limit.pattern is null or v_entry.counter_account like v_limit.pattern)",
        "true",
    ),
    "transactions-not-limited": (
        "follow_limits",
        "a_unit_that_is_reverted_does_not_count",
        "else v_amount end) then",
        "else 0 end) then",
    ),
    "history-forgotten": (
        "store_limits",
        "what_was_spent_before_counts",
        "v_counter := billing.count_limit(v_counter, p_now);",
        "",
    ),
    "begin-of-the-period-off-by-one": (
        "count_limit",
        "what_was_spent_before_counts",
        "p_limit.starts_at - interval '1 microsecond'",
        "p_limit.starts_at",
    ),
    "the-other-side-removed": (
        "store_limits",
        "each_side_has_a_set_of_its_own",
        "and l.set_by = p_set_by\n    and not",
        "and not",
    ),
    "mark-stays": ("replace_limits", "each_side_has_a_set_of_its_own", "w.marks & ~4", "w.marks"),
    "other-marks-removed": ("replace_limits", "each_side_has_a_set_of_its_own", "w.marks & ~4", "0"),
    "clock-back-not-seen": (
        "read_limit",
        "a_clock_that_is_set_back_counts_from_the_ledger",
        "p_at - v_span >= p_limit.starts_at and ",
        "",
    ),
    "counters-not-verified": (
        "verify_limits",
        "verify_finds_a_wrong_counter",
        "('limit counters', s.used = ",
        "('limit counters', s.used is not null or s.used = ",
    ),
    "captures-refused": (
        "follow_limits",
        "holds_count_once_and_captures_are_never_refused",
        "if v_more > 0 and ",
        "if ",
    ),
    "holds-free": (
        "follow_limits",
        "holds_count_once_and_captures_are_never_refused",
        "then v_used[i] + v_amount + v_state.limits_locked[i]",
        "then v_used[i] + v_amount",
    ),
    "locked-not-followed": (
        "follow_limits",
        "holds_count_for_the_account_that_they_will_pay",
        "v_state.limits_locked[i] := v_state.limits_locked[i] + v_more - v_amount;",
        "",
    ),
    "holds-of-any-account": (
        "follow_limits",
        "holds_count_for_the_account_that_they_will_pay",
        "and (v_limit.pattern is null or v_change.counter_account like v_limit.pattern);",
        ";",
    ),
    "open-holds-of-any-account": (
        "open_limits",
        "holds_count_for_the_account_that_they_will_pay",
        "billing.sum_held(l.wallet_id, a.locked_balance, l.counter_account)",
        "a.locked_balance",
    ),
    "the-change-of-an-earlier-operation": (
        "follow_limits",
        "holds_count_for_the_account_that_they_will_pay",
        "v_of_hold := v_change.transaction_id = p_operation.transaction_id",
        "v_of_hold := v_change.transaction_id is not null",
    ),
    "increases-by-themselves": (
        "follow_limits",
        "a_hold_fits_into_one_transaction",
        "greatest(v_amount, v_change.rest)",
        "greatest(v_amount, v_change.amount)",
    ),
}
"""By name: the function, the check that must fail, a text of the function's file, and what stands there instead."""


@pytest.mark.mutants
@pytest.mark.parametrize("name", MUTANTS)
async def test_is_caught(fresh_database: FreshDatabase, name: str) -> None:
    function, caught_by, old, new = MUTANTS[name]
    (sql,) = (file.sql for file in read_sql_files(ROOMS).functions if file.name == function)
    assert sql.count(old) == 1, f"{name} no longer applies: {old!r} is there {sql.count(old)} times"
    async with kernel_of_its_own(fresh_database, sql.replace(old, new)) as (kernel, clock):
        with pytest.raises((AssertionError, asyncpg.PostgresError)) as caught:
            async with asyncio.timeout(LONGEST_S):
                await CHECKS[caught_by](kernel, clock)
    # A mutant that can't run at all shows nothing of the check.
    assert str(getattr(caught.value, "sqlstate", ""))[:2] not in {"42", "XX"}, caught.value
