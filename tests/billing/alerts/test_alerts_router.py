"""Alerts and burn rates over HTTP, on both drivers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from support.api import Api, Client, conforms, posted, problem
from support.clock import SettableClock

from wallet_service.billing.alerts.schemas import Alert, BurnRate

NOON = datetime(2031, 5, 6, 12, tzinfo=UTC)


def alert_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found = conforms(answer.content, Alert)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    return found


async def create(client: Client, wallet_id: str, **members: Any) -> dict[str, Any]:
    return alert_of(await client.post(f"/wallets/{wallet_id}/alerts", members), 201)


async def read(client: Client, alert: dict[str, Any]) -> dict[str, Any]:
    return alert_of(await client.get(f"/wallets/{alert['wallet_id']}/alerts/{alert['alert_id']}"))


async def crossings(client: Client, alert: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The events of an alert's crossings, oldest first: type, state before, state after."""
    answer = await client.get("/audit", object_id=alert["alert_id"], limit=100)
    return [
        (each["action"], each["before"]["state"], each["after"]["state"])
        for each in reversed(answer.json()["items"])
        if each["action"].startswith("balance.")
    ]


async def test_each_crossing_is_one_event(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    alert = await create(api.admin, wallet_id, name="low", amount="20", hysteresis="5")
    assert {name: alert[name] for name in ("state", "threshold", "recovery", "percent", "set_by", "version")} == {
        "state": "ok",
        "threshold": "20.000000",
        "recovery": "25.000000",
        "percent": None,
        "set_by": "operator",
        "version": 1,
    }
    low = ("balance.low", "ok", "low")
    for kind, amount, expected in (
        ("consume", "79.999999", []),
        ("consume", "0.000001", [low]),
        ("consume", "5", [low]),
        ("deposit", "9.999999", [low]),
        ("deposit", "0.000001", [low, ("balance.recovered", "low", "ok")]),
    ):
        moved = posted(await api.admin.move(kind, wallet_id, amount))
        assert await crossings(api.admin, alert) == expected, (kind, amount)
    now = await read(api.admin, alert)
    assert (now["state"], now["crossed_balance"], now["transaction_id"], now["version"]) == (
        "ok",
        "25.000000",
        moved["transaction_id"],
        1,
    )
    posted(await api.admin.move("consume", wallet_id, "25"))
    posted(await api.admin.move("deposit", wallet_id, "1"))
    assert (await crossings(api.admin, alert))[2:] == [
        ("balance.depleted", "ok", "depleted"),
        ("balance.low", "depleted", "low"),
    ]
