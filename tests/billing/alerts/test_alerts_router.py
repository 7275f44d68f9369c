"""Alerts and burn rates over HTTP, on both drivers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, pointers, posted, problem
from support.clock import SettableClock

from wallet_service.billing.alerts.schemas import Alert, BurnRate
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction

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
    assert {
        name: alert[name] for name in ("state", "threshold", "recovery", "percent", "set_by", "version")
    } == {
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


async def test_operator_and_owner_have_alerts_of_their_own(api: Api) -> None:
    owner = api.user()
    wallet_id = (await api.admin.wallet("100", user_id=owner.user_id))["wallet_id"]
    theirs, own = (
        await create(api.admin, wallet_id, amount="20"),
        await create(owner, wallet_id, percent=12.5),
    )
    assert (theirs["set_by"], own["set_by"], own["percent"], own["threshold"]) == (
        "operator",
        "owner",
        "12.5",
        "12.500000",
    )
    listed = (await owner.get(f"/wallets/{wallet_id}/alerts")).json()
    assert listed == {"items": [own, theirs], "next_cursor": None}
    first = (await api.admin.get(f"/wallets/{wallet_id}/alerts", limit=1)).json()
    assert first["items"] == [own]
    rest = await api.admin.get(f"/wallets/{wallet_id}/alerts", limit=1, cursor=first["next_cursor"])
    assert rest.json()["items"] == [theirs]
    for client, alert in ((owner, theirs), (api.admin, own)):
        path = f"/wallets/{wallet_id}/alerts/{alert['alert_id']}"
        assert await read(client, alert) == alert
        refused = problem(await client.patch(path, {"name": "x"}), "alert_not_own")
        assert refused["set_by"] == alert["set_by"]
        problem(await client.delete(path), "alert_not_own")
    assert (await owner.delete(f"/wallets/{wallet_id}/alerts/{own['alert_id']}")).status_code == 204
    problem(await owner.get(f"/wallets/{wallet_id}/alerts/{own['alert_id']}"), "alert_not_found")


async def test_others_find_no_wallet_and_keys_need_the_permission(api: Api) -> None:
    wallet_id, other_id = [(await api.admin.wallet())["wallet_id"] for _ in range(2)]
    alert = await create(api.admin, wallet_id, amount="1")
    path = f"/wallets/{wallet_id}/alerts/{alert['alert_id']}"
    restricted = await api.service("alerts:read", "alerts:write", restriction=Restriction(user_id="x"))
    for stranger in (api.user(), restricted):
        problem(await stranger.get(f"/wallets/{wallet_id}/alerts"), "wallet_not_found")
        problem(await stranger.get(f"/wallets/{wallet_id}/burn-rate"), "wallet_not_found")
        problem(await stranger.get(path), "wallet_not_found")
        problem(await stranger.post(f"/wallets/{wallet_id}/alerts", {"amount": "1"}), "wallet_not_found")
        problem(await stranger.patch(path, {"amount": "2"}), "wallet_not_found")
        problem(await stranger.delete(path), "wallet_not_found")
    problem(await api.admin.get(f"/wallets/{other_id}/alerts/{alert['alert_id']}"), "alert_not_found")
    reader = await api.service("alerts:read")
    assert await read(reader, alert) == alert
    assert problem(await reader.patch(path, {"amount": "2"}), "forbidden")["scope"] == "alerts:write"


async def test_a_key_creates_one_alert(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    path, key = f"/wallets/{wallet_id}/alerts", new_id()
    first = await api.admin.post(path, {"amount": "20"}, key=key)
    posted(await api.admin.move("consume", wallet_id, "90"))
    again = await api.admin.post(path, {"amount": "20"}, key=key)
    assert alert_of(first, 201)["state"] == alert_of(again, 201)["state"] == "ok", "as it was answered then"
    assert first.content == again.content
    assert (first.headers["Location"], again.headers["Idempotency-Replayed"]) == (
        f"/api/v1{path}/{first.json()['alert_id']}",
        "true",
    )
    problem(await api.admin.post(path, {"amount": "21"}, key=key), "idempotency_key_reused")
    assert [each["state"] for each in (await api.admin.get(path)).json()["items"]] == ["low"]


async def test_a_change_needs_the_version_that_the_caller_read(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    alert = await create(api.admin, wallet_id, amount="20", hysteresis="5")
    path = f"/wallets/{wallet_id}/alerts/{alert['alert_id']}"
    changed = alert_of(await api.admin.patch(path, {"amount": "30", "name": "soon"}, if_match='"1"'))
    assert (changed["amount"], changed["name"], changed["hysteresis"]) == ("30.000000", "soon", "5.000000")
    refused = problem(await api.admin.patch(path, {"amount": "40"}, if_match='"1"'), "version_mismatch")
    assert refused["version"] == 2
    assert alert_of(await api.admin.patch(path, {}))["version"] == 2
    share = alert_of(await api.admin.patch(path, {"percent": "30"}))
    assert (share["amount"], share["percent"], share["hysteresis"], share["granted"]) == (
        None,
        "30",
        "0",
        "100.000000",
    )
    problem(await api.admin.delete(path, if_match='"2"'), "version_mismatch")
    assert (await api.admin.delete(path, if_match='"3"')).status_code == 204
    entries = (await api.admin.get("/audit", object_id=alert["alert_id"])).json()["items"]
    assert [each["action"] for each in entries] == [
        "alert.deleted",
        "alert.updated",
        "alert.updated",
        "alert.created",
    ]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({}, ""),
        ({"amount": "1", "percent": "1"}, ""),
        ({"percent": "100.1"}, "/percent"),
        ({"percent": "0.00001"}, "/percent"),
        ({"percent": True}, "/percent"),
        ({"percent": "-1"}, "/percent"),
        ({"percent": "1e1"}, "/percent"),
        ({"percent": "20", "hysteresis": "100.5"}, "/hysteresis"),
        ({"amount": "1", "name": "a\nb"}, "/name"),
        ({"amount": "1", "set_by": "owner"}, "/set_by"),
    ],
)
async def test_what_is_no_alert_is_refused(direct_api: Api, members: dict[str, Any], pointer: str) -> None:
    api = direct_api
    path = f"/wallets/{(await api.admin.wallet())['wallet_id']}/alerts"
    assert pointers(problem(await api.admin.post(path, members), "validation_failed")) == [pointer]
    assert (await api.admin.get(path)).json()["items"] == []


async def test_more_faults(direct_api: Api) -> None:
    api = direct_api
    wallet_id = (await api.admin.wallet(currency="USD"))["wallet_id"]
    path = f"/wallets/{wallet_id}/alerts"
    problem(await api.admin.post(path, {"amount": "0.001"}), "amount_precision")
    problem(await api.admin.post(path, {"amount": "1", "hysteresis": "0.001"}), "amount_precision")
    problem(await api.admin.post(path, {"amount": "-1"}), "amount_invalid")
    problem(await api.admin.post(path, {"amount": "1", "hysteresis": ""}), "amount_invalid")
    alert = await create(api.admin, wallet_id, percent="10")
    change = {"amount": "1", "percent": "1"}
    assert pointers(
        problem(await api.admin.patch(f"{path}/{alert['alert_id']}", change), "validation_failed")
    ) == ["/percent"]
    problem(await api.admin.patch(f"{path}/{alert['alert_id']}", {"amount": None}), "amount_invalid")
    for _ in range(19):
        await create(api.admin, wallet_id, amount="1")
    full = problem(await api.admin.post(path, {"amount": "1"}), "alert_limit")
    assert (full["limit"], full["set_by"]) == (20, "operator")
    closed = (await api.admin.wallet())["wallet_id"]
    await api.admin.delete(f"/wallets/{closed}")
    problem(await api.admin.post(f"/wallets/{closed}/alerts", {"amount": "1"}), "wallet_closed")
    problem(await api.admin.post(f"/wallets/{new_id()}/alerts", {"amount": "1"}), "wallet_not_found")


async def test_alerts_of_a_closed_wallet_can_be_deleted(api: Api) -> None:
    owner = api.user()
    wallet_id = (await owner.wallet())["wallet_id"]
    path = f"/wallets/{wallet_id}/alerts"
    own, of_operator = (
        await create(owner, wallet_id, amount="1"),
        await create(api.admin, wallet_id, amount="2"),
    )
    assert (await api.admin.delete(f"/wallets/{wallet_id}")).status_code == 200

    problem(await owner.patch(f"{path}/{own['alert_id']}", {"amount": "3"}), "wallet_closed")
    problem(await owner.delete(f"{path}/{of_operator['alert_id']}"), "alert_not_own")
    problem(await api.user().delete(f"{path}/{own['alert_id']}"), "wallet_not_found")
    assert (await owner.delete(f"{path}/{own['alert_id']}")).status_code == 204
    assert (await api.admin.delete(f"{path}/{of_operator['alert_id']}")).status_code == 204
    problem(await owner.delete(f"{path}/{own['alert_id']}"), "alert_not_found")
    assert (await api.admin.get(path)).json()["items"] == []


async def test_a_record_of_an_account_has_alerts_too(direct_api: Api) -> None:
    owner = direct_api.user()
    wallet_id = (await owner.wallet(currency="USD", keeping="mirrored"))["wallet_id"]
    posted(await owner.move("deposit", wallet_id, "100"))
    alert = await create(owner, wallet_id, percent="50")
    posted(await owner.move("withdraw", wallet_id, "60"))
    assert await crossings(direct_api.admin, alert) == [("balance.low", "ok", "low")]


async def test_a_crossing_is_read_as_an_event(api: Api) -> None:
    wallet = await api.admin.wallet("100")
    alert = await create(api.admin, wallet["wallet_id"], amount="20")
    posted(await api.admin.move("consume", wallet["wallet_id"], "90"))
    items = (await api.admin.get("/events", wallet_id=wallet["wallet_id"], types="balance.low")).json()[
        "items"
    ]
    (event,) = items
    assert event["data"] == {"before": alert, "after": await read(api.admin, alert)}


async def test_debits_at_the_same_moment_cross_a_line_once(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    alert = await create(api.admin, wallet_id, amount="90", hysteresis="5")
    answers = await asyncio.gather(*(api.admin.move("consume", wallet_id) for _ in range(20)))
    assert {each.status_code for each in answers} == {201}
    assert await crossings(api.admin, alert) == [("balance.low", "ok", "low")]
    assert (await read(api.admin, alert))["crossed_balance"] == "90.000000"


async def test_a_burn_rate_is_net_of_refunds(timed_api: Api, clock: SettableClock) -> None:
    api = timed_api
    await clock.set(NOON - timedelta(days=8))
    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]
    other_id = (await api.admin.wallet())["wallet_id"]
    posted(await api.admin.move("consume", wallet_id, "100"))
    await clock.set(NOON - timedelta(days=3))
    paid = posted(await api.admin.move("consume", wallet_id, "130"))
    await clock.set(NOON - timedelta(hours=2))
    posted(await api.admin.move("consume", wallet_id, "60"))
    posted(await api.admin.move("withdraw", wallet_id, "70"))
    posted(await api.admin.move("transfer", wallet_id, "20", to_wallet_id=other_id))
    posted(await api.admin.refund(paid["transaction_id"], amount="50"))
    await clock.set(NOON)
    answer = await api.admin.get(f"/wallets/{wallet_id}/burn-rate")
    found = conforms(answer.content, BurnRate)
    assert (found["available_balance"], found["at"]) == ("670.000000", "2031-05-06T12:00:00.000000Z")
    assert [
        (
            each["window"],
            each["from"][:16],
            each["spent"],
            each["refunded"],
            each["per_day"],
            each["runs_out_at"],
        )
        for each in found["windows"]
    ] == [
        ("1h", "2031-05-06T11:00", "0.000000", "0.000000", "0.000000", None),
        ("24h", "2031-05-05T12:00", "60.000000", "50.000000", "10.000000", "2031-07-12T12:00:00.000000Z"),
        ("7d", "2031-04-29T12:00", "190.000000", "50.000000", "20.000000", "2031-06-09T00:00:00.000000Z"),
    ]
    text = await api.admin.send("GET", f"/wallets/{wallet_id}/burn-rate", headers={"Accept": "text/plain"})
    assert text.text.splitlines()[1:] == [
        "At the pace of the last hour (0.000000 CREDIT a day): not empty within ten years.",
        "At the pace of the last 24 hours (10.000000 CREDIT a day): empty on Saturday, 2031-07-12 at 12:00 UTC.",
        "At the pace of the last 7 days (20.000000 CREDIT a day): empty on Monday, 2031-06-09 at 00:00 UTC.",
    ]


async def test_a_burn_rate_of_a_new_wallet_counts_from_its_creation(
    timed_api: Api, clock: SettableClock
) -> None:
    api = timed_api
    await clock.set(NOON)
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    posted(await api.admin.move("consume", wallet_id, "1"))

    async def rates() -> list[tuple[str, str]]:
        answer = await api.admin.get(f"/wallets/{wallet_id}/burn-rate")
        return [(each["per_day"], each["runs_out_at"]) for each in answer.json()["windows"]]

    assert await rates() == [("1440.000000", "2031-05-06T13:39:00.000000Z")] * 3, "over a minute"
    await clock.set(NOON + timedelta(hours=2))
    posted(await api.admin.move("consume", wallet_id, "1"))
    assert await rates() == [
        ("24.000000", "2031-05-10T16:00:00.000000Z"),
        ("24.000000", "2031-05-10T16:00:00.000000Z"),
        ("24.000000", "2031-05-10T16:00:00.000000Z"),
    ]
    posted(await api.admin.move("consume", wallet_id, "98"))
    empty = (await rates())[2]
    assert empty == ("1200.000000", "2031-05-06T14:00:00.000000Z"), "now"


async def test_a_burn_rate_reads_checkpoints(timed_api: Api, clock: SettableClock) -> None:
    api = timed_api
    await clock.set(NOON - timedelta(days=2))
    wallet_id = (await api.admin.wallet("10000"))["wallet_id"]
    for hours in (48, 30, 20, 10, 0):
        await clock.set(NOON - timedelta(hours=hours))
        operations = [{"type": "consume", "wallet_id": wallet_id, "amount": "1"}] * 500
        answer = await api.admin.batch(*operations)
        assert answer.status_code == 200, answer.text
    found = (await api.admin.get(f"/wallets/{wallet_id}/burn-rate")).json()
    assert [each["spent"] for each in found["windows"]] == ["500.000000", "1500.000000", "2500.000000"]
