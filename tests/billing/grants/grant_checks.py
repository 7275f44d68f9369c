"""What every correct kernel does with grants, one rule each; ``test_grant_mutants.py`` shows what each would catch."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from support.clock import SettableClock
from support.kernel.harness import Kernel, op, refund, transfer, unit

from wallet_service.core.identifiers import new_id

START = datetime(2031, 1, 10, 12, tzinfo=UTC)

Check: TypeAlias = Callable[[Kernel, SettableClock], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function  # type: ignore[attr-defined]  # checks are plain functions
    return function


async def grant(kernel: Kernel, wallet: str, amount: str, **terms: Any) -> str:
    operation = op("grant", wallet, amount, terms={"source": "promotion"} | terms)
    outcome = await kernel.one(operation)
    assert outcome.status_or_code == "posted", outcome
    return operation["transaction_id"]


async def spend(kernel: Kernel, wallet: str, amount: str, **members: Any) -> str:
    return (await kernel.one(op("consume", wallet, amount, **members))).status_or_code


async def left(kernel: Kernel, *grants: str) -> list[Decimal]:
    return [
        await kernel.value("select remaining from billing.grants where grant_id = $1", each)
        for each in grants
    ]


async def settled(kernel: Kernel) -> None:
    await kernel.value("select wallet_api.settle_due()")


async def faults(kernel: Kernel) -> list[Any]:
    walks = ("verify_grants", "verify_grant_schedules", "verify_wallets")
    return [
        each
        for walk in walks
        for each in json.loads(await kernel.value(f"select wallet_api.{walk}()"))["faults"]
    ]


async def schedule(kernel: Kernel, wallet: str, **members: Any) -> str:
    name = new_id()
    given = {"amount": "10", "source": "plan", "day_of_month": 1} | members
    await kernel.value(
        "select wallet_api.create_grant_schedule($1, $2, 'tests', null, '00', $3)",
        name,
        wallet,
        json.dumps(given),
    )
    return name


@check
async def grants_pay_in_their_order(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet("5")
    late = await grant(kernel, wallet, "3", priority=1)
    soon = await grant(kernel, wallet, "3", priority=1, expires_in_s=60)
    first = await grant(kernel, wallet, "3", priority=0)
    assert await spend(kernel, wallet, "4") == "posted"
    assert await left(kernel, first, soon, late) == [0, 2, 3]
    assert await spend(kernel, wallet, "6") == "posted"
    assert await left(kernel, first, soon, late) == [0, 0, 0]
    assert await kernel.balance(wallet) == 4, "what is not granted comes last"
    assert await faults(kernel) == []


@check
async def more_than_the_first_page_pays(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    for _ in range(20):
        await grant(kernel, wallet, "1")
    assert await spend(kernel, wallet, "18.5") == "posted"
    assert await kernel.value(
        "select sum(remaining) from billing.grants where wallet_id = $1", wallet
    ) == Decimal("1.5")
    assert await faults(kernel) == []


@check
async def a_grant_pays_what_it_is_for(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet, other = await kernel.wallet("2"), await kernel.wallet()
    only = await grant(kernel, wallet, "10", pays=["revenue:usage:gpt"])
    free = await grant(kernel, wallet, "1", is_transferable=True)
    assert await spend(kernel, wallet, "4", counter_account="revenue:usage:tts") == "grants_not_usable"
    assert await spend(kernel, wallet, "4", counter_account="revenue:usage:gpt") == "posted"
    assert await left(kernel, only) == [6]
    refused = await kernel.one(transfer(wallet, other, "4"))
    assert refused.code == "grants_not_usable"
    assert (refused.facts["shortfall"], refused.facts["not_usable"]) == ("1.00", "6.00")
    assert (await kernel.one(transfer(wallet, other, "3"))).status == "posted"
    assert await left(kernel, only, free) == [6, 0]
    correction = op(
        "adjustment", wallet, "6", direction="debit", counter_account="external:adjustments", description="x"
    )
    assert (await kernel.one(correction)).status_or_code == "posted"
    assert await faults(kernel) == []


@check
async def a_refund_gives_back_the_last_first(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet("5")
    first = await grant(kernel, wallet, "3", priority=0, expires_in_s=60, refund_grace_s=30)
    second = await grant(kernel, wallet, "3", priority=1)
    debit = op("consume", wallet, "8")
    assert (await kernel.one(debit)).status == "posted"
    assert (await kernel.one(refund(debit, "3"))).status == "posted"
    assert await left(kernel, first, second) == [0, 1], "2 were not granted"
    await clock.advance(timedelta(seconds=61))
    assert (await kernel.one(refund(debit, "4"))).status == "posted"
    assert await left(kernel, first, second) == [0, 3]
    moved = await kernel.value("select remaining from billing.grants where original_grant_id = $1", first)
    assert moved == 2, "of a grant that has ended: a new one"
    assert await faults(kernel) == []
    await clock.advance(timedelta(seconds=31))
    await settled(kernel)
    assert await kernel.balance(wallet) == 8, "the new one ends after its grace"
    assert await faults(kernel) == []


@check
async def the_rest_expires_at_the_moment(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet("1")
    name = await grant(kernel, wallet, "5", expires_in_s=60)
    await clock.advance(timedelta(seconds=60) - timedelta(microseconds=1))
    assert await spend(kernel, wallet, "2") == "posted"
    await clock.advance(timedelta(microseconds=1))
    assert await spend(kernel, wallet, "2") == "insufficient_funds"
    assert await kernel.balance(wallet) == 1
    entry = await kernel.rows(
        "select amount, counter_account from wallet.wallet_transactions where transaction_type = 'grant_expiry'"
        " and wallet_id = $1",
        wallet,
    )
    assert [(each["amount"], each["counter_account"]) for each in entry] == [(3, "breakage")]
    assert await left(kernel, name) == [0]
    assert await faults(kernel) == []


@check
async def what_covers_a_debt_is_not_posted(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet(credit_limit="4")
    assert await spend(kernel, wallet, "4") == "posted"
    name = await grant(kernel, wallet, "5", expires_in_s=60)
    await kernel.pool.execute("update wallet.wallets set credit_limit = 0 where wallet_id = $1", wallet)
    await clock.advance(timedelta(seconds=61))
    await settled(kernel)
    (row,) = await kernel.rows("select expired, overdrawn from billing.grants where grant_id = $1", name)
    assert (row["expired"], row["overdrawn"]) == (1, 4)
    assert await kernel.balance(wallet) == 0
    assert await faults(kernel) == []


@check
async def a_unit_that_is_reverted_takes_nothing(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    name = await grant(kernel, wallet, "5")
    failing = unit(op("consume", wallet, "3"), op("consume", wallet, "9"), atomic=True)
    whole = unit(op("consume", wallet, "1"), op("consume", wallet, "1"))
    outcomes = await kernel.post(failing, whole)
    assert [each.status_or_code for each in outcomes[1]] == ["posted", "posted"]
    assert await left(kernel, name) == [3]
    assert await faults(kernel) == []


@check
async def a_void_takes_back_the_rest_once(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet("1")
    name = await grant(kernel, wallet, "5")
    assert await spend(kernel, wallet, "2") == "posted"
    terms = {"grant_id": name}
    assert (await kernel.one(op("grant_void", wallet, terms=terms))).status_or_code == "posted"
    assert await kernel.balance(wallet) == 1
    assert (await kernel.one(op("grant_void", wallet, terms=terms))).code == "grant_ended"
    (row,) = await kernel.rows(
        "select voided, used, void_reason from billing.grants where grant_id = $1", name
    )
    assert (row["voided"], row["used"], row["void_reason"]) == (3, 2, "request")
    assert await faults(kernel) == []


@check
async def a_later_grant_begins_by_itself(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    name = await grant(
        kernel, wallet, "5", effective_at="2031-01-11T00:00:00Z", expires_at="2031-01-12T00:00:00Z"
    )
    assert await spend(kernel, wallet, "1") == "insufficient_funds"
    await clock.set(datetime(2031, 1, 11, tzinfo=UTC))
    assert await spend(kernel, wallet, "1") == "posted"
    assert await left(kernel, name) == [4]
    assert await faults(kernel) == []


@check
async def each_period_is_granted_once(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    name = await schedule(kernel, wallet, day_of_month=31, time_zone="Europe/Berlin")
    await clock.set(datetime(2031, 4, 15, tzinfo=UTC))
    await settled(kernel)
    await settled(kernel)
    rows = await kernel.rows(
        "select effective_at, expires_at, ended from billing.grants where schedule_id = $1 order by effective_at",
        name,
    )
    begins = [(1, 30, 23), (2, 27, 23), (3, 30, 22)]
    assert [each["effective_at"] for each in rows] == [datetime(2031, *each, tzinfo=UTC) for each in begins]
    assert [each["ended"] for each in rows] == ["expired", "expired", None]
    assert rows[0]["expires_at"] == rows[1]["effective_at"]
    assert await kernel.balance(wallet) == 10
    assert await faults(kernel) == []


@check
async def the_rest_of_a_period_is_carried_once(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet, other, ending = await kernel.wallet(), await kernel.wallet(), await kernel.wallet()
    await schedule(kernel, wallet, rollover="percent", rollover_value="25")
    await schedule(kernel, other, rollover="cap", rollover_value="4")
    await schedule(kernel, ending, rollover="cap", rollover_value="4", ends_at="2031-03-01T00:00:00Z")
    for month, balances in ((2, (10, 10, 10)), (3, (Decimal("12.5"), 14, 0)), (4, (Decimal("12.5"), 14, 0))):
        await clock.set(datetime(2031, month, 1, tzinfo=UTC))
        await settled(kernel)
        assert (
            await kernel.balance(wallet),
            await kernel.balance(other),
            await kernel.balance(ending),
        ) == balances
    assert await faults(kernel) == []


@check
async def a_change_settles_what_was_due_before(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    name = await schedule(kernel, wallet)
    change = "select wallet_api.update_grant_schedule($1, $2, null, $3)"
    await clock.set(datetime(2031, 2, 5, tzinfo=UTC))
    await kernel.value(change, wallet, name, json.dumps({"amount": "99", "ends_at": "2031-02-06T00:00:00Z"}))
    assert await kernel.balance(wallet) == 10
    await clock.set(datetime(2031, 5, 5, tzinfo=UTC))
    await kernel.value(change, wallet, name, json.dumps({"ends_at": None}))
    await settled(kernel)
    assert await kernel.balance(wallet) == 0, "what was missed is not granted"
    await clock.set(datetime(2031, 6, 1, tzinfo=UTC))
    await settled(kernel)
    assert await kernel.balance(wallet) == 99
    assert await faults(kernel) == []


@check
async def a_closed_wallet_has_nothing_to_come(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    await schedule(kernel, wallet)
    later = await grant(kernel, wallet, "5", effective_at="2031-03-01T00:00:00Z")
    await kernel.value("select wallet_api.close_wallet($1, null, null)", wallet)
    (row,) = await kernel.rows("select ended, void_reason from billing.grants where grant_id = $1", later)
    assert (row["ended"], row["void_reason"]) == ("voided", "wallet_closed")
    await clock.set(datetime(2031, 6, 1, tzinfo=UTC))
    await settled(kernel)
    assert await kernel.value("select count(*) from billing.grants where wallet_id = $1", wallet) == 1
    assert (
        await kernel.value("select count(*) from billing.grant_schedules where wallet_id = $1", wallet) == 0
    )
    assert await faults(kernel) == []


@check
async def a_default_is_no_part_of_the_request(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    for grace in (0, 60):
        terms = {"source": "promotion", "defaults": {"refund_grace_s": grace}}
        outcome = await kernel.one(op("grant", wallet, "1", key="k", terms=terms))
        assert outcome.status_or_code == ("posted" if grace == 0 else "replayed")
    given = {"source": "promotion", "refund_grace_s": 60}
    assert (await kernel.one(op("grant", wallet, "1", key="k", terms=given))).code == "idempotency_key_reused"
    assert await kernel.balance(wallet) == 1


@check
async def verify_finds_what_is_wrong(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await kernel.wallet()
    await grant(kernel, wallet, "10")
    assert await spend(kernel, wallet, "3") == "posted"
    assert await faults(kernel) == []
    await kernel.pool.execute("update billing.grants set remaining = remaining + 1, used = used - 1")
    assert [each["check"] for each in await faults(kernel)] == ["grant figures"]
