"""What every correct kernel does with holds, one rule each; ``test_holds_mutants.py`` shows what each would catch."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from support.clock import SettableClock
from support.kernel.harness import Kernel, Op, Outcome, another_attempt, op, transfer

NOON = datetime(2031, 6, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

Check: TypeAlias = Callable[[Kernel, SettableClock], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function  # type: ignore[attr-defined]  # checks are plain functions
    return function


def place(wallet: str, amount: str | None, account: str | None = None, **members: Any) -> Op:
    """A hold of an hour, unless other terms are given."""
    terms = members.pop("terms", {"expires_in_s": 3600})
    return op("hold", wallet, amount, counter_account=account, terms=terms, **members)


def change(kind: str, hold: Op, amount: str | None = None, **members: Any) -> Op:
    """An operation on the hold that an operation places; members that belong to the terms are put there."""
    terms = {name: members.pop(name) for name in TERMS if name in members}
    if defaults := {name: members.pop(name) for name in DEFAULTS if name in members}:
        terms["defaults"] = defaults
    return op(
        f"hold_{kind}",
        hold["wallet_id"],
        amount,
        terms={"hold_id": hold["transaction_id"]} | terms,
        **members,
    )


TERMS = ("final", "overage", "type", "expires_in_s", "expires_at")
DEFAULTS = ("longest_s", "notice_s")


def capture(hold: Op, amount: str | None = None, **members: Any) -> Op:
    return change("capture", hold, amount, **members)


def grant(wallet: str, amount: str, **terms: Any) -> Op:
    return op("grant", wallet, amount, terms={"source": "promotion"} | terms)


async def do(kernel: Kernel, *operations: Op, atomic: bool = False, dry_run: bool = False) -> list[str]:
    """The statuses or codes of operations in one unit."""
    return [each.status_or_code for each in await kernel.all(*operations, atomic=atomic, dry_run=dry_run)]


async def one(kernel: Kernel, operation: Op) -> Outcome:
    return await kernel.one(operation)


async def posted(kernel: Kernel, *operations: Op) -> None:
    """Post operations, each in a call of its own."""
    for operation in operations:
        outcome = await kernel.one(operation)
        assert outcome.status == "posted", (operation, outcome)


async def seen(kernel: Kernel, hold: Op) -> dict[str, Any]:
    """The hold as readers see it."""
    return json.loads(await kernel.value("select wallet_api.get_hold($1)", hold["transaction_id"]))


async def sums(kernel: Kernel, hold: Op) -> tuple[str, ...]:
    """State, remaining, captured, voided, expired."""
    found = await seen(kernel, hold)
    return tuple(found[name] for name in ("state", "remaining", "captured", "voided", "expired"))


async def money(kernel: Kernel, wallet: str) -> tuple[str, str]:
    """Balance and locked balance, after what was due."""
    found = json.loads(await kernel.value("select wallet_api.get_wallet($1)", wallet))
    return found["balance"], found["locked_balance"]


async def grants(kernel: Kernel, wallet: str) -> list[tuple[str, ...]]:
    """Remaining, reserved, used, expired of the wallet's grants, the oldest first."""
    found = await kernel.value("select wallet_api.list_grants($1)", wallet)
    shown = json.loads(found.rpartition("\n")[0])
    return [
        tuple(each[name].removesuffix(".00") for name in ("remaining", "reserved", "used", "expired"))
        for each in reversed(shown)
    ]


async def faults(kernel: Kernel) -> list[Any]:
    walks = ("verify_holds", "verify_locked", "verify_wallets", "verify_keys", "verify_entries")
    return [
        fault
        for walk in walks
        for fault in json.loads(await kernel.value(f"select wallet_api.{walk}()"))["faults"]
    ]


async def events(kernel: Kernel, hold: Op) -> list[str]:
    rows = await kernel.rows(
        "select event_type from platform.outbox where object_id = $1 order by sequence",
        hold["transaction_id"],
    )
    return [row["event_type"] for row in rows]


