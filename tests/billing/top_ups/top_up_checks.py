"""What every correct database does with top-ups, one rule each; ``test_top_up_mutants.py`` shows what each catches."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from support.clock import SettableClock
from support.kernel.harness import Kernel, error_of, op

NOON = datetime(2031, 6, 2, 12, tzinfo=UTC)
RULE = {
    "threshold": "20",
    "target": "100",
    "payment_method": "pm-1",
    "max_charges": 5,
    "window_s": 3600,
    "max_declines": 3,
    "backoff_s": 100,
}

ORDER = "select object_id from platform.audit_entries where action = 'top_up.created' order by sequence"
"""Top-ups as they were created: while the clock stands still, their ids have no order."""

Check: TypeAlias = Callable[[Kernel, SettableClock], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function  # type: ignore[attr-defined]  # checks are plain functions
    return function


def in_order(found: list[dict[str, Any]], created: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Top-ups, the oldest first."""
    places = {each["object_id"]: place for place, each in enumerate(created)}
    return sorted(found, key=lambda each: places[each["top_up_id"]])


async def set_rule(kernel: Kernel, wallet: str, **members: Any) -> dict[str, Any]:
    rule = {name: value for name, value in (RULE | members).items() if value is not None}
    creator = '{"client_id": "admin"}'
    query = "select wallet_api.replace_top_up_rule($1, null, $2, $3)"
    return json.loads(await kernel.value(query, wallet, json.dumps(rule), creator))


async def rule_of(kernel: Kernel, wallet: str) -> dict[str, Any]:
    return json.loads(await kernel.value("select wallet_api.get_top_up_rule($1)", wallet))


async def request(kernel: Kernel, wallet: str, amount: str = "50") -> str:
    query = (
        "select wallet_api.request_top_up(wallet.new_id(), 'tests', null, '00', $1, $2, 'pm-1', null, '{}',"
        """ '{"client_id": "admin"}')"""
    )
    return json.loads(await kernel.value(query, wallet, amount))["top_up"]["top_up_id"]


async def spend(kernel: Kernel, wallet: str, amount: str, kind: str = "consume") -> None:
    assert (await kernel.one(op(kind, wallet, amount))).status_or_code == "posted"


async def top_ups(kernel: Kernel, wallet: str) -> list[dict[str, Any]]:
    """The top-ups of a wallet, the oldest first."""
    text: str = await kernel.value("select wallet_api.list_top_ups($1)", wallet)
    return in_order(json.loads(text.rpartition("\n")[0]), await kernel.rows(ORDER))


async def states(kernel: Kernel, wallet: str) -> list[str]:
    return [each["state"] for each in await top_ups(kernel, wallet)]


async def newest(kernel: Kernel, wallet: str) -> str:
    return (await top_ups(kernel, wallet))[-1]["top_up_id"]


async def start(kernel: Kernel, top_up: str, refusal: str | None = None, most: str | None = None) -> str:
    return json.loads(await kernel.value("select wallet_api.start_top_up($1, $2, $3)", top_up, refusal, most))


async def pay(kernel: Kernel, top_up: str, status: str, payment: str | None = None) -> str:
    query = "select wallet_api.record_top_up_payment($1, $2, $3)"
    return json.loads(await kernel.value(query, top_up, payment or f"p-{top_up}", status))


async def deposit(kernel: Kernel, top_up: str) -> str:
    """Post the deposit as the job does, and record it."""
    step = json.loads(await kernel.value("select wallet_api.next_top_up_step($1)", top_up))
    assert step["step"] == "deposit"
    operation = op(
        "deposit", step["top_up"]["wallet_id"], step["top_up"]["amount"], counter_account="external:top_ups"
    )
    outcome = await kernel.one(operation | {"transaction_id": step["transaction_id"]})
    assert outcome.status_or_code == "posted"
    return json.loads(await kernel.value("select wallet_api.complete_top_up($1)", top_up))


async def charge(kernel: Kernel, wallet: str) -> None:
    """The newest top-up of a wallet, to its end."""
    top_up = await newest(kernel, wallet)
    assert await start(kernel, top_up) == "charging"
    assert await pay(kernel, top_up, "succeeded") == "charged"
    assert await deposit(kernel, top_up) == "completed"


