"""What every correct kernel does with the holds of a wallet as a whole, one rule each, as ``hold_checks.py``."""

import json
from typing import Any

from support.clock import SettableClock
from support.kernel.harness import Kernel, another_attempt, error_of

from .hold_checks import (
    HOUR,
    NOON,
    capture,
    change,
    check,
    do,
    faults,
    grant,
    money,
    one,
    place,
    posted,
)


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
