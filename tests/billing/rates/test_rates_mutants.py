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
TOGETHER = "events_of_one_call_count_by_themselves"
LOADED = "what_was_counted_before_is_found_in_a_call"

MUTANTS: dict[str, tuple[str, str, str, str]] = {
    "tiers-end-before-their-end": (
        "find_tier",
        VOLUME,
        "p_quantity <= (v_tier ->> 'up_to')",
        "p_quantity < (v_tier ->> 'up_to')",
    ),
    "tiers-not-counted": ("price_graduated", GRADUATED, "greatest(p_from, v_begin);", "v_begin;"),
    "flat-again": (
        "price_volume",
        VOLUME,
        "if v_before is distinct from v_tier then\n    v_flat",
        "if true then\n    v_flat",
    ),
    "no-difference": ("price_volume", VOLUME, "if p_volume_pricing = 'difference' then", "if false then"),
    "always-difference": ("price_volume", VOLUME, "if p_volume_pricing = 'difference' then", "if true then"),
    "old-flat-kept": (
        "price_volume",
        VOLUME,
        "coalesce((v_before ->> 'flat_amount')::numeric, 0) else 0 end",
        "0 else 0 end",
    ),
    "all-versions-again": (
        "price_volume",
        VERSIONS,
        "v_again := p_counter.billed * v_unit",
        "v_again := p_from * v_unit",
    ),
    "included-counts": ("price_usage", "each_price_counts_by_itself", "p_before - c_included", "p_before"),
    "packages-not-begun": (
        "count_packages",
        "packages_are_begun",
        "> 0 then 1 else 0 end",
        "> 0 then 0 else 0 end",
    ),
    "packages-of-each-event": (
        "price_packages",
        "packages_are_begun",
        "- billing.count_packages(p_from, v_size)",
        "",
    ),
    "month-in-utc": ("decide_usage", GRADUATED, "at time zone v_rate.time_zone", "at time zone 'UTC'"),
    "month-of-posting": (
        "decide_usage",
        GRADUATED,
        "date_trunc('month', v_event.day)",
        "date_trunc('month', p_now)",
    ),
    "one-counter-of-all-wallets": ("name_counter", TOGETHER, "p_wallet_id || ' ' || ", ""),
    "loaded-of-all-wallets": (
        "load_counter",
        LOADED,
        "c.wallet_id = p_event.wallet_id and ",
        "",
    ),
    "counters-not-kept": ("write_usage", GRADUATED, "n where n.changed", "n where false"),
    "one-counter-of-all-prices": ("name_counter", TOGETHER, " || p_price_dimensions", ""),
    "loaded-of-all-prices": (
        "load_counter",
        "each_price_counts_by_itself",
        " and c.price_dimensions = p_event.price_dimensions",
        "",
    ),
    "one-counter-of-all-months": ("name_counter", LOADED, " || p_month", ""),
    "loaded-of-all-months": ("load_counter", GRADUATED, "c.month = p_month", "true"),
    "not-counted-in-the-call": (
        "decide_usage",
        TOGETHER,
        "v_total.quantity := v_before + v_event.quantity;",
        "v_total.quantity := v_before;",
    ),
    "any-price": (
        "find_price",
        "each_price_counts_by_itself",
        "if p_dimensions @> (p_prices -> i -> 'dimensions') then",
        "if true then",
    ),
    "newest-version": ("find_usage_rate", VERSIONS, "and v.effective_at <= p_at order", "order"),
    "version-after-its-begin": (
        "find_usage_rate",
        VERSIONS,
        "v.effective_at <= p_at",
        "v.effective_at < p_at",
    ),
    "other-versions-not-counted": (
        "load_counter",
        VERSIONS,
        "v_sum := v_sum + v_counter.quantity;",
        "v_sum := v_sum + case when v_counter.rate_version = p_event.rate_version then v_counter.quantity else 0 end;",
    ),
    "cut-off": ("decide_usage", ROUNDED, "round(v_rated.exact", "trunc(v_rated.exact"),
    "posted-for-nothing": (
        "post_usage",
        ROUNDED,
        "case when p_event.amount = 0\n    then '{}'::wallet.wallet_transactions[] else",
        "case when false\n    then '{}'::wallet.wallet_transactions[] else",
    ),
    "any-key": (
        "refuse_usage",
        ONCE,
        "when p_operation.idempotency_key <> billing",
        "when false and p_operation.idempotency_key <> billing",
    ),
    "balance-not-asked": (
        "post_usage",
        "what_is_refused_or_reverted_does_not_count",
        "case when p_event.amount <> 0 then",
        "case when false then",
    ),
    "future-accepted": ("refuse_usage", MOMENTS, "p_event.used_at > p_now + c_skew or ", ""),
    "skew-forgotten": (
        "refuse_usage",
        MOMENTS,
        "p_event.used_at > p_now + c_skew or ",
        "p_event.used_at > p_now or ",
    ),
    "age-not-bounded": (
        "refuse_usage",
        MOMENTS,
        "or p_event.used_at < p_now - make_interval(secs => p_rate.max_age_s) then",
        "then",
    ),
    "after-the-end": (
        "find_usage_rate",
        MOMENTS,
        "and p_at < c.ends_at",
        "and p_at <= c.ends_at",
    ),
    "grants-not-asked": (
        "post_usage",
        "grants_pay_as_for_a_consume",
        "if p_event.amount > 0 and ((p_step.state).marks & 1) <> 0 then",
        "if false then",
    ),
    "any-amount": (
        "refuse_restricted",
        "only_within_the_restriction_of_the_key",
        "elsif abs(p_amount) > (p_restriction ->> 'max_amount')::numeric then",
        "elsif false then",
    ),
    "any-account": (
        "refuse_restricted",
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
        "verify_usage_days",
        "verify_finds_what_is_wrong",
        "where (t.quantity, t.amount, t.events) is distinct",
        "where false and (t.quantity, t.amount, t.events) is distinct",
    ),
    "rating-not-verified": (
        "verify_usage",
        "verify_finds_what_is_wrong",
        "and billing.is_rated(p.event, p.document -> 'rating')",
        "",
    ),
}
"""By name: the function, the check that must fail, a text of it, and what stands there instead."""


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
