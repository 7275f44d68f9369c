"""Each rule of alerts holds, and each fault put into their functions is caught by the check that is there for it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from conftest import FreshDatabase
from support.clock import SettableClock
from support.kernel.harness import Kernel

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

from .alert_checks import CHECKS

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
            await kernel.pool.execute("truncate billing.alerts")
            assert name


MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "low-below-only": (
        "place_alert",
        "a_line_is_crossed_when_it_is_reached",
        "p_available <= v_threshold",
        "p_available < v_threshold",
    ),
    "depleted-below-zero-only": (
        "place_alert",
        "a_line_is_crossed_when_it_is_reached",
        "p_available <= 0",
        "p_available < 0",
    ),
    "recovers-at-the-line": (
        "place_alert",
        "hysteresis_keeps_it_low_until_it_has_recovered",
        "when p_alert.state <> 'ok' and p_available < v_recovery then 'low' else",
        "else",
    ),
    "recovers-above-the-recovery": (
        "place_alert",
        "hysteresis_keeps_it_low_until_it_has_recovered",
        "p_available < v_recovery",
        "p_available <= v_recovery",
    ),
    "hysteresis-before-low": (
        "place_alert",
        "hysteresis_keeps_it_low_until_it_has_recovered",
        "p_alert.state <> 'ok' and ",
        "",
    ),
    "depleted-stays": (
        "place_alert",
        "zero_is_depleted_and_more_is_low_again",
        "when 'low' then v_recovery else 0 end",
        "when 'low' then v_recovery else 'Infinity' end",
    ),
    "low-never-depleted": (
        "place_alert",
        "hysteresis_keeps_it_low_until_it_has_recovered",
        "when 'low' then 0 else '-Infinity'",
        "when 'low' then '-Infinity' else '-Infinity'",
    ),
    "compared-at-the-end-of-the-call": (
        "follow_alerts",
        "each_operation_of_a_call_is_compared",
        "v_balance := v_entry.balance_after;",
        "v_balance := v_account.balance;",
    ),
    "range-not-moved": (
        "compare_alerts",
        "each_operation_of_a_call_is_compared",
        "greatest(p_state.alert_floors[v_index], v_new.quiet_above)",
        "greatest(p_state.alert_floors[v_index], v_old.quiet_above)",
    ),
    "of-another-wallet": (
        "follow_alerts",
        "an_operation_is_compared_as_a_whole",
        "if v_entry.wallet_id = v_account.wallet_id then",
        "if true then",
    ),
    "reverted-units-cross": (
        "decide_operations",
        "a_unit_that_is_reverted_crosses_nothing",
        "      v_state := v_saved_state;\n",
        "",
    ),
    "locked-is-available": (
        "follow_alerts",
        "what_is_locked_is_not_available",
        "v_available := v_balance - v_account.locked_balance;",
        "v_available := v_balance;",
    ),
    "locked-is-available-at-creation": (
        "define_alert",
        "what_is_locked_is_not_available",
        "p_wallet.balance - p_wallet.locked_balance",
        "p_wallet.balance",
    ),
    "locked-is-available-in-a-comparison": (
        "compare_alerts",
        "an_operation_that_locks_is_compared",
        "numeric := p_balance - p_account.locked_balance;",
        "numeric := p_balance;",
    ),
    "caller-forgotten": (
        "compare_alerts",
        "an_operation_that_locks_is_compared",
        'coalesce(p_caller, \'{"actor": "service"}\')',
        '\'{"actor": "service"}\'',
    ),
    "refunds-are-credits": (
        "find_granted_after",
        "a_percentage_is_of_the_balance_after_the_last_credit",
        "elsif p_is_refund then",
        "elsif p_is_refund and false then",
    ),
    "a-refund-is-the-last-credit": (
        "find_granted_now",
        "a_percentage_is_of_the_balance_after_the_last_credit",
        " and t.transaction_type <> 'refund'",
        "",
    ),
    "credits-not-followed": (
        "follow_alerts",
        "a_percentage_is_of_the_grants_that_last",
        "v_entry.direction = 'credit' or ",
        "",
    ),
    "used-not-counted": (
        "sum_used",
        "a_percentage_is_of_the_grants_that_last",
        "sum(g.used + g.overdrawn)",
        "sum(0)",
    ),
    "used-up-counts": (
        "sum_used",
        "a_percentage_is_of_the_grants_that_last",
        "where g.remaining > 0 and",
        "where",
    ),
    "used-not-counted-at-creation": (
        "find_granted_now",
        "a_percentage_is_of_the_grants_that_last",
        "sum(g.used + g.overdrawn)",
        "sum(0)",
    ),
    "voids-not-followed": (
        "follow_alerts",
        "a_percentage_is_of_the_grants_that_last",
        " or v_entry.transaction_type = 'grant_void'",
        "",
    ),
    "used-of-a-voided-grant-stays": (
        "find_used",
        "a_percentage_is_of_the_grants_that_last",
        "case when g.ended is null then 0 else g.used + g.overdrawn end",
        "0",
    ),
    "credits-not-taken-back": (
        "find_granted_after",
        "a_refund_takes_back_what_it_reverses",
        "v_granted := v_granted - v_entry.amount;",
        "v_granted := v_granted;",
    ),
    "refund-of-an-ended-grant-counts-twice": (
        "find_granted_after",
        "a_refund_takes_back_what_it_reverses",
        "v_granted + (select coalesce(sum(n.amount), 0)",
        "v_granted + (select coalesce(sum(0), 0)",
    ),
    "what-is-due-not-compared": (
        "open_alerts",
        "what_expires_crosses_by_itself",
        "if v_account.is_due and",
        "if false and",
    ),
    "expired-still-granted": (
        "find_granted_after",
        "what_expires_crosses_by_itself",
        "in ('grant_expiry', 'grant_void')",
        "in ('grant_void')",
    ),
    "used-of-an-expired-grant-stays": (
        "find_used",
        "what_expires_crosses_by_itself",
        "(select g.used + g.overdrawn from billing.grants g",
        "(select 0::numeric from billing.grants g",
    ),
    "change-crosses": (
        "update_alert",
        "a_change_takes_the_state_of_the_balance",
        "quiet_above = v_new.quiet_above, ",
        "",
    ),
    "state-forgotten-by-a-change": (
        "define_alert",
        "a_change_takes_the_state_of_the_balance",
        "  p_alert.granted := case",
        "  p_alert.state := 'ok';\n  p_alert.granted := case",
    ),
    "hysteresis-of-another-unit": (
        "define_alert",
        "a_change_takes_the_state_of_the_balance",
        "when v_was_percent <> (p_alert.percent is not null) then 0 else",
        "else",
    ),
    "mark-stays": ("delete_alert", "the_mark_leaves_with_the_last_alert", "w.marks & ~8", "w.marks"),
    "other-marks-removed": ("delete_alert", "the_mark_leaves_with_the_last_alert", "w.marks & ~8", "0"),
    "mark-leaves-with-the-first": (
        "delete_alert",
        "the_mark_leaves_with_the_last_alert",
        "if not exists (select from billing.alerts l where l.wallet_id = p_wallet_id) then",
        "if true then",
    ),
    "states-not-verified": (
        "verify_alerts",
        "verify_finds_a_wrong_state",
        "(s.alert).state = (s.placed).state)",
        "true)",
    ),
    "ranges-not-verified": (
        "verify_alerts",
        "verify_finds_a_wrong_state",
        "(s.alert).quiet_above = (s.placed).quiet_above",
        "true",
    ),
    "marks-not-verified": (
        "verify_alerts",
        "verify_finds_a_wrong_state",
        "where (p.marks & 8) = 0",
        "where false",
    ),
    "events-not-recorded": (
        "write_alerts",
        "a_line_is_crossed_when_it_is_reached",
        "foreach v_crossing in array coalesce((p_decided.state).alert_crossings, '{}') loop",
        "foreach v_crossing in array '{}'::billing.alert_crossing[] loop",
    ),
    "states-not-written": (
        "write_alerts",
        "a_line_is_crossed_when_it_is_reached",
        "set state = h.state, ",
        "set ",
    ),
}
"""By name: the function, the check that must fail, a text of the function's file, and what stands there instead."""

_HEAD = re.compile(r"create or replace function [a-z_]+\.(\w+)\s*\(")


def file_of(function: str) -> str:
    """The SQL of the file with a function."""
    (found,) = (file.sql for file in read_sql_files(ROOMS).functions if function in _HEAD.findall(file.sql))
    return found


@pytest.mark.mutants
@pytest.mark.parametrize("name", MUTANTS)
async def test_is_caught(fresh_database: FreshDatabase, name: str) -> None:
    function, caught_by, old, new = MUTANTS[name]
    sql = file_of(function)
    assert sql.count(old) == 1, f"{name} no longer applies: {old!r} is there {sql.count(old)} times"
    async with kernel_of_its_own(fresh_database, sql.replace(old, new)) as (kernel, clock):
        with pytest.raises((AssertionError, asyncpg.PostgresError)) as caught:
            async with asyncio.timeout(LONGEST_S):
                await CHECKS[caught_by](kernel, clock)
    # A mutant that can't run at all shows nothing of the check.
    assert str(getattr(caught.value, "sqlstate", ""))[:2] not in {"42", "XX"}, caught.value
