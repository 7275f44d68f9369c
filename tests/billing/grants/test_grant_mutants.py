"""Each rule of grants holds, and each fault put into their functions is caught by the check that is there for it."""

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

from .grant_checks import CHECKS

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
    "by-age-only": (
        "read_grants",
        "grants_pay_in_their_order",
        "order by g.priority, g.expires_at, g.effective_at, g.grant_id limit",
        "order by g.grant_id limit",
    ),
    "what-is-not-granted-first": (
        "pick_grants",
        "grants_pay_in_their_order",
        "v_part := least(v_grant.remaining - v_grant.reserved, p_amount);\n    if v_part > 0",
        "v_part := 0;\n    if v_part > 0",
    ),
    "only-the-first-page": (
        "take_from_grants",
        "more_than_the_first_page_pays",
        "if v_held.has_more and ",
        "if false and ",
    ),
    "pays-anything": (
        "can_pay",
        "a_grant_pays_what_it_is_for",
        "p_grant.pays is null or ",
        "true or ",
    ),
    "transfers-take-all": (
        "can_pay",
        "a_grant_pays_what_it_is_for",
        "else p_grant.is_transferable end",
        "else true end",
    ),
    "blocked-not-refused": (
        "refuse_blocked",
        "a_grant_pays_what_it_is_for",
        "if p_blocked > 0 and ",
        "if false and ",
    ),
    "adjustments-refused": (
        "take_from_grants",
        "a_grant_pays_what_it_is_for",
        "when p_operation.form = 'adjustment' then '*'",
        "when false then '*'",
    ),
    "used-is-not-used-up": (
        "use_parts",
        "grants_pay_in_their_order",
        "v_grant.remaining := v_grant.remaining - v_part.amount;",
        "",
    ),
    "refund-first-to-the-first": (
        "return_to_grants",
        "a_refund_gives_back_the_last_first",
        "for i in reverse coalesce(cardinality(v_state.grant_uses), 0) .. 1 loop",
        "for i in 1 .. coalesce(cardinality(v_state.grant_uses), 0) loop",
    ),
    "ungranted-not-returned": (
        "return_to_grants",
        "a_refund_gives_back_the_last_first",
        "v_part := least(v_rest, v_use.rest - v_use.rest_returned);",
        "v_part := 0;",
    ),
    "back-to-what-has-ended": (
        "return_part",
        "a_refund_gives_back_the_last_first",
        "(v_grant.ended is not null or v_grant.expires_at <= p_now)",
        "false",
    ),
    "no-grace": (
        "move_to_new_grant",
        "a_refund_gives_back_the_last_first",
        "p_entry.created_at + make_interval(secs => v_new.refund_grace_s)",
        "p_entry.created_at + interval '10 years'",
    ),
    "expires-late": (
        "settle_grants_until",
        "the_rest_expires_at_the_moment",
        "v_due.at > p_until",
        "v_due.at >= p_until",
    ),
    "never-due": (
        "decide_grant",
        "the_rest_expires_at_the_moment",
        "v_account.due_at := least(v_account.due_at, v_grant.notice_at,",
        "v_account.due_at := greatest('infinity', v_grant.notice_at,",
    ),
    "to-another-account": (
        "expire_grant",
        "the_rest_expires_at_the_moment",
        "-v_posted, 'breakage',",
        "-v_posted, 'promotions',",
    ),
    "debt-posted": (
        "expire_grant",
        "what_covers_a_debt_is_not_posted",
        "least(v_free - v_carried, greatest(0, v_account.balance - v_account.locked_balance + v_account.credit_limit))",
        "v_free - v_carried",
    ),
    "voids-all": (
        "decide_grant_void",
        "a_void_takes_back_the_rest_once",
        "v_row.ended := 'voided';\n",
        "",
    ),
    "begins-at-once": (
        "decide_grant",
        "a_later_grant_begins_by_itself",
        "if v_grant.effective_at <= p_now then",
        "if true then",
    ),
    "start-not-due": (
        "decide_grant",
        "a_later_grant_begins_by_itself",
        "case when v_grant.transaction_id is null then v_grant.effective_at else v_grant.expires_at end",
        "v_grant.expires_at",
    ),
    "period-stays-due": (
        "find_next_period",
        "each_period_is_granted_once",
        "exit when v_at > p_after;",
        "exit when v_at > p_after + interval '1 month';",
    ),
    "day-of-the-next-month": (
        "find_next_period",
        "each_period_is_granted_once",
        "least(p_schedule.day_of_month,\n      extract(day from v_month + interval '1 month - 1 day')::integer)",
        "p_schedule.day_of_month",
    ),
    "midnight-of-utc": (
        "find_next_period",
        "each_period_is_granted_once",
        "- 1), p_schedule.time_zone);",
        "- 1), 'UTC');",
    ),
    "no-end-of-a-period": (
        "create_period_grant",
        "each_period_is_granted_once",
        "case v_schedule.rollover when 'all' then 'infinity' else v_next end",
        "'infinity'",
    ),
    "carried-again": (
        "find_carried",
        "the_rest_of_a_period_is_carried_once",
        "p_grant.carried_from is not null or ",
        "",
    ),
    "no-cap": (
        "find_carried",
        "the_rest_of_a_period_is_carried_once",
        "least(v_free, v_schedule.rollover_value)",
        "v_free",
    ),
    "percent-of-the-amount": (
        "find_carried",
        "the_rest_of_a_period_is_carried_once",
        "round(v_free * v_schedule.rollover_value / 100, p_exponent)",
        "round(v_free * v_schedule.rollover_value / 1000, p_exponent)",
    ),
    "carried-past-the-end": (
        "find_carried",
        "the_rest_of_a_period_is_carried_once",
        "if p_grant.expires_at >= v_schedule.ends_at then",
        "if false then",
    ),
    "changed-before-it-is-granted": (
        "lock_wallet",
        "a_change_settles_what_was_due_before",
        "if v_wallet.due_at < 'infinity' and",
        "if false and",
    ),
    "missed-periods-granted": (
        "change_schedule",
        "a_change_settles_what_was_due_before",
        "greatest(p_old.next_at, v_new.next_at)",
        "p_old.next_at",
    ),
    "closed-not-settled": (
        "close_wallet",
        "a_closed_wallet_has_nothing_to_come",
        "due_at = case when w.marks > 0 then '-infinity' else w.due_at end",
        "due_at = w.due_at",
    ),
    "schedule-of-a-closed-wallet": (
        "close_grants",
        "a_closed_wallet_has_nothing_to_come",
        "delete from billing.grant_schedules s where s.wallet_id = v_account.wallet_id returning *",
        "delete from billing.grant_schedules s where false returning *",
    ),
    "defaults-in-the-hash": (
        "read_operation",
        "a_default_is_no_part_of_the_request",
        "p_operation := p_operation #- '{terms,defaults}';",
        "null;",
    ),
    "uses-not-verified": (
        "verify_grants",
        "verify_finds_what_is_wrong",
        "('grant figures', billing.adds_up(p.row))",
        "('grant figures', true)",
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
