"""What every correct kernel does with holds and the grants that they reserve, one rule each, as ``hold_checks.py``."""

from datetime import timedelta

from support.clock import SettableClock
from support.kernel.harness import Kernel, op, refund

from .hold_checks import (
    HOUR,
    NOON,
    capture,
    change,
    check,
    do,
    faults,
    grant,
    grants,
    money,
    one,
    place,
    posted,
    sums,
)


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
