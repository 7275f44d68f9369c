"""Each rule of usage holds, and each fault put into its functions is caught by the check that is there for it."""

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

from .rate_checks import CHECKS

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


GRADUATED = "graduated_tiers_count_in_the_month_of_the_time_zone"
VOLUME = "volume_tiers_have_the_price_that_is_reached"
VERSIONS = "a_version_prices_the_events_of_its_time"
ROUNDED = "the_amount_is_rounded_once_half_away_from_zero"
ONCE = "an_event_counts_once"
MOMENTS = "moments_are_bounded"

MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "tiers-end-before-their-end": (
        "price_usage",
        VOLUME,
        "p_quantity <= (v_tier ->> 'up_to')",
        "p_quantity < (v_tier ->> 'up_to')",
    ),
    "tiers-not-counted": ("price_usage", GRADUATED, "greatest(p_from, v_begin);", "v_begin;"),
    "flat-again": (
        "price_usage",
        VOLUME,
        "if v_before is distinct from v_tier then\n    v_flat",
        "if true then\n    v_flat",
    ),
    "no-difference": ("price_usage", VOLUME, "if p_volume_pricing = 'difference' then", "if false then"),
    "always-difference": ("price_usage", VOLUME, "if p_volume_pricing = 'difference' then", "if true then"),
    "old-flat-kept": (
        "price_usage",
        VOLUME,
        "coalesce((v_before ->> 'flat_amount')::numeric, 0) else 0 end",
        "0 else 0 end",
    ),
    "all-versions-again": (
        "price_usage",
        VERSIONS,
        "v_again := p_counter.billed * v_unit",
        "v_again := p_from * v_unit",
    ),
    "included-counts": ("price_usage", "each_price_counts_by_itself", "p_before - c_included", "p_before"),
    "packages-not-begun": (
        "price_usage",
        "packages_are_begun",
        "> 0 then 1 else 0 end",
        "> 0 then 0 else 0 end",
    ),
    "packages-of-each-event": (
        "price_usage",
        "packages_are_begun",
        "- billing.count_packages(p_from, v_size)",
        "",
    ),
    "month-in-utc": ("decide_usage", GRADUATED, "at time zone v_card.time_zone", "at time zone 'UTC'"),
    "month-of-posting": (
        "decide_usage",
        GRADUATED,
        "date_trunc('month', v_event.day)",
        "date_trunc('month', p_now)",
    ),
    "all-wallets": (
        "load_counter",
        GRADUATED,
        "from billing.usage_counters c where c.wallet_id = p_event.wallet_id and",
        "from billing.usage_counters c where",
    ),
    "counters-not-kept": ("write_usage", GRADUATED, "n where n.changed", "n where false"),
    "counters-of-all-prices": (
        "load_counter",
        "each_price_counts_by_itself",
        "and c.month = p_month and c.price_dimensions = p_event.price_dimensions);",
        "and c.month = p_month);",
    ),
    "any-price": (
        "decide_usage",
        "each_price_counts_by_itself",
        "if p_dimensions @> (p_prices -> i -> 'dimensions') then",
        "if true then",
    ),
    "newest-version": ("decide_usage", VERSIONS, "and v.effective_at <= v_event.used_at order", "order"),
    "version-after-its-begin": (
        "decide_usage",
        VERSIONS,
        "v.effective_at <= v_event.used_at",
        "v.effective_at < v_event.used_at",
    ),
    "other-versions-not-counted": (
        "load_counter",
        VERSIONS,
        "v_sum := v_sum + v_counter.quantity;",
        "v_sum := case when v_counter.rate_version = p_event.rate_version then v_sum + v_counter.quantity else v_sum end;",
    ),
    "cut-off": ("decide_usage", ROUNDED, "round(v_rated.exact", "trunc(v_rated.exact"),
    "posted-for-nothing": (
        "decide_usage",
        ROUNDED,
        "case when p_event.amount = 0\n    then '{}'::wallet.wallet_transactions[] else",
        "case when false\n    then '{}'::wallet.wallet_transactions[] else",
    ),
    "any-key": (
        "decide_usage",
        ONCE,
        "when p_operation.idempotency_key <> billing.build_usage_key(p_event.source, p_event.event_id)",
        "when false",
    ),
    "balance-not-asked": (
        "decide_usage",
        "what_is_refused_or_reverted_does_not_count",
        "case when p_event.amount <> 0 or v_account.status <> 'active' then wallet.check_movement(v_account, -p_event.amount) end",
        "null",
    ),
    "future-accepted": ("decide_usage", MOMENTS, "p_event.used_at > p_now + c_skew or ", ""),
    "skew-forgotten": (
        "decide_usage",
        MOMENTS,
        "p_event.used_at > p_now + c_skew or ",
        "p_event.used_at > p_now or ",
    ),
    "age-not-bounded": (
        "decide_usage",
        MOMENTS,
        "or p_event.used_at < p_now - make_interval(secs => v_meter.max_age_s) then",
        "then",
    ),
    "after-the-end": (
        "decide_usage",
        MOMENTS,
        "and v_event.used_at < c.ends_at",
        "and v_event.used_at <= c.ends_at",
    ),
    "grants-not-asked": (
        "decide_usage",
        "grants_pay_as_for_a_consume",
        "if p_event.amount > 0 and ((p_step.state).marks & 1) <> 0 then",
        "if false then",
    ),
    "any-amount": (
        "decide_usage",
        "only_within_the_restriction_of_the_key",
        "elsif abs(p_amount) > (p_restriction ->> 'max_amount')::numeric then",
        "elsif false then",
    ),
    "any-account": (
        "decide_usage",
        "only_within_the_restriction_of_the_key",
        "if p_restriction -> 'counter_accounts' is not null and not exists",
        "if false and not exists",
    ),
    "days-not-added": (
        "write_usage",
        ROUNDED,
        "quantity = d.quantity + excluded.quantity",
        "quantity = excluded.quantity",
    ),
    "days-not-verified": (
        "verify_usage",
        "verify_finds_what_is_wrong",
        "where (t.quantity, t.amount, t.events) is distinct from (s.quantity, s.amount, s.events)",
        "where false",
    ),
    "rating-not-verified": (
        "verify_usage",
        "verify_finds_what_is_wrong",
        "and billing.is_rated(p.event, p.document -> 'rating')",
        "",
    ),
}
"""By name: the function's file, the check that must fail, a text of it, and what stands there instead."""


@pytest.mark.mutants
@pytest.mark.parametrize("name", MUTANTS)
async def test_is_caught(fresh_database: FreshDatabase, name: str) -> None:
    file_name, caught_by, old, new = MUTANTS[name]
    found = [file.sql for file in read_sql_files(ROOMS).functions if file.name == file_name]
    (sql,) = found
    assert sql.count(old) == 1, f"{name} no longer applies: {old!r} is there {sql.count(old)} times"
    async with kernel_of_its_own(fresh_database, sql.replace(old, new)) as (kernel, clock):
        with pytest.raises((AssertionError, asyncpg.PostgresError)) as caught:
            async with asyncio.timeout(LONGEST_S):
                await CHECKS[caught_by](kernel, clock)
    # A mutant that can't run at all shows nothing of the check.
    assert str(getattr(caught.value, "sqlstate", ""))[:2] not in {"42", "XX"}, caught.value
