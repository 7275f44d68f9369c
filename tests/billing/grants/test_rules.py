"""Rules of grants that the model does not know: terms, ends by the service, bounds, what is read."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import TestDatabase
from support.api import Api, open_api, pointers, posted, problem
from support.clock import SettableClock
from support.database_location import DatabaseLocation
from support.kernel.harness import Kernel, op, unit

from wallet_service.core.identifiers import new_id

START = datetime(2031, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
async def kernel(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Kernel]:
    await clock.set(START)
    opened = await Kernel.open(timed_postgres.dsn)
    yield opened
    await opened.close()


async def grant(kernel: Kernel, wallet: str, amount: str = "10", **terms: Any) -> dict[str, Any]:
    """A new grant, as the table has it."""
    operation = op("grant", wallet, amount, terms={"source": "promotion"} | terms)
    assert (await kernel.one(operation)).status_or_code == "posted"
    return await row(kernel, operation["transaction_id"])


async def row(kernel: Kernel, grant_id: str) -> dict[str, Any]:
    (found,) = await kernel.rows("select * from billing.grants where grant_id = $1", grant_id)
    return found


async def faults(kernel: Kernel) -> list[Any]:
    return json.loads(await kernel.value("select wallet_api.verify_grants()"))["faults"]


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"source": 5}, "/source"),
        ({"source": None}, "/source"),
        ({"priority": "high"}, "/priority"),
        ({"priority": 1.5}, "/priority"),
        ({"priority": 1001}, "/priority"),
        ({"effective_at": "tomorrow"}, "/effective_at"),
        ({"effective_at": {}}, "/effective_at"),
        ({"expires_at": 12}, "/expires_at"),
        ({"expires_in_s": "60"}, "/expires_in_s"),
        ({"expires_in_s": 10**30}, "/expires_in_s"),
        ({"expires_in_s": 60, "expires_at": "2032-01-01T00:00:00Z"}, "/expires_in_s"),
        ({"notice_s": -1}, "/notice_s"),
        ({"refund_grace_s": True}, "/refund_grace_s"),
        ({"pays": "revenue:usage"}, "/pays"),
        ({"pays": []}, "/pays"),
        ({"pays": [None]}, "/pays"),
        ({"is_transferable": "yes"}, "/is_transferable"),
        ({"unit_cost": "cheap", "cost_currency": "USD"}, "/unit_cost"),
        ({"unit_cost": "0.0000000000000000001", "cost_currency": "USD"}, "/unit_cost"),
        ({"cost_currency": "USD"}, "/cost_currency"),
        ({"unit_cost": "1", "cost_currency": 1}, "/cost_currency"),
        ({"until": "forever"}, "/until"),
        ({"defaults": 5}, "/defaults"),
        ({"defaults": {"notice_s": "x"}}, "/notice_s"),
    ],
)
async def test_terms_of_wrong_types_are_refused(kernel: Kernel, terms: dict[str, Any], pointer: str) -> None:
    wallet = await kernel.wallet()
    operation = op("grant", wallet, "1", terms={"source": "promotion"} | terms)
    outcome = await kernel.one(operation)
    assert outcome.status_or_code == "validation_failed", outcome
    assert outcome.facts["errors"][0]["pointer"] == pointer


async def test_a_key_is_replayed_after_the_defaults_have_changed(timed_location: DatabaseLocation) -> None:
    async with (
        open_api(timed_location) as before,
        open_api(timed_location, grants_notice_s=60, grants_refund_grace_s=7200) as after,
    ):
        await check_replays(before, after)


async def check_replays(before: Api, after: Api) -> None:
    wallet = (await before.admin.wallet(currency="CREDIT"))["wallet_id"]
    path = f"/wallets/{wallet}/grants"
    body = {"amount": "20", "source": "promotion", "expires_in_s": 864_000}
    monthly = {"amount": "5", "source": "plan", "day_of_month": 1}
    first = await before.admin.post(path, body, key="g")
    schedule = await before.admin.post(f"/wallets/{wallet}/grant-schedules", monthly, key="s")

    again = await after.admin.post(path, body, key="g")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    resent = await after.admin.post(f"/wallets/{wallet}/grant-schedules", monthly, key="s")
    assert (resent.content, resent.headers["Idempotency-Replayed"]) == (schedule.content, "true")
    assert (await after.admin.post(path, body)).json()["refund_grace_s"] == 7200
    explicit = await after.admin.post(path, body | {"refund_grace_s": 0}, key="g")
    problem(explicit, "idempotency_key_reused")


async def test_a_wallet_that_is_closed_ends_its_schedules_and_grants(
    timed_api: Api, clock: SettableClock
) -> None:
    await clock.set(START)
    wallet = (await timed_api.admin.wallet(currency="CREDIT"))["wallet_id"]
    later = {"amount": "20", "source": "promotion", "effective_at": "2031-03-01T00:00:00Z"}
    grant_id = (await timed_api.admin.post(f"/wallets/{wallet}/grants", later)).json()["grant_id"]
    monthly = {"amount": "5", "source": "plan", "day_of_month": 1}
    await timed_api.admin.post(f"/wallets/{wallet}/grant-schedules", monthly)
    short = {"amount": "3", "source": "promotion", "expires_in_s": 60}
    await timed_api.admin.post(f"/wallets/{wallet}/grants", short)
    problem(await timed_api.admin.delete(f"/wallets/{wallet}"), "wallet_not_empty")

    # What has expired, and was not looked at, is not in the way.
    await clock.advance(timedelta(minutes=2))
    assert (await timed_api.admin.delete(f"/wallets/{wallet}")).status_code == 200
    await clock.set(datetime(2031, 6, 1, tzinfo=UTC))
    ended = (await timed_api.admin.get(f"/grants/{grant_id}")).json()
    assert (ended["state"], ended["void_reason"], ended["voided"]) == ("voided", "wallet_closed", "20.000000")
    assert (await timed_api.admin.get(f"/wallets/{wallet}/grant-schedules")).json() == {"items": []}
    assert len((await timed_api.admin.get(f"/wallets/{wallet}/grants")).json()["items"]) == 2
    events = (await timed_api.admin.get("/events", wallet_id=wallet, limit=100)).json()["items"]
    kinds = [each["type"] for each in events]
    assert (kinds.count("grant.voided"), kinds.count("grant_schedule.deleted")) == (1, 1)


async def test_what_is_left_of_grants_covers_the_debt_of_a_wallet_that_is_closed(kernel: Kernel) -> None:
    wallet = await kernel.wallet(credit_limit="10")
    assert (await kernel.one(op("consume", wallet, "10"))).status == "posted"
    made = await grant(kernel, wallet, "10")
    await kernel.value("select wallet_api.close_wallet($1, null, null)", wallet)
    closed = await row(kernel, str(made["grant_id"]))
    assert (closed["standing"], closed["void_reason"], closed["overdrawn"]) == ("voided", "wallet_closed", 10)
    assert await kernel.balance(wallet) == 0
    assert await faults(kernel) == []


async def test_a_grant_that_would_exceed_the_highest_balance_is_voided_with_this_reason(
    kernel: Kernel, clock: SettableClock
) -> None:
    wallet = await kernel.wallet()
    made = await grant(kernel, wallet, "10", effective_at="2031-01-11T00:00:00Z")
    assert (await kernel.one(op("deposit", wallet, "99999999999999999995"))).status == "posted"
    await clock.advance(timedelta(days=2))
    found = json.loads(await kernel.value("select wallet_api.get_grant($1)", made["grant_id"]))
    assert (found["state"], found["void_reason"], found["voided"]) == ("voided", "balance_limit", "10.00")
    recorded = await kernel.value(
        "select after ->> 'void_reason' from platform.outbox where object_id = $1 and event_type = 'grant.voided'",
        str(made["grant_id"]),
    )
    assert recorded == "balance_limit"
    assert await faults(kernel) == []


async def test_an_adjustment_takes_from_any_grant(kernel: Kernel) -> None:
    wallet = await kernel.wallet("5")
    made = await grant(kernel, wallet, "10", pays=["revenue:usage:gpt"])
    down = op(
        "adjustment",
        wallet,
        "12",
        direction="debit",
        counter_account="external:adjustments",
        description="a correction",
    )
    assert (await kernel.one(op("consume", wallet, "12"))).code == "grants_not_usable"
    assert (await kernel.one(down)).status_or_code == "posted"
    found = await row(kernel, str(made["grant_id"]))
    assert (found["remaining"], found["used"]) == (0, 10)
    assert await kernel.balance(wallet) == 3
    assert await faults(kernel) == []


async def test_the_service_voids_the_grant_of_a_period_beyond_the_bound(
    kernel: Kernel, clock: SettableClock
) -> None:
    wallet = await kernel.wallet()
    await many_grants(kernel, wallet, 1000)
    full = await kernel.one(op("grant", wallet, "1", terms={"source": "promotion"}))
    assert full.code == "grant_limit"
    await kernel.value(
        "select wallet_api.create_grant_schedule($1, $2, 'tests', null, '00', $3)",
        new_id(),
        wallet,
        json.dumps({"amount": "7", "source": "plan", "day_of_month": 1}),
    )
    await clock.set(datetime(2031, 2, 1, tzinfo=UTC))
    await kernel.value("select wallet_api.settle_due()")
    assert await kernel.balance(wallet) == 1000
    (found,) = await kernel.rows("select * from billing.grants where schedule_id is not null")
    assert (found["standing"], found["void_reason"], found["voided"]) == ("voided", "grant_limit", 7)
    assert await faults(kernel) == []


async def many_grants(kernel: Kernel, wallet: str, count: int) -> None:
    """Grants of 1, by calls of 500."""
    for first in range(0, count, 500):
        size = min(500, count - first)
        outcomes = await kernel.all(
            *(op("grant", wallet, "1", terms={"source": "promotion"}) for _ in range(size))
        )
        assert {each.status_or_code for each in outcomes} == {"posted"}


async def blocks(on: Any, query: str, *parameters: Any) -> int:
    """How many blocks of grants and of their indexes a call reads."""
    count = (
        "select sum(pg_stat_get_xact_blocks_fetched(c.oid)) from pg_class c"
        " where c.relnamespace = 'billing'::regnamespace and c.relname ~ '^grant' and c.relkind in ('r', 'i')"
    )
    async with on.transaction():
        before = await on.fetchval(count)
        await on.fetchval(query, *parameters)
        return int(await on.fetchval(count) - before)


async def test_a_debit_of_a_wallet_with_1000_grants_reads_few_of_them(kernel: Kernel) -> None:
    few, many = await kernel.wallet(), await kernel.wallet()
    await many_grants(kernel, few, 20)
    await many_grants(kernel, many, 1000)
    await kernel.pool.execute("analyze billing.grants")

    def parameter(wallet: str, query: str) -> str:
        return json.dumps([unit(op("consume", wallet, "0.5"))]) if "post" in query else wallet

    async def read(wallet: str, query: str) -> int:
        async with kernel.pool.acquire() as on:
            await on.fetchval(query, parameter(wallet, query))  # plans and caches
            return await blocks(on, query, parameter(wallet, query))

    for query in (
        "select wallet_api.post_transactions($1)",
        "select wallet_api.list_grants($1, p_limit => 20)",
        "select wallet_api.list_grants($1, p_state => 'active', p_limit => 20)",
        "select wallet_api.list_grants($1, p_source => 'promotion', p_limit => 20)",
        "select wallet_api.list_grants($1, p_state => 'voided', p_limit => 20)",
    ):
        assert await read(many, query) <= await read(few, query) + 10, query
    spent = await kernel.one(op("consume", many, "999"))
    assert spent.status == "posted", "all of them pay"
    assert await kernel.value("select sum(remaining) from billing.grants where wallet_id = $1", many) == 0
    assert await faults(kernel) == []


async def test_a_debit_changes_a_grant_without_new_index_entries(kernel: Kernel) -> None:
    wallet = await kernel.wallet()
    await grant(kernel, wallet, "100")
    async with kernel.pool.acquire() as on, on.transaction():
        assert (await kernel.one(op("consume", wallet, "1"), on=on)).status == "posted"
        updated = await on.fetchrow(
            "select pg_stat_get_xact_tuples_updated(c) as all, pg_stat_get_xact_tuples_hot_updated(c) as hot"
            " from (select 'billing.grants'::regclass::oid c) t"
        )
    assert updated is not None
    assert (updated["all"], updated["hot"]) == (1, 1)


async def test_lists_by_state_and_source(timed_api: Api, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = (await timed_api.admin.wallet(currency="CREDIT"))["wallet_id"]
    path = f"/wallets/{wallet}/grants"
    for members in (
        {"source": "purchase", "priority": 0},
        {"source": "promotion", "expires_in_s": 60},
        {"source": "promotion", "expires_in_s": 7200},
        {"source": "plan", "effective_at": "2031-02-01T00:00:00Z"},
        {"source": "plan", "priority": 5},
    ):
        await timed_api.admin.post(path, {"amount": "10"} | members)
    posted(await timed_api.admin.move("consume", wallet, "10"))
    voided = (await timed_api.admin.get(path, source="plan", state="active")).json()["items"][0]
    await timed_api.admin.post(f"/grants/{voided['grant_id']}/void", {})
    await clock.advance(timedelta(hours=1))

    async def states(**query: Any) -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await timed_api.admin.get(path, limit=1, **query, **cursor)).json()
            found += [each["state"] for each in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    assert await states() == ["voided", "scheduled", "active", "expired", "used"]
    for state in ("voided", "scheduled", "active", "expired", "used"):
        assert await states(state=state) == [state]
    assert await states(source="promotion") == ["active", "expired"]
    assert await states(source="promotion", state="expired") == ["expired"]
    assert await states(source="purchase", state="active") == []
    refused = await timed_api.admin.get(path, source="gift")
    assert pointers(problem(refused, "validation_failed")) == ["/source"]


async def test_verify_finds_what_is_wrong(kernel: Kernel) -> None:
    wallet = await kernel.wallet("5")
    made = await grant(kernel, wallet, "10", expires_in_s=3600)
    assert (await kernel.one(op("consume", wallet, "3"))).status == "posted"
    assert await faults(kernel) == []
    for change, undo, check in (
        (
            "remaining = remaining + 1, used = used - 1",
            "remaining = remaining - 1, used = used + 1",
            "grant figures",
        ),
        ("transaction_id = null", f"transaction_id = '{made['transaction_id']}'", "grant postings"),
    ):
        await kernel.pool.execute(f"update billing.grants set {change}")
        assert check in {each["check"] for each in await faults(kernel)}, check
        await kernel.pool.execute(f"update billing.grants set {undo}")
    await kernel.pool.execute("update wallet.wallets set marks = 0")
    assert {each["check"] for each in await faults(kernel)} == {"grant marks"}
    await kernel.pool.execute("update wallet.wallets set marks = 1, due_at = 'infinity'")
    assert {each["check"] for each in await faults(kernel)} == {"grant times"}
    assert Decimal(await kernel.value("select count(*) from billing.grants")) == 1
