"""What every correct kernel does with holds, one rule each; ``test_holds_mutants.py`` shows what each would catch."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from support.clock import SettableClock
from support.kernel.harness import Kernel, Op, Outcome, another_attempt, error_of, op, refund, transfer

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
async def a_frozen_wallet_keeps_its_holds(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100", user="ann", credit_limit="10")
    mine = place(wallet, "5", acting_user_id="ann")
    holds = [place(wallet, "10") for _ in range(4)]
    await posted(kernel, mine, *holds)
    await kernel.pool.execute("update wallet.wallets set status = 'frozen' where wallet_id = $1", wallet)
    assert await do(kernel, place(wallet, "1")) == ["wallet_frozen"]
    assert await do(kernel, change("increase", holds[0], "1")) == ["wallet_frozen"]
    assert await do(kernel, capture(mine, acting_user_id="ann")) == ["wallet_frozen"]
    taken = await one(kernel, capture(holds[0], "12", overage="allow_to_limit"))
    assert taken.transaction["amount"] == "10.00", "nothing beyond the hold"
    await posted(kernel, change("void", holds[1]), change("extend", holds[2], expires_in_s=7200))
    await clock.set(NOON + HOUR)
    assert await money(kernel, wallet) == ("90.00", "10.00"), "the others have expired"
    assert await faults(kernel) == []


@check
async def a_wallet_with_open_holds_stays_open(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("0", credit_limit="10", user="ann")
    hold = place(wallet, "10")
    await posted(kernel, hold)
    close = "select wallet_api.close_wallet($1, null, null)"
    assert await error_of(kernel.value(close, wallet)) == ("WL001", "wallet_not_empty")
    lower = 'select wallet_api.update_wallet($1, null, null, \'{"credit_limit": "9"}\')'
    assert await error_of(kernel.value(lower, wallet)) == ("WL001", "credit_limit_in_use")
    await clock.set(NOON + HOUR)
    assert json.loads(await kernel.value(close, wallet))["locked_balance"] == "0.00"
    assert await do(kernel, place(wallet, "1")) == ["wallet_closed"]
    mirrored = await kernel.wallet("5", keeping="operating")
    await kernel.pool.execute("update wallet.wallets set keeping = 'mirrored' where wallet_id = $1", mirrored)
    assert await do(kernel, place(mirrored, "1")) == ["wallet_mirrored"]


@check
async def open_holds_are_counted(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    terms = {"expires_in_s": 3600, "defaults": {"most_open": 3}}
    holds = [place(wallet, "1", terms=terms) for _ in range(5)]
    outcomes = await kernel.all(holds[0], holds[1], change("void", holds[1]), *holds[2:])
    assert [each.status_or_code for each in outcomes] == ["posted"] * 5 + ["hold_limit"]
    assert outcomes[-1].facts == {"wallet_id": wallet, "limit": 3}
    again = place(wallet, "1", terms=terms)
    assert await do(kernel, again) == ["hold_limit"]
    assert await do(kernel, again, change("void", holds[0]), another_attempt(again)) == [
        "hold_limit",
        "posted",
        "posted",
    ]
    await clock.set(NOON + HOUR)
    assert await do(kernel, *(place(wallet, "1", terms=terms) for _ in range(4))) == ["posted"] * 3 + [
        "hold_limit"
    ]
    # The default bound.
    await clock.set(NOON + 3 * HOUR)
    for _ in range(5):
        assert set(await do(kernel, *(place(wallet, "0.01") for _ in range(200)))) == {"posted"}
    assert (await one(kernel, place(wallet, "0.01"))).facts["limit"] == 1000
    assert await faults(kernel) == []


@check
async def reserved_grants_stay_good_for_their_hold(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await posted(
        kernel,
        grant(wallet, "6", expires_in_s=1800),
        grant(wallet, "6", priority=200, pays=["revenue:usage"]),
    )
    hold = place(wallet, "15")
    await posted(kernel, hold)
    assert await grants(kernel, wallet) == [("6", "6", "0", "0"), ("6", "6", "0", "0")]
    assert await do(kernel, op("consume", wallet, "7.01")) == ["insufficient_funds"]
    await posted(kernel, op("consume", wallet, "2"))
    assert await grants(kernel, wallet) == [("6", "6", "0", "0"), ("6", "6", "0", "0")], (
        "not of what is reserved"
    )
    await clock.set(NOON + HOUR / 2)
    assert await money(kernel, wallet) == ("20.00", "15.00"), "nothing of it has gone to breakage"
    await posted(kernel, capture(hold, "4"))
    assert await grants(kernel, wallet) == [("2", "2", "4", "0"), ("6", "6", "0", "0")]
    await posted(kernel, capture(hold, "5"))
    assert await grants(kernel, wallet) == [("0", "0", "6", "0"), ("3", "3", "3", "0")]
    await posted(kernel, capture(hold, "4"))
    assert await grants(kernel, wallet) == [("0", "0", "6", "0"), ("0", "0", "6", "0")]
    assert await money(kernel, wallet) == ("7.00", "2.00"), "the last of it was not granted"
    await posted(kernel, change("void", hold))
    assert await money(kernel, wallet) == ("7.00", "0.00")
    assert await faults(kernel) == []


@check
async def released_parts_of_ended_grants_expire_at_once(kernel: Kernel, clock: SettableClock) -> None:
    for way in ("void", "final", "expiry"):
        await clock.set(NOON)
        wallet = await kernel.wallet("10")
        await posted(kernel, grant(wallet, "6", expires_in_s=1800), grant(wallet, "4", expires_in_s=90000))
        hold = place(wallet, "12")
        await posted(kernel, hold)
        await clock.set(NOON + HOUR / 2)
        assert await money(kernel, wallet) == ("20.00", "12.00")
        if way == "void":
            last = change("void", hold)
        elif way == "final":
            last = capture(hold, "1", final=True)
        else:
            await clock.set(NOON + HOUR)
            last = op("consume", wallet, "1")
        # In the same call nothing of them can be used.
        much = op("consume", wallet, "14")
        outcomes = await kernel.all(last, much)
        assert outcomes[0].status == "posted"
        left = {"void": "14.00", "final": "14.00", "expiry": "13.00"}[way]
        if way == "expiry":
            assert outcomes[1].code == "insufficient_funds"
            assert await grants(kernel, wallet) == [("0", "0", "0", "6"), ("3", "0", "1", "0")]
        elif way == "final":
            assert outcomes[1].status == "posted"
            assert await grants(kernel, wallet) == [("0", "0", "1", "5"), ("0", "0", "4", "0")]
            left = "0.00"
        else:
            assert outcomes[1].status == "posted"
            assert await grants(kernel, wallet) == [("0", "0", "0", "6"), ("0", "0", "4", "0")]
            left = "0.00"
        assert await money(kernel, wallet) == (left, "0.00")
        assert await faults(kernel) == []


@check
async def a_hold_reserves_grants_that_can_pay_it(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("5")
    await posted(
        kernel,
        grant(wallet, "10", pays=["revenue:usage:gpt"]),
        grant(wallet, "3", is_transferable=True),
    )
    refused = await one(kernel, place(wallet, "9", "revenue:usage:tts"))
    assert refused.code == "grants_not_usable"
    assert (refused.facts["shortfall"], refused.facts["not_usable"]) == ("1.00", "10.00")
    out = place(wallet, "8", "external:withdrawals")
    await posted(kernel, out)
    assert await grants(kernel, wallet) == [("10", "0", "0", "0"), ("3", "3", "0", "0")]
    await posted(kernel, change("void", out))
    hold = place(wallet, "12", "revenue:usage:gpt")
    await posted(kernel, hold)
    assert await grants(kernel, wallet) == [("10", "10", "0", "0"), ("3", "2", "0", "0")]
    # Paying another account is possible with the part that can.
    refused = await one(kernel, capture(hold, "3", counter_account="revenue:usage:tts"))
    assert refused.code == "grants_not_usable"
    assert (refused.facts["shortfall"], refused.facts["not_usable"]) == ("1.00", "10.00")
    await posted(kernel, capture(hold, "2", counter_account="revenue:usage:tts"))
    assert await grants(kernel, wallet) == [("10", "10", "0", "0"), ("1", "0", "2", "0")]
    # Beyond the hold only what can pay, here 1 of the second grant and 5 that are not granted.
    taken = await one(kernel, capture(hold, "20", overage="take_available"))
    assert taken.transaction["amount"] == "16.00"
    assert await grants(kernel, wallet) == [("0", "0", "10", "0"), ("0", "0", "3", "0")]
    await posted(kernel, grant(wallet, "10", pays=["revenue:usage:gpt"]), op("deposit", wallet, "2"))
    hold = place(wallet, "2", "revenue:usage:tts")
    await posted(kernel, hold)
    taken = await one(kernel, capture(hold, "5", overage="take_available"))
    assert taken.transaction["amount"] == "2.00", "the rest is in a grant that can't pay it"
    wallet = await kernel.wallet("5")
    await posted(kernel, grant(wallet, "4"))
    refused = await one(kernel, place(wallet, "8", "external:withdrawals"))
    assert (refused.code, refused.facts.get("not_usable")) == ("grants_not_usable", "4.00")
    assert await faults(kernel) == []


@check
async def an_increase_reserves_more_of_the_same_grants(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("5")
    await posted(kernel, grant(wallet, "6"), grant(wallet, "6"))
    hold, other = place(wallet, "4"), place(wallet, "3")
    await posted(kernel, hold, other, change("increase", hold, "2"))
    assert await grants(kernel, wallet) == [("6", "6", "0", "0"), ("6", "3", "0", "0")]
    await posted(kernel, change("increase", hold, "3"))
    refused = await one(kernel, change("increase", hold, "5.01"))
    assert (refused.code, refused.facts["shortfall"]) == ("insufficient_funds", "0.01")
    assert (await one(kernel, change("increase", hold))).code == "validation_failed"
    await posted(kernel, capture(hold), change("void", other))
    assert await money(kernel, wallet) == ("8.00", "0.00")
    assert await grants(kernel, wallet) == [("2", "0", "4", "0"), ("1", "0", "5", "0")]
    assert await faults(kernel) == []


@check
async def a_refund_gives_back_to_the_grants_and_the_hold_stays_captured(
    kernel: Kernel, clock: SettableClock
) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    await posted(kernel, grant(wallet, "4", expires_in_s=1800), grant(wallet, "4"), grant(wallet, "4"))
    hold = place(wallet, "9")
    await posted(kernel, hold)
    taken = capture(hold, "14", overage="take_available")
    await posted(kernel, taken)
    assert await grants(kernel, wallet) == [("0", "0", "4", "0")] * 3
    assert await money(kernel, wallet) == ("8.00", "0.00")
    await posted(kernel, refund(taken, "3"))
    assert await grants(kernel, wallet) == [("0", "0", "4", "0"), ("0", "0", "4", "0"), ("1", "0", "3", "0")]
    await posted(kernel, refund(taken, "8"))
    assert await grants(kernel, wallet) == [("1", "0", "3", "0"), ("4", "0", "0", "0"), ("4", "0", "0", "0")]
    await clock.set(NOON + HOUR / 2)
    await posted(kernel, refund(taken))
    assert await money(kernel, wallet) == ("18.00", "0.00"), "1 expired, and 3 that came back after the end"
    assert await sums(kernel, hold) == ("captured", "0.00", "9.00", "0.00", "0.00")
    # What was not granted comes back first, though the overage took a grant.
    wallet = await kernel.wallet("4")
    hold = place(wallet, "3")
    taken = capture(hold, "4", overage="take_available")
    await posted(kernel, hold, grant(wallet, "2"), taken)
    assert await grants(kernel, wallet) == [("1", "0", "1", "0")]
    await posted(kernel, refund(taken, "3"))
    assert await grants(kernel, wallet) == [("1", "0", "1", "0")]
    await posted(kernel, refund(taken))
    assert await grants(kernel, wallet) == [("2", "0", "0", "0")]
    assert await faults(kernel) == []


@check
async def the_same_happens_whether_somebody_settles_in_time(kernel: Kernel, clock: SettableClock) -> None:
    awake, asleep = await kernel.wallet("0", credit_limit="5"), await kernel.wallet("0", credit_limit="5")
    for wallet in (awake, asleep):
        await clock.set(NOON)
        await posted(
            kernel,
            place(wallet, "5", terms={"expires_in_s": 2700}),
            grant(wallet, "10", expires_in_s=1800),
            grant(wallet, "3", expires_in_s=3600, priority=200),
            op("consume", wallet, "2"),
            place(wallet, "1", terms={"expires_in_s": 5400}),
        )
        await kernel.pool.execute("update wallet.wallets set credit_limit = 0 where wallet_id = $1", wallet)
        for minutes in (30, 45, 60, 90, 120):
            await clock.set(NOON + timedelta(minutes=minutes))
            if wallet is awake:
                await kernel.value("select wallet.settle_before_read($1)", wallet)
        await posted(kernel, op("deposit", wallet, "1"))
    assert await money(kernel, awake) == await money(kernel, asleep)
    assert await grants(kernel, awake) == await grants(kernel, asleep)
    rows = "select overdrawn from billing.grants where wallet_id = $1 order by created_at, grant_id"
    assert await kernel.rows(rows, awake) == await kernel.rows(rows, asleep)
    assert (await kernel.rows(rows, awake))[0]["overdrawn"] > 0, "the hold made the first one's end a debt"
    assert await faults(kernel) == []


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


@check
async def a_user_changes_only_holds_of_its_own_token(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100", user="ann")
    mine, theirs = place(wallet, "10", acting_user_id="ann"), place(wallet, "10")
    await posted(kernel, mine, theirs)
    for kind in ("capture", "void", "extend", "increase"):
        amount = "1" if kind in ("capture", "increase") else None
        of_ann = {"acting_user_id": "ann", "expires_in_s": 7200}
        assert await do(kernel, change(kind, theirs, amount, **of_ann)) == ["forbidden"]
        assert await do(kernel, change(kind, mine, amount, **of_ann | {"acting_user_id": "bob"})) == [
            "wallet_not_found"
        ]
    await posted(
        kernel,
        capture(mine, "1", acting_user_id="ann"),
        change("extend", mine, expires_in_s=7200, acting_user_id="ann"),
        change("increase", mine, "1", acting_user_id="ann"),
        change("void", mine, acting_user_id="ann"),
        change("void", theirs),
    )
    assert await do(kernel, place(wallet, "1", acting_user_id="bob")) == ["wallet_not_found"]


@check
async def verify_finds_faults_of_holds(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await posted(kernel, grant(wallet, "5"))
    hold = place(wallet, "20")
    taken = capture(hold, "2")
    await posted(kernel, hold, taken)
    assert await faults(kernel) == []
    in_wallet = {"wallet_id": wallet}
    in_hold = {"row": hold["transaction_id"]}

    async def found(change: str, back: str) -> list[Any]:
        await kernel.pool.execute(change)
        faulty = await faults(kernel)
        await kernel.pool.execute(back)
        return faulty

    assert await found(
        "update wallet.wallets set locked_balance = 17", "update wallet.wallets set locked_balance = 18"
    ) == [{"check": "locked balance"} | in_wallet]
    assert await found("update wallet.wallets set marks = 1", "update wallet.wallets set marks = 3") == [
        {"check": "hold marks"} | in_wallet
    ]
    assert await found(
        "update billing.grants set reserved = 2", "update billing.grants set reserved = 3"
    ) == [{"check": "reserved grants"} | in_wallet]
    assert await found(
        "update billing.hold_captures set amount = 3", "update billing.hold_captures set amount = 2"
    ) == [{"check": "hold captures"} | in_hold]
    assert await found(
        "update billing.hold_captures set transaction_id = hold_id",
        f"update billing.hold_captures set transaction_id = '{taken['transaction_id']}'",
    ) == [{"check": "hold captures"} | in_hold]
    assert await found("update billing.holds set captured = 1", "update billing.holds set captured = 2") == [
        {"check": "hold captures"} | in_hold,
        {"check": "locked balance"} | in_wallet,
    ]
    assert await faults(kernel) == []
