"""What every correct kernel does with alerts, one rule each; ``test_alerts_mutants.py`` shows what each would catch."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from support.clock import SettableClock
from support.kernel.harness import Kernel, op, refund, transfer, unit

from wallet_service.core.identifiers import new_id

NOON = datetime(2031, 6, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Check: TypeAlias = Callable[[Kernel, SettableClock], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function  # type: ignore[attr-defined]  # checks are plain functions
    return function


async def create(kernel: Kernel, wallet: str, *, user: str | None = None, **members: Any) -> dict[str, Any]:
    """Create an alert, and return it."""
    answer = await kernel.value(
        "select wallet_api.create_alert($1, 'tests', null, '00', $2, $3, $4)",
        new_id(),
        wallet,
        user,
        json.dumps(members),
    )
    alert: dict[str, Any] = json.loads(answer)["alert"]
    return alert


async def shown(kernel: Kernel, alert: dict[str, Any]) -> dict[str, Any]:
    """An alert as readers see it."""
    found: dict[str, Any] = json.loads(
        await kernel.value("select wallet_api.get_alert($1, $2)", alert["wallet_id"], alert["alert_id"])
    )
    return found


async def crossings(kernel: Kernel, alert: dict[str, Any]) -> list[tuple[str, str]]:
    """The crossings of an alert that events tell of, in order: type, and the available balance."""
    rows = await kernel.rows(
        "select event_type, before ->> 'state' as old, after from platform.outbox"
        " where object_id = $1 and event_type like 'balance.%' order by sequence",
        alert["alert_id"],
    )
    found = [(row, json.loads(row["after"])) for row in rows]
    for row, after in found:
        assert row["old"] != after["state"]
    return [(row["event_type"].removeprefix("balance."), after["crossed_balance"]) for row, after in found]


async def move(kernel: Kernel, kind: str, wallet: str, amount: str, **members: Any) -> str:
    return (await kernel.one(op(kind, wallet, amount, **members))).status_or_code


async def grant(kernel: Kernel, wallet: str, amount: str, **terms: Any) -> str:
    """A grant; its id."""
    operation = op("grant", wallet, amount, terms={"source": "plan"} | terms)
    outcome = await kernel.one(operation)
    assert outcome.status == "posted", outcome
    name: str = operation["transaction_id"]
    return name


async def faults(kernel: Kernel) -> list[Any]:
    found: list[Any] = json.loads(await kernel.value("select wallet_api.verify_alerts()"))["faults"]
    return found


@check
async def a_line_is_crossed_when_it_is_reached(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    alert = await create(kernel, wallet, amount="20")
    for kind, amount, seen in (
        ("consume", "79.99", []),
        ("consume", "0.01", [("low", "20.00")]),
        ("consume", "1", [("low", "20.00")]),
        ("deposit", "1", [("low", "20.00")]),
        ("deposit", "0.01", [("low", "20.00"), ("recovered", "20.01")]),
        ("consume", "20.01", [("low", "20.00"), ("recovered", "20.01"), ("depleted", "0.00")]),
    ):
        assert await move(kernel, kind, wallet, amount) == "posted"
        assert await crossings(kernel, alert) == seen, (kind, amount)
    now = await shown(kernel, alert)
    assert (now["state"], now["crossed_at"], now["version"]) == ("depleted", "2031-06-02T12:00:00.000000Z", 1)
    assert await faults(kernel) == []


@check
async def hysteresis_keeps_it_low_until_it_has_recovered(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    alert = await create(kernel, wallet, amount="20", hysteresis="5")
    other = await create(kernel, wallet, amount="22")
    for kind, amount in (("consume", "85"), ("deposit", "9.99"), ("consume", "9.99")):
        assert await move(kernel, kind, wallet, amount) == "posted"
    assert await crossings(kernel, alert) == [("low", "15.00")]
    assert await crossings(kernel, other) == [("low", "15.00"), ("recovered", "24.99"), ("low", "15.00")]
    assert await move(kernel, "deposit", wallet, "10") == "posted"
    assert await move(kernel, "consume", wallet, "4.99") == "posted"
    assert await crossings(kernel, alert) == [("low", "15.00"), ("recovered", "25.00")]
    for amount in ("10", "10.01"):
        assert await move(kernel, "consume", wallet, amount) == "posted"
    assert (await crossings(kernel, alert))[2:] == [("low", "10.01"), ("depleted", "0.00")]
    assert await faults(kernel) == []


@check
async def zero_is_depleted_and_more_is_low_again(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10", credit_limit="10")
    alert = await create(kernel, wallet, amount="8", hysteresis="2")
    empty = await create(kernel, wallet, amount="0")
    for kind, amount in (
        ("consume", "10"),
        ("consume", "5"),
        ("deposit", "5"),
        ("deposit", "9.99"),
        ("consume", "10"),
        ("deposit", "30"),
    ):
        assert await move(kernel, kind, wallet, amount) == "posted"
    assert await crossings(kernel, alert) == [
        ("depleted", "0.00"),
        ("low", "9.99"),
        ("depleted", "-0.01"),
        ("recovered", "29.99"),
    ]
    assert await crossings(kernel, empty) == [
        ("depleted", "0.00"),
        ("recovered", "9.99"),
        ("depleted", "-0.01"),
        ("recovered", "29.99"),
    ]
    assert await faults(kernel) == []


@check
async def each_operation_of_a_call_is_compared(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, other = await kernel.wallet("100"), await kernel.wallet("100")
    alert, its = await create(kernel, wallet, amount="20"), await create(kernel, other, amount="50")
    dips = await kernel.all(
        op("consume", wallet, "90"),
        op("consume", other, "1"),
        op("deposit", wallet, "90"),
        op("consume", wallet, "85"),
        transfer(other, wallet, "60"),
        atomic=True,
    )
    assert [each.status for each in dips] == ["posted"] * 5
    assert await crossings(kernel, alert) == [
        ("low", "10.00"),
        ("recovered", "100.00"),
        ("low", "15.00"),
        ("recovered", "75.00"),
    ]
    assert await crossings(kernel, its) == [("low", "39.00")]
    assert (await shown(kernel, its))["transaction_id"] == dips[4].transaction["transaction_id"]
    assert await faults(kernel) == []


@check
async def an_operation_is_compared_as_a_whole(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, other = await kernel.wallet("100"), await kernel.wallet("3")
    alert = await create(kernel, wallet, amount="20")
    entries = [
        {"wallet_id": wallet, "direction": "debit", "amount": "95", "counter_account": "revenue:usage"},
        {"wallet_id": wallet, "direction": "credit", "amount": "80", "counter_account": "external:deposits"},
        {"wallet_id": other, "direction": "debit", "amount": "1", "counter_account": "revenue:usage"},
    ]
    assert (await kernel.one(op("payment", entries=entries))).status == "posted"
    assert await crossings(kernel, alert) == []
    assert await kernel.balance(wallet) == 85
    assert await faults(kernel) == []


@check
async def a_unit_that_is_reverted_crosses_nothing(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    alert = await create(kernel, wallet, amount="20")
    units = await kernel.post(
        unit(op("consume", wallet, "90"), op("consume", wallet, "90"), atomic=True),
        unit(op("consume", wallet, "90"), dry_run=True),
        unit(op("consume", wallet, "101")),
        unit(op("consume", wallet, "81")),
    )
    assert [[each.status_or_code for each in outcomes] for outcomes in units] == [
        ["batch_aborted", "insufficient_funds"],
        ["dry_run"],
        ["insufficient_funds"],
        ["posted"],
    ]
    assert await crossings(kernel, alert) == [("low", "19.00")]
    assert await faults(kernel) == []


@check
async def a_replay_crosses_nothing(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    alert = await create(kernel, wallet, amount="20")
    operation = op("consume", wallet, "90", key="once")
    for status in ("posted", "posted"):
        assert (await kernel.one(operation)).status == status
    assert (await kernel.one(operation | {"transaction_id": new_id()})).status == "replayed"
    assert await crossings(kernel, alert) == [("low", "10.00")]


@check
async def what_is_locked_is_not_available(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100", locked="30")
    alert = await create(kernel, wallet, amount="20")
    assert await move(kernel, "consume", wallet, "50") == "posted"
    assert await crossings(kernel, alert) == [("low", "20.00")]
    assert (await create(kernel, wallet, amount="20"))["state"] == "low"
    assert (await create(kernel, wallet, amount="19.99"))["state"] == "ok"
    assert (await create(kernel, wallet, percent="50"))["granted"] == "100.00", (
        "what is locked is still there"
    )
    assert await faults(kernel) == []


@check
async def an_operation_that_locks_is_compared(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    alert = await create(kernel, wallet, amount="20")
    account = {
        "wallet_id": wallet,
        "balance": 100,
        "locked_balance": 0,
        "marks": 8,
        "exponent": 2,
        "is_due": False,
        "last_posted_at": NOON.isoformat(),
    }
    opened = await kernel.value(
        "select to_jsonb(billing.open_alerts(jsonb_populate_record(null::wallet.settlement, $1), $2))",
        json.dumps({"accounts": [account], "state": {"marks": 8}, "entries": []}),
        NOON,
    )
    step = {
        "decision": {"status": "posted", "entries": []},
        "accounts": [account | {"locked_balance": 85}],
        "state": json.loads(opened)["state"],
    }
    followed = await kernel.value(
        "select to_jsonb(billing.follow_alerts(jsonb_populate_record(null::wallet.operation, $1),"
        " jsonb_populate_record(null::wallet.step, $2), $3))",
        json.dumps({"form": "room", "type": "hold", "caller": {"actor": "service", "client_id": "x"}}),
        json.dumps(step),
        NOON,
    )
    found = json.loads(followed)["state"]["alert_crossings"] or []
    assert [(each["type"], each["alert_id"]) for each in found] == [("balance.low", alert["alert_id"])]
    crossing = found[0]
    assert (crossing["after"]["crossed_balance"], crossing["after"]["transaction_id"]) == ("15.00", None)
    assert crossing["caller"] == {"actor": "service", "client_id": "x"}, "of the operation"


@check
async def a_percentage_is_of_the_balance_after_the_last_credit(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("1")
    assert await move(kernel, "deposit", wallet, "199") == "posted"
    spent = op("consume", wallet, "150")
    await kernel.all(spent, refund(spent, "10"))
    alert = await create(kernel, wallet, percent="20", hysteresis="5")
    assert (alert["granted"], alert["threshold"], alert["recovery"]) == ("200.00", "40.00", "50.00")
    assert await move(kernel, "consume", wallet, "20") == "posted"
    assert await crossings(kernel, alert) == [("low", "40.00")]
    assert (await kernel.one(refund(spent, "9.99"))).status == "posted"
    assert await crossings(kernel, alert) == [("low", "40.00")], "a refund is no credit that counts"
    assert await move(kernel, "deposit", wallet, "50.01") == "posted"
    now = await shown(kernel, alert)
    assert (now["granted"], now["threshold"], now["recovery"]) == ("100.00", "20.00", "25.00")
    assert await crossings(kernel, alert) == [("low", "40.00"), ("recovered", "100.00")]
    await kernel.all(op("consume", wallet, "75"), op("consume", wallet, "5"))
    assert (await crossings(kernel, alert))[2:] == [("low", "20.00")]
    assert await faults(kernel) == []


@check
async def a_percentage_is_of_the_grants_that_last(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("0")
    first = await grant(kernel, wallet, "100", expires_in_s=86400)
    assert await move(kernel, "consume", wallet, "70") == "posted"
    alert = await create(kernel, wallet, percent="25")
    assert (alert["granted"], alert["state"]) == ("100.00", "ok")
    second = await grant(kernel, wallet, "100", expires_in_s=2 * 86400)
    assert (await shown(kernel, alert))["granted"] == "200.00", "with what is used of the first"
    await kernel.all(op("consume", wallet, "80"), op("deposit", wallet, "10"))
    assert (await shown(kernel, alert))["granted"] == "110.00", (
        "the first is used up, 50 of the second are used"
    )
    assert await crossings(kernel, alert) == [("low", "50.00"), ("recovered", "60.00")]
    void = op("grant_void", wallet, terms={"grant_id": second})
    assert (await kernel.one(void)).status == "posted"
    now = await shown(kernel, alert)
    assert (now["granted"], now["state"]) == ("10.00", "ok"), "all of the second is gone from both"
    assert await move(kernel, "deposit", wallet, "90") == "posted"
    third = await grant(kernel, wallet, "20")
    assert (await shown(kernel, alert))["granted"] == "120.00"
    assert (await kernel.one(op("grant_void", wallet, terms={"grant_id": third}))).status == "posted"
    assert (await shown(kernel, alert))["granted"] == "100.00"
    assert first != second
    assert await faults(kernel) == []


@check
async def a_refund_takes_back_what_it_reverses(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("0")
    paid = op("deposit", wallet, "100")
    await kernel.one(paid)
    alert = await create(kernel, wallet, percent="50")
    assert (await kernel.one(refund(paid, "40"))).status == "posted"
    assert ((await shown(kernel, alert))["granted"], await crossings(kernel, alert)) == ("60.00", [])
    await grant(kernel, wallet, "40", expires_in_s=86400)
    spent = op("consume", wallet, "30")
    await kernel.one(spent)
    await clock.set(NOON + DAY)
    assert (await kernel.one(refund(spent, "20"))).status == "posted"
    assert (await shown(kernel, alert))["granted"] == "60.00", "what came back of the ended grant has expired"
    assert await kernel.balance(wallet) == 60
    await kernel.one(op("consume", wallet, "30"))
    assert await crossings(kernel, alert) == [("low", "30.00")]
    assert await faults(kernel) == []


@check
async def what_expires_crosses_by_itself(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("20")
    await grant(kernel, wallet, "100", expires_in_s=86400)
    fixed, share = await create(kernel, wallet, amount="30"), await create(kernel, wallet, percent="50")
    assert await move(kernel, "consume", wallet, "40") == "posted"
    await clock.set(NOON + DAY)
    assert json.loads(await kernel.value("select wallet_api.settle_due()"))["settled"] >= 1
    assert await crossings(kernel, fixed) == [("low", "20.00")]
    now = await shown(kernel, share)
    assert (now["granted"], now["state"]) == ("20.00", "ok"), "of what was granted only the 20 are left"
    assert (await shown(kernel, fixed))["crossed_at"] == "2031-06-03T12:00:00.000000Z"
    actor = await kernel.value(
        "select actor from platform.audit_entries where object_id = $1 and action = 'balance.low'",
        fixed["alert_id"],
    )
    assert actor == "service"
    assert await faults(kernel) == []


@check
async def what_is_due_together_is_compared_at_its_end(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("0")
    await grant(kernel, wallet, "100", expires_in_s=86400)
    await grant(kernel, wallet, "100", effective_at=(NOON + DAY).isoformat())
    alert = await create(kernel, wallet, amount="10")
    await clock.set(NOON + DAY)
    assert await move(kernel, "consume", wallet, "1") == "posted"
    assert await crossings(kernel, alert) == [], "an allowance that is renewed never was empty"
    assert await kernel.balance(wallet) == 99
    assert await faults(kernel) == []


@check
async def what_is_due_happens_though_its_operation_is_refused(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("20")
    await grant(kernel, wallet, "100", expires_in_s=86400)
    alert = await create(kernel, wallet, amount="30")
    await clock.set(NOON + DAY)
    assert await move(kernel, "consume", wallet, "50") == "insufficient_funds"
    assert await crossings(kernel, alert) == [("low", "20.00")]
    assert await faults(kernel) == []


@check
async def a_change_takes_the_state_of_the_balance(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    alert = await create(kernel, wallet, amount="20")

    async def change(**members: Any) -> dict[str, Any]:
        answer = await kernel.value(
            "select wallet_api.update_alert($1, $2, null, null, $3)",
            wallet,
            alert["alert_id"],
            json.dumps(members),
        )
        changed: dict[str, Any] = json.loads(answer)
        return changed

    low = await change(amount="100", hysteresis="10")
    assert (low["state"], low["version"], low["crossed_at"]) == ("low", 2, None)
    assert (await change(amount="95"))["state"] == "low", "it has not recovered"
    assert (await change(hysteresis="5"))["state"] == "ok"
    share = await change(percent="100")
    assert (share["state"], share["amount"], share["hysteresis"], share["granted"]) == (
        "low",
        None,
        "0",
        "100.00",
    )
    assert (await change(percent="100")) == share, "without a change the version stays"
    assert await move(kernel, "deposit", wallet, "1") == "posted"
    assert await move(kernel, "consume", wallet, "1") == "posted"
    assert (await change(percent="99"))["state"] == "ok"
    assert await crossings(kernel, alert) == []
    assert await move(kernel, "consume", wallet, "0.01") == "posted"
    assert await crossings(kernel, alert) == [("low", "99.99")]
    assert await faults(kernel) == []


@check
async def the_mark_leaves_with_the_last_alert(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await kernel.pool.execute("update wallet.wallets set marks = marks | 2 where wallet_id = $1", wallet)
    marks = "select marks from wallet.wallets where wallet_id = $1"
    alerts = [await create(kernel, wallet, amount="20") for _ in range(2)]
    for alert, left in zip(alerts, (10, 2), strict=True):
        assert await kernel.value(marks, wallet) == 10
        await kernel.value("select wallet_api.delete_alert($1, $2, null, null)", wallet, alert["alert_id"])
        assert await kernel.value(marks, wallet) == left
    assert await move(kernel, "consume", wallet, "90") == "posted"
    assert await crossings(kernel, alerts[0]) == []


@check
async def verify_finds_a_wrong_state(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await create(kernel, wallet, percent="20", hysteresis="5")
    for wrong, right, name in (
        ("state = 'low'", "state = 'ok'", "alert states"),
        ("quiet_above = 19", "quiet_above = 20", "alert ranges"),
        ("granted = 600", "granted = 100", "alert states"),
        ("granted = 200", "granted = 100", "alert ranges"),
    ):
        await kernel.pool.execute(f"update billing.alerts set {wrong} where wallet_id = $1", wallet)
        assert await faults(kernel) == [{"check": name, "wallet_id": wallet}], wrong
        await kernel.pool.execute(f"update billing.alerts set {right} where wallet_id = $1", wallet)
    assert await faults(kernel) == []
    await kernel.pool.execute("update wallet.wallets set marks = 0 where wallet_id = $1", wallet)
    assert await faults(kernel) == [{"check": "alert marks", "wallet_id": wallet}]