@check
async def a_hold_is_captured_in_several_steps(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    hold = place(wallet, "60", reference="answer", metadata={"n": 1})
    await posted(kernel, hold)
    assert await money(kernel, wallet) == ("100.00", "60.00")
    assert (await one(kernel, op("consume", wallet, "40.01"))).facts["shortfall"] == "0.01"
    assert await do(kernel, place(wallet, "40.01")) == ["insufficient_funds"]
    first = await one(kernel, capture(hold, "25", metadata={"m": 2}, reference="r"))
    assert first.transaction["transaction_type"] == "consume"
    assert first.transaction["counter_account"] == "revenue:usage"
    assert first.transaction["metadata"] == {"m": 2, "hold_id": hold["transaction_id"]}
    assert await money(kernel, wallet) == ("75.00", "35.00")
    assert await sums(kernel, hold) == ("open", "35.00", "25.00", "0.00", "0.00")
    fee = await one(kernel, capture(hold, "5", type="fee", counter_account="revenue:fees"))
    assert (fee.transaction["transaction_type"], fee.transaction["counter_account"]) == (
        "fee",
        "revenue:fees",
    )
    await posted(kernel, change("increase", hold, "10"))
    assert await money(kernel, wallet) == ("70.00", "40.00")
    assert (await seen(kernel, hold))["authorised"] == "70.00"
    await posted(kernel, capture(hold, "15", final=True))
    assert await sums(kernel, hold) == ("captured", "0.00", "45.00", "25.00", "0.00")
    assert await money(kernel, wallet) == ("55.00", "0.00")
    rest = place(wallet, "5")
    await posted(kernel, rest, capture(rest, "2"), capture(rest))
    assert await sums(kernel, rest) == ("captured", "0.00", "5.00", "0.00", "0.00"), "nothing is left of it"
    assert await events(kernel, hold) == [
        "hold.created",
        "hold.captured",
        "hold.captured",
        "hold.increased",
        "hold.captured",
    ]
    row = (await kernel.rows("select marks, due_at::text from wallet.wallets where wallet_id = $1", wallet))[
        0
    ]
    assert row == {"marks": 0, "due_at": "infinity"}
    assert await faults(kernel) == []


@check
async def what_is_above_the_hold_is_taken_as_the_capture_says(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100", credit_limit="50")

    async def held() -> Op:
        hold = place(wallet, "30")
        await posted(kernel, hold)
        return hold

    hold, other = await held(), place(wallet, "60")
    await posted(kernel, other)
    refused = await one(kernel, capture(hold, "31"))
    assert refused.code == "hold_exceeded"
    assert [refused.facts[name] for name in ("remaining", "available", "excess")] == [
        "30.00",
        "10.00",
        "1.00",
    ]
    assert await do(kernel, capture(hold, "31", overage="gladly")) == ["validation_failed"]
    assert await do(kernel, capture(hold, "1", type="deposit")) == ["validation_failed"]
    taken = await one(kernel, capture(hold, "45", overage="take_available"))
    assert taken.transaction["amount"] == "40.00", "10 were available beside the other hold"
    assert await sums(kernel, hold) == ("captured", "0.00", "30.00", "0.00", "0.00")
    assert (await seen(kernel, hold))["overage"] == "10.00"
    assert await money(kernel, wallet) == ("60.00", "60.00")
    hold = await held()
    taken = await one(kernel, capture(hold, "35", overage="take_available"))
    assert taken.transaction["amount"] == "30.00", "the credit limit is not available"
    hold = place(wallet, "10")
    await posted(kernel, hold)
    taken = await one(kernel, capture(hold, "15", overage="allow_to_limit"))
    assert taken.transaction["amount"] == "15.00"
    hold = place(wallet, "1")
    await posted(kernel, hold)
    taken = await one(kernel, capture(hold, "100", overage="allow_to_limit"))
    assert taken.transaction["amount"] == "5.00"
    assert await money(kernel, wallet) == ("10.00", "60.00"), "down to the credit limit"
    await posted(kernel, capture(other))
    assert await money(kernel, wallet) == ("-50.00", "0.00"), "what was kept needs nothing that is available"
    assert await faults(kernel) == []


@check
async def a_hold_that_has_ended_does_not_change(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    voided, captured, expired = place(wallet, "10"), place(wallet, "10"), place(wallet, "10")
    await posted(kernel, voided, captured, expired, change("void", voided), capture(captured))
    assert await sums(kernel, voided) == ("voided", "0.00", "0.00", "10.00", "0.00")
    await clock.set(NOON + HOUR)
    for hold, state in ((voided, "voided"), (captured, "captured"), (expired, "expired")):
        for kind in ("capture", "void", "extend", "increase"):
            amount = "1" if kind in ("capture", "increase") else None
            outcome = await one(kernel, change(kind, hold, amount, expires_in_s=7200))
            assert outcome.code == "hold_ended"
            assert outcome.facts == {"hold_id": hold["transaction_id"], "state": state}
    assert await sums(kernel, expired) == ("expired", "0.00", "0.00", "0.00", "10.00")
    other = await kernel.wallet("5")
    for unknown in (
        change("void", {"wallet_id": other, "transaction_id": voided["transaction_id"]}),
        change("void", {"wallet_id": wallet, "transaction_id": "0199d0a8-0000-7000-8000-00000000b0ff"}),
        change("void", {"wallet_id": wallet, "transaction_id": "no id"}),
    ):
        assert (await one(kernel, unknown)).code == "hold_not_found"
    assert await money(kernel, wallet) == ("90.00", "0.00")


@check
async def an_expired_hold_blocks_nothing_though_nobody_records_it(
    kernel: Kernel, clock: SettableClock
) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    holds = [
        place(wallet, "50", terms={"expires_in_s": each, "defaults": {"notice_s": 600}})
        for each in (1800, 3600)
    ]
    await posted(kernel, *holds)
    assert await do(kernel, op("consume", wallet, "1")) == ["insufficient_funds"]
    await clock.set(NOON + HOUR / 2 - timedelta(microseconds=1))
    assert await do(kernel, op("consume", wallet, "1")) == ["insufficient_funds"]
    await clock.set(NOON + HOUR / 2)
    await posted(kernel, op("consume", wallet, "50"))
    assert await sums(kernel, holds[0]) == ("expired", "0.00", "0.00", "0.00", "50.00")
    assert (await seen(kernel, holds[0]))["ended_at"] == "2031-06-02T12:30:00.000000Z"
    await clock.set(NOON + HOUR)
    assert await money(kernel, wallet) == ("50.00", "0.00"), "a read settles, too"
    assert await events(kernel, holds[1]) == ["hold.created", "hold.expired"], "no notice after the end"
    # The job does the same.
    hold = place(wallet, "50", terms={"expires_in_s": 3600, "defaults": {"notice_s": 600}})
    await posted(kernel, hold)
    await clock.set(NOON + HOUR + timedelta(minutes=50))
    assert json.loads(await kernel.value("select wallet_api.settle_due()"))["settled"] == 1
    assert await events(kernel, hold) == ["hold.created", "hold.ending"]
    await clock.set(NOON + 2 * HOUR)
    assert json.loads(await kernel.value("select wallet_api.settle_due()"))["settled"] == 1
    assert await events(kernel, hold) == ["hold.created", "hold.ending", "hold.expired"]
    assert json.loads(await kernel.value("select wallet_api.settle_due()"))["settled"] == 0
    row = (await kernel.rows("select marks, due_at::text from wallet.wallets where wallet_id = $1", wallet))[
        0
    ]
    assert row == {"marks": 0, "due_at": "infinity"}
    assert await faults(kernel) == []


@check
async def a_moment_at_which_nothing_is_due_any_more_passes(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    limits = "select wallet_api.replace_limits($1, null, null, $2)"
    await kernel.value(limits, wallet, '[{"period": "day", "amount": "100"}]')
    hold = place(wallet, "5")
    await posted(kernel, hold, change("void", hold))
    await kernel.value(limits, wallet, "[]")
    await clock.set(NOON + HOUR)
    assert json.loads(await kernel.value("select wallet_api.settle_due()"))["settled"] == 1
    assert json.loads(await kernel.value("select wallet_api.settle_due()"))["settled"] == 0


@check
async def the_end_of_a_hold_is_bounded(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")

    async def fault(operation: Op) -> str:
        outcome = await one(kernel, operation)
        assert outcome.code == "validation_failed"
        return outcome.facts["errors"][0]["detail"]

    past = {"expires_at": "2031-06-02T12:00:00Z"}
    assert "must be after 2031-06-02T12:00:00" in await fault(place(wallet, "1", terms=past))
    for terms in ({}, {"expires_in_s": "soon"}, {"expires_at": "soon"}):
        assert "give either" in await fault(place(wallet, "1", terms=terms))
    assert "must be given" in await fault(place(wallet, None))
    assert "2592000 seconds" in await fault(place(wallet, "1", terms={"expires_in_s": 2592001}))
    hold = place(wallet, "1", terms={"expires_in_s": 2592000})
    await posted(kernel, hold)
    assert "at most" in await fault(change("extend", hold, expires_in_s=2592001))
    hold = place(wallet, "1")
    await posted(kernel, hold)
    assert "must be after 2031-06-02T13:00:00" in await fault(change("extend", hold, expires_in_s=3600))
    assert "at most 7200 seconds" in await fault(change("extend", hold, expires_in_s=7201, longest_s=7200))
    await clock.set(NOON + HOUR / 2)
    await posted(
        kernel, change("extend", hold, expires_at="2031-06-02T14:00:00Z", longest_s=7200, notice_s=60)
    )
    assert "at most 7200 seconds" in await fault(change("extend", hold, expires_in_s=7200, longest_s=7200))
    await clock.set(NOON + 2 * HOUR - timedelta(seconds=60))
    assert (await sums(kernel, hold))[0] == "open"
    await kernel.value("select wallet_api.settle_due()")
    assert await events(kernel, hold) == ["hold.created", "hold.extended", "hold.ending"]
    await clock.set(NOON + 2 * HOUR)
    assert (await sums(kernel, hold))[0] == "expired"


@check
async def operations_on_holds_are_idempotent_and_join_units(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    hold = place(wallet, "50", key="h")
    steps = [
        hold,
        change("increase", hold, "5", key="i"),
        capture(hold, "10", key="c"),
        change("extend", hold, expires_in_s=7200, key="e"),
        change("void", hold, key="v"),
    ]
    first = [json.loads(await kernel.call([unit_of(step)]))[0][0] for step in steps]
    again = [json.loads(await kernel.call([unit_of(another_attempt(step))]))[0][0] for step in steps]
    assert [each["status"] for each in again] == ["replayed"] * 5
    for was, now in zip(first, again, strict=True):
        assert (was["result"], was["transaction"]) == (now["result"], now["transaction"])
    other = capture(hold, "11", key="c")
    assert await do(kernel, other) == ["idempotency_key_reused"]
    # One call: the same capture twice; and units that are reverted leave nothing.
    hold = place(wallet, "50")
    twice = capture(hold, "10", key="twice")
    assert await do(kernel, hold, twice, another_attempt(twice)) == ["posted", "posted", "replayed"]
    before = await kernel.rows("select * from billing.holds order by hold_id")
    assert await do(
        kernel, capture(hold, "5"), change("void", hold), op("consume", wallet, "99"), atomic=True
    ) == [
        "batch_aborted",
        "batch_aborted",
        "insufficient_funds",
    ]
    assert await do(kernel, capture(hold, "5"), change("void", hold), dry_run=True) == ["dry_run", "dry_run"]
    assert await kernel.rows("select * from billing.holds order by hold_id") == before
    whole = place(wallet, "20")
    away = transfer(wallet, await kernel.wallet(), "1")
    assert (
        await do(kernel, whole, capture(whole, "5"), away, change("void", whole), atomic=True)
        == ["posted"] * 4
    )
    assert await money(kernel, wallet) == ("74.00", "40.00")
    assert await faults(kernel) == []


def unit_of(*operations: Op) -> dict[str, Any]:
    return {"operations": list(operations), "atomic": False, "dry_run": False, "resent": False}
