"""Each rule of top-ups holds, and each fault put into their functions is caught by the check that is there for it."""

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

from .top_up_checks import CHECKS

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
        for check in CHECKS.values():
            await check(kernel, clock)
            await kernel.pool.execute("truncate billing.top_up_rules, billing.top_ups")


MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "below-the-threshold-only": (
        "write_top_ups",
        "at_the_threshold_one_starts",
        "a.balance - a.locked_balance <= r.threshold",
        "a.balance - a.locked_balance < r.threshold",
    ),
    "two-at-a-time": (
        "write_top_ups",
        "at_the_threshold_one_starts",
        "or billing.find_open_top_up(p_wallet_id) is not null then",
        "then",
    ),
    "charged-is-not-under-way": (
        "write_top_ups",
        "at_the_threshold_one_starts",
        "'pending', 'charged') limit 1",
        "'pending') limit 1",
    ),
    "locked-is-available": (
        "write_top_ups",
        "what_holds_lock_is_not_available",
        "a.balance - a.locked_balance <= r.threshold",
        "a.balance <= r.threshold",
    ),
    "locked-is-there-when-the-charge-begins": (
        "start_top_up",
        "what_holds_lock_is_not_available",
        "v_rule.target - (v_wallet.balance - v_wallet.locked_balance)",
        "v_rule.target - v_wallet.balance",
    ),
    "frozen-wallets-start": (
        "write_top_ups",
        "only_active_wallets_start_one",
        "a.status = 'active' and ",
        "",
    ),
    "frozen-wallets-start-with-their-rule": (
        "replace_top_up_rule",
        "only_active_wallets_start_one",
        "if v_wallet.status = 'active' then",
        "if true then",
    ),
    "amount-of-the-crossing": (
        "start_top_up",
        "the_amount_is_fixed_when_the_charge_begins",
        "v_amount := coalesce(v_rule.amount, v_rule.target - (v_wallet.balance - v_wallet.locked_balance));",
        "",
    ),
    "amount-changes-later": (
        "start_top_up",
        "the_amount_is_fixed_when_the_charge_begins",
        "if v_before.state <> 'created' then",
        "if v_before.state not in ('created', 'charging') then",
    ),
    "at-the-threshold-not-needed": (
        "start_top_up",
        "the_amount_is_fixed_when_the_charge_begins",
        "p_wallet.locked_balance > p_rule.threshold",
        "p_wallet.locked_balance >= p_rule.threshold",
    ),
    "charged-though-not-needed": (
        "start_top_up",
        "what_is_not_needed_or_allowed_is_cancelled",
        "elsif p_wallet.balance - p_wallet.locked_balance > p_rule.threshold then",
        "elsif false then",
    ),
    "charged-though-deleted": (
        "start_top_up",
        "what_is_not_needed_or_allowed_is_cancelled",
        "if p_rule.is_set is not true then",
        "if false then",
    ),
    "charged-though-frozen": (
        "start_top_up",
        "what_is_not_needed_or_allowed_is_cancelled",
        "when v_wallet.status <> 'active' then",
        "when false then",
    ),
    "more-than-the-key-may": (
        "start_top_up",
        "what_is_not_needed_or_allowed_is_cancelled",
        "when v_amount > wallet.read_amount(p_most) then",
        "when false then",
    ),
    "rights-not-asked": (
        "start_top_up",
        "what_is_not_needed_or_allowed_is_cancelled",
        "perform billing.pause_top_ups(p_rule, 'rights_lost', 'infinity', p_caller);",
        "",
    ),
    "one-charge-more": (
        "find_charge_limit",
        "so_many_charges_in_a_window",
        "v_count >= p_rule.max_charges",
        "v_count > p_rule.max_charges",
    ),
    "requests-count": (
        "find_charge_limit",
        "so_many_charges_in_a_window",
        "and t.trigger = 'rule' ",
        "",
    ),
    "window-too-long": (
        "find_charge_limit",
        "so_many_charges_in_a_window",
        "t.started_at > p_now - v_span",
        "t.started_at >= p_now - v_span",
    ),
    "limit-not-paused": (
        "write_top_ups",
        "so_many_charges_in_a_window",
        "if v_until is not null then",
        "if false then",
    ),
    "all-that-may-be-is-too-much": (
        "find_charge_limit",
        "so_much_in_a_window",
        "v_sum > p_rule.max_amount",
        "v_sum >= p_rule.max_amount",
    ),
    "the-next-amount-forgotten": (
        "find_charge_limit",
        "so_much_in_a_window",
        "v_sum numeric := p_amount;",
        "v_sum numeric := 0;",
    ),
    "never-is-later": (
        "find_charge_limit",
        "so_much_in_a_window",
        "if p_amount > p_rule.max_amount then",
        "if false then",
    ),
    "declines-count-as-charges": (
        "find_charge_limit",
        "declines_pause_longer_each_time",
        "'declined', ",
        "",
    ),
    "one-decline-more": (
        "record_top_up_payment",
        "declines_pause_longer_each_time",
        "v_rule.declines >= v_rule.max_declines",
        "v_rule.declines > v_rule.max_declines",
    ),
    "pause-does-not-grow": (
        "record_top_up_payment",
        "declines_pause_longer_each_time",
        "* 2 ^ (v_rule.declines - 1)",
        "",
    ),
    "declines-never-forgotten": (
        "record_top_up_payment",
        "declines_pause_longer_each_time",
        "set declines = 0 where",
        "set declines = r.declines where",
    ),
    "pause-for-ever": (
        "settle_top_ups",
        "declines_pause_longer_each_time",
        "if v_rule.paused_until <= p_now then",
        "if v_rule.paused_until < p_now then",
    ),
    "pause-not-due": (
        "find_charge_limit",
        "declines_pause_longer_each_time",
        "if p_until < 'infinity' then",
        "if false then",
    ),
    "due-forgotten": (
        "settle_top_ups",
        "a_pause_stays_due_beside_what_else_is_due",
        "p_settlement.accounts[i].due_at := v_rule.paused_until;",
        "null;",
    ),
    "decline-of-an-earlier-rule": (
        "record_top_up_payment",
        "a_decline_of_an_earlier_rule_does_not_count",
        " and r.updated_at <= p_top_up.started_at",
        "",
    ),
    "new-method-not-tried": (
        "record_top_up_payment",
        "a_decline_of_an_earlier_rule_does_not_count",
        "if v_rule.wallet_id is null then\n    perform billing.trigger_if_low(p_top_up.wallet_id);",
        "if v_rule.wallet_id is null then\n    null;",
    ),
    "declined-requests-count": (
        "record_top_up_payment",
        "a_request_counts_for_no_rule",
        "if p_top_up.trigger = 'request' then",
        "if false then",
    ),
    "failed-payments-charge": (
        "record_top_up_payment",
        "a_payment_changes_only_what_follows",
        "when 'failed' then 'declined' when 'refunded'",
        "when 'failed' then 'charged' when 'refunded'",
    ),
    "late-failures-decline": (
        "record_top_up_payment",
        "a_payment_changes_only_what_follows",
        "when p_state = 'charged' and p_status = 'refunded' then 'failed'",
        "when p_state = 'charged' then 'failed'",
    ),
    "late-successes-lost": (
        "record_top_up_payment",
        "a_payment_changes_only_what_follows",
        "when p_state = 'declined' and p_status = 'succeeded' then 'charged'",
        "when false then 'charged'",
    ),
    "created-ones-are-paid": (
        "record_top_up_payment",
        "a_payment_changes_only_what_follows",
        "when p_state in ('charging', 'pending') then",
        "when p_state in ('created', 'charging', 'pending') then",
    ),
    "any-payment": (
        "record_top_up_payment",
        "only_its_own_payment_counts",
        "v_before.payment_id <> p_payment_id or ",
        "",
    ),
    "completed-without-a-deposit": (
        "record_top_up_payment",
        "what_is_completed_is_deposited",
        "where t.transaction_id = v_before.transaction_id and t.leg = 0) then",
        "limit 1) then",
    ),
    "low-and-no-next": (
        "record_top_up_payment",
        "what_is_completed_is_deposited",
        "  perform billing.trigger_if_low(v_after.wallet_id);\n",
        "",
    ),
    "amounts-not-verified": (
        "verify_top_ups",
        "what_is_completed_is_deposited",
        "(s.wallet_id, 'deposit', s.amount, 'external:top_ups')",
        "(s.wallet_id, 'deposit', s.deposited, 'external:top_ups')",
    ),
    "deposits-not-verified": (
        "verify_top_ups",
        "what_is_completed_is_deposited",
        "s.state = 'charged' or (s.entry_wallet_id is not null)",
        "true or (s.entry_wallet_id is not null)",
    ),
    "marks-not-verified": (
        "verify_top_ups",
        "what_is_completed_is_deposited",
        "((p.marks & 16) <> 0) = p.is_set",
        "p.is_set is not null",
    ),
    "the-last-pause-counts": (
        "find_charge_limit",
        "a_shorter_pause_does_not_end_a_longer_one",
        "if p_rule.paused_until >= p_until then",
        "if false then",
    ),
    "failures-go-on": (
        "record_top_up_payment",
        "a_charge_that_is_not_deposited_stops_the_rule",
        "perform billing.pause_top_ups(r, 'failed', 'infinity', p_caller)",
        "perform r",
    ),
    "a-chain-for-each-notice": (
        "record_top_up_payment",
        "a_pending_payment_has_one_job",
        "j.job_id = p_top_up.job_id and j.status = 'queued'",
        "false",
    ),
    "a-job-for-each-repeat": (
        "take_payment_notice",
        "a_message_wakes_one_job",
        "wallet.clock(), p_message_id)",
        "wallet.clock())",
    ),
    "all-are-woken": (
        "take_payment_notice",
        "only_top_ups_without_a_job_are_woken",
        "and j.status in ('queued', 'running')",
        "and j.status = 'running'",
    ),
    "ended-ones-are-woken": (
        "take_payment_notice",
        "only_top_ups_without_a_job_are_woken",
        "t.state in ('created', 'charging', 'pending', 'charged') and",
        "true and",
    ),
    "other-marks-removed": (
        "replace_top_up_rule",
        "marks_of_other_rooms_stay",
        "w.marks & ~16",
        "0",
    ),
    "mark-stays": ("replace_top_up_rule", "marks_of_other_rooms_stay", "w.marks & ~16", "w.marks"),
}
"""By name: the file, the check that must fail, a text of the file, and what stands there instead."""


@pytest.mark.mutants
@pytest.mark.parametrize("name", MUTANTS)
async def test_is_caught(fresh_database: FreshDatabase, name: str) -> None:
    file, caught_by, old, new = MUTANTS[name]
    path = f"billing/top_ups/sql/{file}.sql"
    sql = "\n".join(each.sql for each in read_sql_files(ROOMS).functions if each.file == path)
    assert sql.count(old) == 1, f"{name} no longer applies: {old!r} is there {sql.count(old)} times"
    async with kernel_of_its_own(fresh_database, sql.replace(old, new)) as (kernel, clock):
        with pytest.raises((AssertionError, asyncpg.PostgresError)) as caught:
            async with asyncio.timeout(LONGEST_S):
                await CHECKS[caught_by](kernel, clock)
    # A mutant that can't run at all shows nothing of the check.
    assert str(getattr(caught.value, "sqlstate", ""))[:2] not in {"42", "XX"}, caught.value
