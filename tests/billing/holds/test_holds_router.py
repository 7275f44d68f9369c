"""Holds over HTTP, on both drivers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from support.api import Api, Client, conforms, posted, problem
from support.clock import SettableClock

from wallet_service.billing.holds.schemas import Capture, Hold

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def hold_of(answer: httpx.Response, **expected: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    found = conforms(answer.content, Hold)
    assert found | expected == found
    return found


def capture_of(answer: httpx.Response, **expected: Any) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found = conforms(answer.content, Capture)
    assert found["hold"] | expected == found["hold"]
    return found


async def place(client: Client, wallet_id: str, amount: str, **members: Any) -> dict[str, Any]:
    return hold_of(await client.post(f"/wallets/{wallet_id}/holds", {"amount": amount, **members}))


async def balances(client: Client, wallet_id: str) -> tuple[str, str, str]:
    wallet = await client.read(wallet_id)
    return wallet["balance"], wallet["locked_balance"], wallet["available_balance"]


async def test_a_hold_keeps_an_amount_until_it_is_captured_voided_or_expires(
    timed_api: Api, clock: SettableClock
) -> None:
    admin = timed_api.admin
    await clock.set(NOW)
    wallet_id = (await admin.wallet("100"))["wallet_id"]
    first = await place(admin, wallet_id, "60", expires_in_s=600, reference="a", metadata={"n": 1})
    assert first["expires_at"] == "2031-05-06T07:18:09.000000Z"
    assert await balances(admin, wallet_id) == ("100.000000", "60.000000", "40.000000")
    problem(await admin.move("consume", wallet_id, "41"), "insufficient_funds")
    second = await place(admin, wallet_id, "40")
    assert second["expires_at"] == "2031-05-06T08:08:09.000000Z", "an hour by default"
    problem(await admin.post(f"/wallets/{wallet_id}/holds", {"amount": "0.000001"}), "insufficient_funds")

    path = f"/holds/{first['hold_id']}"
    part = capture_of(await admin.post(f"{path}/capture", {"amount": "25", "reference": "r"}), state="open")
    assert part["hold"]["remaining"] == "35.000000"
    entry = part["transaction"]
    assert (entry["transaction_type"], entry["amount"], entry["counter_account"], entry["reference"]) == (
        "consume",
        "25.000000",
        "revenue:usage",
        "r",
    )
    assert entry["metadata"] == {"hold_id": first["hold_id"]}
    assert await balances(admin, wallet_id) == ("75.000000", "75.000000", "0.000000")
    last = capture_of(await admin.post(f"{path}/capture", {"amount": "5", "final": True}), state="captured")
    assert (last["hold"]["captured"], last["hold"]["voided"]) == ("30.000000", "30.000000")
    assert await balances(admin, wallet_id) == ("70.000000", "40.000000", "30.000000")
    assert hold_of(await admin.get(path)) == last["hold"]

    path = f"/holds/{second['hold_id']}"
    hold_of(await admin.post(f"{path}/void", {}), state="voided", voided="40.000000")
    problem(await admin.post(f"{path}/void", {}), "hold_ended")
    assert await balances(admin, wallet_id) == ("70.000000", "0.000000", "70.000000")

    third = await place(admin, wallet_id, "70", expires_in_s=60)
    await clock.advance(timedelta(seconds=60))
    posted(await admin.move("consume", wallet_id, "70"))
    hold_of(await admin.get(f"/holds/{third['hold_id']}"), state="expired", expired="70.000000")
    problem(await admin.post(f"/holds/{third['hold_id']}/capture", {"amount": "1"}), "hold_ended")
    assert await balances(admin, wallet_id) == ("0.000000", "0.000000", "0.000000")
