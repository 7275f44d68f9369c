"""Each rule of holds holds, and each fault put into their functions is caught by the check that is there for it."""

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

from . import grant_checks, hold_checks, wallet_checks

CHECKS = {
    name: each
    for module in (hold_checks, grant_checks, wallet_checks)
    for name, each in vars(module).items()
    if name in hold_checks.CHECKS
}

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


@pytest.mark.parametrize("name", CHECKS)
async def test_a_rule_holds(fresh_database: FreshDatabase, name: str) -> None:
    async with kernel_of_its_own(fresh_database) as (kernel, clock):
        await CHECKS[name](kernel, clock)


MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "nothing-is-locked": (
        "change_locked",
        "a_hold_is_captured_in_several_steps",
        "p_account.locked_balance + p_more;",
        "p_account.locked_balance;",
    ),
    "no-mark": (
        "change_locked",
        "an_expired_hold_blocks_nothing_though_nobody_records_it",
        "p_account.marks | 2",
        "p_account.marks",
    ),
    "mark-stays": (
        "change_locked",
        "an_expired_hold_blocks_nothing_though_nobody_records_it",
        "else p_account.marks & ~2",
        "else p_account.marks",
    ),
    "due-without-marks": (
        "change_locked",
        "a_hold_is_captured_in_several_steps",
        "p_account.due_at := 'infinity';",
        "null;",
    ),
    "ends-unseen": (
        "note_hold",
        "an_expired_hold_blocks_nothing_though_nobody_records_it",
        "v_account.due_at := least(v_account.due_at, p_hold.expires_at, p_hold.notice_at);",
        "null;",
    ),
    "notice-unseen": (
        "note_hold",
        "an_expired_hold_blocks_nothing_though_nobody_records_it",
        "p_hold.expires_at, p_hold.notice_at)",
        "p_hold.expires_at)",
    ),
    "holds-of-earlier-operations-forgotten": (
        "read_hold",
        "operations_on_holds_are_idempotent_and_join_units",
        "return v_hold;\n    end if;",
        "null;\n    end if;",
    ),
    "holds-of-any-wallet": (
        "read_hold",
        "a_hold_that_has_ended_does_not_change",
        "h.hold_id = p_hold_id::uuid and h.wallet_id = p_wallet_id",
        "h.hold_id = p_hold_id::uuid",
    ),
    "anybody-changes": (
        "refuse_change",
        "a_user_changes_only_holds_of_its_own_token",
        "p_operation.acting_user_id is not null and",
        "false and",
    ),
    "ended-holds-change": (
        "refuse_change",
        "a_hold_that_has_ended_does_not_change",
        "when billing.find_hold_state(p_hold, p_now) <> 'open'",
        "when false",
    ),
    "frozen-wallets-keep-more": (
        "keep_more",
        "a_frozen_wallet_keeps_its_holds",
        "wallet.check_movement(v_account, -p_amount)",
        "case when v_account.status <> 'frozen' then wallet.check_movement(v_account, -p_amount) end",
    ),
    "users-capture-of-frozen-wallets": (
        "refuse_capture",
        "a_frozen_wallet_keeps_its_holds",
        "p_account.status = 'frozen' and",
        "false and",
    ),
    "overage-of-frozen-wallets": (
        "find_takeable",
        "a_frozen_wallet_keeps_its_holds",
        "v_account.status = 'frozen'",
        "false",
    ),
    "overage-is-never-refused": (
        "refuse_capture",
        "what_is_above_the_hold_is_taken_as_the_capture_says",
        "when p_wanted > p_rest and v_overage = 'refuse'",
        "when false",
    ),
    "available-with-the-credit-limit": (
        "find_takeable",
        "what_is_above_the_hold_is_taken_as_the_capture_says",
        "case p_overage when 'allow_to_limit' then v_account.credit_limit else 0 end",
        "v_account.credit_limit",
    ),
    "never-the-credit-limit": (
        "find_takeable",
        "what_is_above_the_hold_is_taken_as_the_capture_says",
        "case p_overage when 'allow_to_limit' then v_account.credit_limit else 0 end",
        "0",
    ),
    "of-other-holds": (
        "find_takeable",
        "what_is_above_the_hold_is_taken_as_the_capture_says",
        "v_account.balance - v_account.locked_balance",
        "v_account.balance",
    ),
    "overage-of-grants-that-can-not-pay": (
        "find_takeable",
        "a_hold_reserves_grants_that_can_pay_it",
        "v_usable := v_usable - billing.sum_blocked",
        "v_usable := v_usable - 0 * billing.sum_blocked",
    ),
    "never-final": (
        "decide_hold_capture",
        "a_hold_is_captured_in_several_steps",
        "coalesce((p_operation.terms ->> 'final')::boolean, false) is not true",
        "true",
    ),
    "parts-stay-reserved": (
        "decide_hold_capture",
        "reserved_grants_stay_good_for_their_hold",
        "v_hold := billing.drop_parts(v_hold, v_parts);",
        "",
    ),
    "any-part-pays": (
        "pick_reserved",
        "a_hold_reserves_grants_that_can_pay_it",
        "if p_counter_account = p_hold.counter_account or",
        "if true or",
    ),
    "only-parts-that-last-pay": (
        "pick_reserved",
        "reserved_grants_stay_good_for_their_hold",
        "if p_counter_account = p_hold.counter_account or v_spends and",
        "if v_grant.expires_at > wallet.clock() and (p_counter_account = p_hold.counter_account or v_spends) and",
    ),
    "not-of-the-hold": (
        "decide_hold_capture",
        "a_hold_is_captured_in_several_steps",
        "v_op.metadata || jsonb_build_object('hold_id', v_hold.hold_id)",
        "v_op.metadata",
    ),
    "overage-not-in-order": (
        "take_captured",
        "a_refund_gives_back_to_the_grants_and_the_hold_stays_captured",
        "p_within + p_beyond - billing.sum_parts(p_parts));",
        "p_beyond);",
    ),
    "overage-of-no-grants": (
        "take_captured",
        "a_refund_gives_back_to_the_grants_and_the_hold_stays_captured",
        "v_index is null or p_beyond = 0",
        "true",
    ),
    "released-parts-stay-reserved": (
        "end_hold",
        "released_parts_of_ended_grants_expire_at_once",
        "p_step := billing.release_reserved(p_step, p_hold.wallet_id, billing.list_hold_parts(p_hold), p_now);",
        "",
    ),
    "released-parts-are-not-due": (
        "release_reserved",
        "released_parts_of_ended_grants_expire_at_once",
        "p_step := billing.mark_due(p_step, p_wallet_id, p_now);",
        "",
    ),
    "every-hold-spends": (
        "reserve_grants",
        "a_hold_reserves_grants_that_can_pay_it",
        "v_spends constant boolean := billing.is_spent_on(p_counter_account);",
        "v_spends constant boolean := true;",
    ),
    "grants-that-can-not-pay-are-usable": (
        "reserve_grants",
        "a_hold_reserves_grants_that_can_pay_it",
        "if v_held.is_restricted or not v_spends then",
        "if false then",
    ),
    "increases-forget": (
        "keep_more",
        "an_increase_reserves_more_of_the_same_grants",
        "coalesce(p_hold.grant_amounts[v_place], 0) + v_part.amount",
        "v_part.amount",
    ),
    "ends-in-the-past": (
        "find_end_fault",
        "the_end_of_a_hold_is_bounded",
        "when p_end <= p_after",
        "when false",
    ),
    "no-longest": (
        "find_end_fault",
        "the_end_of_a_hold_is_bounded",
        "when p_end > p_created_at + make_interval(secs => v_longest)",
        "when false",
    ),
    "longest-from-now": (
        "decide_hold_extend",
        "the_end_of_a_hold_is_bounded",
        "v_hold.expires_at, v_hold.created_at, v_before.expires_at",
        "v_hold.expires_at, v_at, v_before.expires_at",
    ),
    "extended-to-before": (
        "decide_hold_extend",
        "the_end_of_a_hold_is_bounded",
        "v_hold.expires_at, v_hold.created_at, v_before.expires_at",
        "v_hold.expires_at, v_hold.created_at, v_at",
    ),
    "one-more-hold": (
        "refuse_hold",
        "open_holds_are_counted",
        ">= v_most then",
        "> v_most then",
    ),
    "holds-of-the-call-not-counted": (
        "count_open",
        "open_holds_are_counted",
        "if p_state.holds is not null then",
        "if false then",
    ),
    "voided-holds-counted": (
        "count_open",
        "open_holds_are_counted",
        "- count(o.hold_id)",
        "",
    ),
    "the-last-moment": (
        "settle_holds",
        "an_expired_hold_blocks_nothing_though_nobody_records_it",
        "exit when v_due.at is null or v_due.at > p_now;",
        "exit when v_due.at is null or v_due.at >= p_now;",
    ),
    "expiry-keeps-reserving": (
        "expire_hold",
        "released_parts_of_ended_grants_expire_at_once",
        "set reserved = g.reserved - p.amount",
        "set reserved = g.reserved",
    ),
    "expiry-stays-locked": (
        "expire_hold",
        "an_expired_hold_blocks_nothing_though_nobody_records_it",
        "return billing.change_locked(p_account, -v_rest);",
        "return p_account;",
    ),
    "late-notice": (
        "notice_hold",
        "an_expired_hold_blocks_nothing_though_nobody_records_it",
        "if v_hold.expires_at > p_now then",
        "if true then",
    ),
    "holds-before-grants": (
        "settle_holds",
        "the_same_happens_whether_somebody_settles_in_time",
        "if (v_account.marks & 1) <> 0 then",
        "if false then",
    ),
    "closed-without-settling": (
        "lock_wallet",
        "a_wallet_with_open_holds_stays_open",
        "if v_wallet.due_at < 'infinity' and",
        "if false and",
    ),
    "due-without-marks-stays": (
        "settle_wallets",
        "a_moment_at_which_nothing_is_due_any_more_passes",
        "if v_marks = 0 then",
        "if false then",
    ),
    "captures-not-verified": (
        "verify_holds",
        "verify_finds_faults_of_holds",
        "s.captures = s.posted",
        "true",
    ),
    "locked-not-verified": (
        "verify_locked",
        "verify_finds_faults_of_holds",
        "('locked balance', s.locked_balance = s.kept)",
        "('locked balance', true)",
    ),
    "reserved-not-verified": (
        "verify_locked",
        "verify_finds_faults_of_holds",
        "where g.reserved is distinct from r.amount",
        "where false",
    ),
}
"""By name: the function, the check that must fail, a text of the function, and what stands there instead."""


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