async def decline(kernel: Kernel, wallet: str) -> dict[str, Any]:
    """Decline the newest top-up of a wallet; its rule afterwards."""
    top_up = await newest(kernel, wallet)
    assert await start(kernel, top_up) == "charging"
    assert await pay(kernel, top_up, "failed") == "declined"
    return await rule_of(kernel, wallet)


async def faults(kernel: Kernel) -> list[str]:
    found = [
        fault["check"]
        for name in ("verify_top_ups", "verify_top_up_rules")
        for fault in json.loads(await kernel.value(f"select wallet_api.{name}()"))["faults"]
    ]
    return sorted(set(found))


async def jobs(kernel: Kernel, status: str = "queued") -> int:
    query = "select count(*) from platform.jobs where type = 'advance_top_up' and status = $1"
    return await kernel.value(query, status)


@check
async def at_the_threshold_one_starts(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await set_rule(kernel, wallet)
    await spend(kernel, wallet, "79.99")
    assert await states(kernel, wallet) == []
    await spend(kernel, wallet, "0.01")
    assert await states(kernel, wallet) == ["created"]
    await spend(kernel, wallet, "5")
    assert await states(kernel, wallet) == ["created"]
    top_up = await newest(kernel, wallet)
    await start(kernel, top_up)
    await pay(kernel, top_up, "succeeded")
    await spend(kernel, wallet, "1")
    assert await states(kernel, wallet) == ["charged"], "its deposit follows"
    await deposit(kernel, top_up)
    assert await kernel.balance(wallet) == 99
    assert await states(kernel, wallet) == ["completed"]
    assert await faults(kernel) == []


@check
async def what_holds_lock_is_not_available(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100", locked="70", credit_limit="1000")
    await set_rule(kernel, wallet)
    await spend(kernel, wallet, "9.99")
    assert await states(kernel, wallet) == []
    await spend(kernel, wallet, "0.01")
    assert [each["amount"] for each in await top_ups(kernel, wallet)] == ["80.00"]
    await start(kernel, await newest(kernel, wallet))
    assert (await top_ups(kernel, wallet))[0]["amount"] == "80.00"


@check
async def only_active_wallets_start_one(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await set_rule(kernel, wallet)
    await kernel.pool.execute(
        "update wallet.wallets set status = 'frozen', balance = 1, credit_limit = 0 where wallet_id = $1",
        wallet,
    )
    await spend(kernel, wallet, "1", "deposit")
    assert await states(kernel, wallet) == []
    await set_rule(kernel, wallet)
    assert await states(kernel, wallet) == []


@check
async def the_amount_is_fixed_when_the_charge_begins(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await set_rule(kernel, wallet)
    await spend(kernel, wallet, "90")
    first = await newest(kernel, wallet)
    await spend(kernel, wallet, "5")
    await spend(kernel, wallet, "15", "deposit")
    assert await start(kernel, first) == "charging", "at the threshold"
    assert (await top_ups(kernel, wallet))[0]["amount"] == "80.00"
    await spend(kernel, wallet, "5")
    assert await start(kernel, first) == "charging"
    assert (await top_ups(kernel, wallet))[0]["amount"] == "80.00", "never again"


@check
async def what_is_not_needed_or_allowed_is_cancelled(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    refusal = '{"code": "forbidden", "detail": "x"}'
    for case in ("not_needed", "wallet_frozen", "rule_deleted", "forbidden", "most"):
        wallet = await kernel.wallet("100")
        await set_rule(kernel, wallet)
        await spend(kernel, wallet, "90")
        top_up = await newest(kernel, wallet)
        if case == "not_needed":
            await spend(kernel, wallet, "10.01", "deposit")
        elif case == "wallet_frozen":
            await kernel.pool.execute(
                "update wallet.wallets set status = 'frozen' where wallet_id = $1", wallet
            )
        elif case == "rule_deleted":
            await kernel.value("select wallet_api.delete_top_up_rule($1, null)", wallet)
        refused = refusal if case == "forbidden" else None
        assert await start(kernel, top_up, refused, "89.99" if case == "most" else "90") == "cancelled"
        (cancelled,) = await top_ups(kernel, wallet)
        assert cancelled["failure"]["code"] == ("forbidden" if case == "most" else case)
        if case == "forbidden":
            assert (await rule_of(kernel, wallet))["pause_reason"] == "rights_lost"


@check
async def so_many_charges_in_a_window(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("20")
    await set_rule(kernel, wallet, target=None, amount="10", max_charges=2)
    await charge(kernel, wallet)
    await clock.set(NOON + timedelta(minutes=10))
    await spend(kernel, wallet, "10")
    await charge(kernel, wallet)
    requested = await request(kernel, wallet)
    await start(kernel, requested)
    await pay(kernel, requested, "succeeded")
    await deposit(kernel, requested)
    await clock.set(NOON + timedelta(minutes=20))
    await spend(kernel, wallet, "60")
    rule = await rule_of(kernel, wallet)
    assert (rule["pause_reason"], rule["resumes_at"]) == ("charge_limit", "2031-06-02T13:00:00.000000Z")
    await clock.set(NOON + timedelta(minutes=60))
    assert (await rule_of(kernel, wallet))["state"] == "active"
    assert await states(kernel, wallet) == ["completed"] * 3 + ["created"]
    await charge(kernel, wallet)
    assert await faults(kernel) == []


@check
async def so_much_in_a_window(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("20")
    await set_rule(kernel, wallet, target=None, amount="10", max_amount="30")
    for minutes in (0, 10, 20):
        await clock.set(NOON + timedelta(minutes=minutes))
        if minutes:
            await spend(kernel, wallet, "10")
        await charge(kernel, wallet)
    await clock.set(NOON + timedelta(minutes=30))
    await spend(kernel, wallet, "10")
    assert (await rule_of(kernel, wallet))["resumes_at"] == "2031-06-02T13:00:00.000000Z"
    assert await states(kernel, wallet) == ["completed"] * 3, "30 in all is as much as may be"
    await set_rule(kernel, wallet, target=None, amount="25", max_amount="30")
    assert (await rule_of(kernel, wallet))["resumes_at"] == "2031-06-02T13:20:00.000000Z"
    await kernel.pool.execute("update wallet.wallets set credit_limit = 1000 where wallet_id = $1", wallet)
    await clock.set(NOON + timedelta(days=1))
    await rule_of(kernel, wallet)
    await charge(kernel, wallet)
    await set_rule(kernel, wallet, max_amount="80")
    await spend(kernel, wallet, "500")
    rule = await rule_of(kernel, wallet)
    assert (rule["pause_reason"], rule["resumes_at"]) == ("charge_limit", None), "more than may ever be"


@check
async def declines_pause_longer_each_time(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await set_rule(kernel, wallet, max_charges=1)
    assert (await decline(kernel, wallet))["resumes_at"] == "2031-06-02T12:01:40.000000Z"
    await spend(kernel, wallet, "1")
    await clock.set(NOON + timedelta(seconds=100, microseconds=-1))
    assert (await rule_of(kernel, wallet))["state"] == "paused"
    assert await states(kernel, wallet) == ["declined"]
    await clock.set(NOON + timedelta(seconds=100))
    await spend(kernel, wallet, "1")
    assert await states(kernel, wallet) == ["declined", "created"], "declined ones don't count as charges"
    assert (await decline(kernel, wallet))["resumes_at"] == "2031-06-02T12:05:00.000000Z"
    await clock.set(NOON + timedelta(hours=1))
    await rule_of(kernel, wallet)
    rule = await decline(kernel, wallet)
    assert (rule["pause_reason"], rule["resumes_at"], rule["declines"]) == ("too_many_declines", None, 3)
    await clock.set(NOON + timedelta(days=1000))
    await spend(kernel, wallet, "1")
    assert await states(kernel, wallet) == ["declined"] * 3
    await set_rule(kernel, wallet)
    await charge(kernel, wallet)
    assert (await rule_of(kernel, wallet))["declines"] == 0
    await spend(kernel, wallet, "90")
    assert (await decline(kernel, wallet))["declines"] == 1
    await clock.advance(timedelta(seconds=100))
    await rule_of(kernel, wallet)
    await charge(kernel, wallet)
    assert (await rule_of(kernel, wallet))["declines"] == 0, "a success ends the count"


@check
async def a_pause_stays_due_beside_what_else_is_due(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await set_rule(kernel, wallet)
    await decline(kernel, wallet)
    await kernel.pool.execute(
        "update wallet.wallets set due_at = $2 where wallet_id = $1", wallet, NOON + timedelta(seconds=1)
    )
    await clock.set(NOON + timedelta(seconds=2))
    assert (await rule_of(kernel, wallet))["state"] == "paused"
    assert await faults(kernel) == []
    await clock.set(NOON + timedelta(seconds=100))
    assert json.loads(await kernel.value("select wallet_api.settle_due()"))["settled"] >= 1
    assert await states(kernel, wallet) == ["declined", "created"]


@check
async def a_decline_of_an_earlier_rule_does_not_count(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await set_rule(kernel, wallet)
    top_up = await newest(kernel, wallet)
    await start(kernel, top_up)
    await clock.set(NOON + timedelta(seconds=1))
    await set_rule(kernel, wallet, payment_method="pm-2")
    assert await pay(kernel, top_up, "failed") == "declined"
    assert (await rule_of(kernel, wallet))["declines"] == 0
    assert await states(kernel, wallet) == ["declined", "created"], "the new method is tried at once"


@check
async def a_request_counts_for_no_rule(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await set_rule(kernel, wallet)
    top_up = await request(kernel, wallet)
    await start(kernel, top_up)
    await spend(kernel, wallet, "90")
    assert await states(kernel, wallet) == ["charging"], "one at a time"
    assert await pay(kernel, top_up, "failed") == "declined"
    assert (await rule_of(kernel, wallet))["declines"] == 0
    assert await states(kernel, wallet) == ["declined", "created"], "then the rule's turn has come"


FOLLOWS = {
    ("charging", "pending"): "pending",
    ("charging", "succeeded"): "charged",
    ("charging", "failed"): "declined",
    ("charging", "refunded"): "failed",
    ("pending", "pending"): "pending",
    ("pending", "succeeded"): "charged",
    ("pending", "failed"): "declined",
    ("pending", "refunded"): "failed",
    ("declined", "succeeded"): "charged",
    ("charged", "refunded"): "failed",
    ("completed", "refunded"): "refunded",
}


@check
async def a_payment_changes_only_what_follows(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    before = {"created": (), "pending": ("pending",), "declined": ("failed",), "failed": ("refunded",)}
    for state in ("created", "charging", "pending", "charged", "completed", "declined", "failed", "refunded"):
        for status in ("pending", "succeeded", "failed", "refunded"):
            wallet = await kernel.wallet("10")
            top_up = await request(kernel, wallet)
            if state != "created":
                await start(kernel, top_up)
            for each in before.get(state, () if state == "charging" else ("succeeded",)):
                await pay(kernel, top_up, each)
            if state in ("completed", "refunded"):
                await deposit(kernel, top_up)
            if state == "refunded":
                await pay(kernel, top_up, "refunded")
            assert await states(kernel, wallet) == [state]
            expected = FOLLOWS.get((state, status), state)
            assert await pay(kernel, top_up, status) == expected, (state, status)
            assert await states(kernel, wallet) == [expected]
    assert await faults(kernel) == []


@check
async def only_its_own_payment_counts(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    top_up = await request(kernel, wallet)
    await start(kernel, top_up)
    assert await pay(kernel, top_up, "pending") == "pending"
    assert await pay(kernel, top_up, "succeeded", "another") == "pending"
    assert await pay(kernel, top_up, "succeeded") == "charged"


@check
async def what_is_completed_is_deposited(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await set_rule(kernel, wallet, target=None, amount="5")
    top_up = await newest(kernel, wallet)
    await start(kernel, top_up)
    await pay(kernel, top_up, "succeeded")
    assert await error_of(kernel.value("select wallet_api.complete_top_up($1)", top_up)) == (
        "WL001",
        "transaction_not_found",
    )
    await deposit(kernel, top_up)
    assert await states(kernel, wallet) == ["completed", "created"], "still low: the next one"
    await kernel.pool.execute("update billing.top_ups set amount = 6 where top_up_id = $1::uuid", top_up)
    assert await faults(kernel) == ["top-up amounts"]
    await kernel.pool.execute(
        "update billing.top_ups set amount = 5, transaction_id = gen_random_uuid() where top_up_id = $1::uuid",
        top_up,
    )
    assert await faults(kernel) == ["top-up deposits"]
    await kernel.pool.execute("update wallet.wallets set marks = marks & ~16 where wallet_id = $1", wallet)
    assert await faults(kernel) == ["top-up deposits", "top-up marks"]
    await kernel.pool.execute("delete from billing.top_ups")
    await kernel.pool.execute("delete from billing.top_up_rules")


@check
async def a_charge_that_is_not_deposited_stops_the_rule(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await set_rule(kernel, wallet)
    top_up = await newest(kernel, wallet)
    await start(kernel, top_up)
    await pay(kernel, top_up, "succeeded")
    failure = '{"code": "wallet_closed", "detail": "x"}'
    query = "select wallet_api.fail_top_up($1, $2)"
    assert json.loads(await kernel.value(query, top_up, failure)) == "failed"
    rule = await rule_of(kernel, wallet)
    assert (rule["pause_reason"], rule["resumes_at"]) == ("failed", None)
    await spend(kernel, wallet, "1")
    assert await states(kernel, wallet) == ["failed"]


@check
async def a_shorter_pause_does_not_end_a_longer_one(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await set_rule(kernel, wallet, max_declines=9)
    first = await newest(kernel, wallet)
    await decline(kernel, wallet)
    await clock.set(NOON + timedelta(seconds=100))
    await rule_of(kernel, wallet)
    second = await newest(kernel, wallet)
    await start(kernel, second)
    assert await pay(kernel, first, "succeeded") == "charged"
    assert await pay(kernel, first, "refunded") == "failed"
    assert await pay(kernel, second, "failed") == "declined"
    rule = await rule_of(kernel, wallet)
    assert (rule["pause_reason"], rule["resumes_at"], rule["declines"]) == ("failed", None, 2)


@check
async def a_late_success_is_taken_beside_the_next_top_up(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    first = await request(kernel, wallet)
    await start(kernel, first)
    await pay(kernel, first, "failed")
    await request(kernel, wallet, "7")
    assert await pay(kernel, first, "succeeded") == "charged"
    assert await deposit(kernel, first) == "completed"
    assert await states(kernel, wallet) == ["completed", "created"]
    assert await kernel.balance(wallet) == Decimal(60)


@check
async def a_pending_payment_has_one_job(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    await kernel.pool.execute("delete from platform.jobs")
    wallet = await kernel.wallet("10")
    top_up = await request(kernel, wallet)
    await start(kernel, top_up)
    await kernel.pool.execute("update platform.jobs set status = 'running', lease_until = 'infinity'")
    for _ in range(3):
        await pay(kernel, top_up, "pending")
    assert await jobs(kernel) == 1
    due = await kernel.value("select due_at from platform.jobs where status = 'queued'")
    assert due == NOON + timedelta(seconds=5)


@check
async def a_message_wakes_one_job(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    await kernel.pool.execute("delete from platform.jobs")
    wallet = await kernel.wallet("10")
    top_up = await request(kernel, wallet)
    query = "select wallet_api.take_payment_notice($1, $2, $3)"
    for message, payment, reference, taken in (
        ("m1", "p-1", f"top_up:{top_up}", "true"),
        ("m1", "p-1", f"top_up:{top_up}", "true"),
        ("m2", "p-1", None, "false"),
        ("m3", "p-1", "top_up:x", "false"),
    ):
        assert await kernel.value(query, message, payment, reference) == taken
    assert await jobs(kernel) == 2, "of the request, and of m1"
    await start(kernel, top_up)
    await pay(kernel, top_up, "pending", "p-1")
    assert await kernel.value(query, "m2", "p-1", None) == "true"


@check
async def only_top_ups_without_a_job_are_woken(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    await kernel.pool.execute("delete from platform.jobs")
    await kernel.pool.execute("delete from billing.top_ups")
    wallet, other, done = [await kernel.wallet("10") for _ in range(3)]
    await request(kernel, wallet)
    await request(kernel, other)
    ended = await request(kernel, done)
    await start(kernel, ended)
    await pay(kernel, ended, "failed")
    assert await kernel.value("select wallet_api.wake_top_ups()") == "0"
    await kernel.pool.execute(
        "update platform.jobs set status = 'dead', finished_at = now() where job_id in"
        " (select job_id from billing.top_ups where wallet_id = any ($1))",
        [wallet, done],
    )
    assert await kernel.value("select wallet_api.wake_top_ups()") == "1"
    assert await kernel.value("select wallet_api.wake_top_ups()") == "0"


@check
async def marks_of_other_rooms_stay(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await kernel.pool.execute("update wallet.wallets set marks = 4 where wallet_id = $1", wallet)
    marks = "select marks from wallet.wallets where wallet_id = $1"
    await set_rule(kernel, wallet)
    assert await kernel.value(marks, wallet) == 20
    await kernel.value("select wallet_api.delete_top_up_rule($1, null)", wallet)
    assert await kernel.value(marks, wallet) == 4
    await spend(kernel, wallet, "90")
    assert await states(kernel, wallet) == []
