"""Limits over HTTP, on both drivers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, pointers, posted, problem
from support.clock import SettableClock

from wallet_service.billing.spending_limits.schemas import Limits
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction

DAY = {"period": "day", "amount": "10"}


async def put(
    client: Client, wallet_id: str, *limits: dict[str, Any], if_match: str | None = None
) -> httpx.Response:
    headers = {"If-Match": if_match} if if_match is not None else None
    return await client.send("PUT", f"/wallets/{wallet_id}/limits", {"limits": list(limits)}, headers=headers)


def limits_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found = conforms(answer.content, Limits)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    return found


async def read(client: Client, wallet_id: str) -> dict[str, Any]:
    return limits_of(await client.get(f"/wallets/{wallet_id}/limits"))


async def test_a_wallet_has_no_limits_at_first(api: Api) -> None:
    wallet = await api.admin.wallet("5")
    assert await read(api.admin, wallet["wallet_id"]) == {
        "wallet_id": wallet["wallet_id"],
        "currency": "CREDIT",
        "version": 0,
        "updated_at": None,
        "limits": [],
    }


async def test_a_debit_above_a_limit_is_refused_with_which_and_when_it_resets(
    timed_api: Api, clock: SettableClock
) -> None:
    now = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    await clock.set(now)
    wallet_id = (await timed_api.admin.wallet("100"))["wallet_id"]
    posted(await timed_api.admin.move("consume", wallet_id, "3"))
    set_by = limits_of(await put(timed_api.admin, wallet_id, DAY | {"time_zone": "Asia/Kolkata"}))
    (limit,) = set_by["limits"]
    assert (limit["used"], limit["remaining"]) == ("3.000000", "7.000000"), "what was spent before counts"

    refused = problem(await timed_api.admin.move("consume", wallet_id, "7.5"), "limit_exceeded")
    facts = {
        "wallet_id": wallet_id,
        "limit_id": limit["limit_id"],
        "set_by": "operator",
        "period": "day",
        "counter_account": None,
        "limit_amount": "10.000000",
        "used": "3.000000",
        "reserved": "0.000000",
        "remaining": "7.000000",
        "resets_at": "2031-05-06T18:30:00.000000Z",
    }
    assert refused | facts == refused
    assert (
        problem(await timed_api.admin.move("withdraw", wallet_id, "10.5"), "limit_exceeded")["resets_at"]
        is None
    )
    posted(await timed_api.admin.move("withdraw", wallet_id, "7"))
    await clock.set(datetime(2031, 5, 6, 18, 30, tzinfo=UTC))
    posted(await timed_api.admin.move("consume", wallet_id, "10"))
    (limit,) = (await read(timed_api.admin, wallet_id))["limits"]
    assert (limit["used"], limit["starts_at"]) == ("10.000000", "2031-05-06T18:30:00.000000Z")


async def test_operator_and_owner_set_limits_of_their_own_and_the_smaller_one_counts(api: Api) -> None:
    owner = api.user()
    wallet_id = (await api.admin.wallet("100", user_id=owner.user_id))["wallet_id"]
    limits_of(await put(api.admin, wallet_id, {"period": "transaction", "amount": "8"}))
    both = limits_of(await put(owner, wallet_id, {"period": "transaction", "amount": "5"}))
    assert [(each["set_by"], each["amount"]) for each in both["limits"]] == [
        ("operator", "8.000000"),
        ("owner", "5.000000"),
    ]
    assert await read(owner, wallet_id) == await read(api.admin, wallet_id) == both
    assert problem(await owner.move("consume", wallet_id, "6"), "limit_exceeded")["set_by"] == "owner"
    assert problem(await api.admin.move("consume", wallet_id, "9"), "limit_exceeded")["set_by"] == "operator"

    left = limits_of(await put(owner, wallet_id))
    assert [each["set_by"] for each in left["limits"]] == ["operator"], "the owner removes its own only"
    posted(await owner.move("consume", wallet_id, "6"))
    assert problem(await owner.move("consume", wallet_id, "9"), "limit_exceeded")["set_by"] == "operator"


async def test_others_find_no_wallet_and_keys_need_the_permission(api: Api) -> None:
    wallet_id = (await api.admin.wallet())["wallet_id"]
    for stranger in (
        api.user(),
        await api.service("limits:write", "limits:read", restriction=Restriction(user_id="x")),
    ):
        problem(await put(stranger, wallet_id, DAY), "wallet_not_found")
        problem(await stranger.get(f"/wallets/{wallet_id}/limits"), "wallet_not_found")
    reader = await api.service("limits:read")
    assert (await read(reader, wallet_id))["limits"] == []
    assert problem(await put(reader, wallet_id, DAY), "forbidden")["scope"] == "limits:write"
    problem(await put(api.admin, new_id(), DAY), "wallet_not_found")


async def test_a_change_needs_the_version_that_the_caller_read(api: Api) -> None:
    wallet_id = (await api.admin.wallet())["wallet_id"]
    first = limits_of(await put(api.admin, wallet_id, DAY, if_match='"0"'))
    assert (
        problem(await put(api.admin, wallet_id, DAY | {"amount": "2"}, if_match='"0"'), "version_mismatch")[
            "version"
        ]
        == 1
    )
    again = limits_of(await put(api.admin, wallet_id, DAY, if_match='"1"'))
    assert again == first, "without a change the version stays"
    assert limits_of(await put(api.admin, wallet_id, if_match="*"))["version"] == 2
    assert limits_of(await put(api.admin, wallet_id, DAY))["version"] == 3, "never that of an earlier set"
    assert (
        problem(await put(api.admin, wallet_id, if_match="W/x"), "validation_failed")["errors"][0]["in"]
        == "header"
    )


async def test_a_limit_that_stays_keeps_its_id_and_what_is_used(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    rolling = {"period": "rolling", "window_s": 3600, "amount": "10", "counter_account": "revenue:usage:*"}
    before = limits_of(await put(api.admin, wallet_id, DAY, rolling))["limits"]
    posted(await api.admin.move("consume", wallet_id, "4", counter_account="revenue:usage:gpt"))
    after = limits_of(await put(api.admin, wallet_id, rolling | {"amount": "3"}))["limits"]
    assert [(each["limit_id"], each["used"], each["remaining"]) for each in after] == [
        (before[1]["limit_id"], "4.000000", "0.000000")
    ]
    problem(
        await api.admin.move("consume", wallet_id, "1", counter_account="revenue:usage:gpt"), "limit_exceeded"
    )
    posted(await api.admin.move("consume", wallet_id, "1", counter_account="revenue:usage"))


@pytest.mark.parametrize(
    ("limit", "pointer"),
    [
        ({"period": "year", "amount": "1"}, "/limits/0/period"),
        ({"period": "day"}, "/limits/0/amount"),
        (DAY | {"time_zone": "Mars/Olympus"}, "/limits/0/time_zone"),
        (DAY | {"time_zone": "CET-1CEST"}, "/limits/0/time_zone"),
        (DAY | {"window_s": 60}, "/limits/0/window_s"),
        ({"period": "transaction", "amount": "1", "time_zone": "UTC"}, "/limits/0/time_zone"),
        ({"period": "rolling", "amount": "1"}, "/limits/0/window_s"),
        ({"period": "rolling", "amount": "1", "window_s": 59}, "/limits/0/window_s"),
        ({"period": "rolling", "amount": "1", "window_s": 31622401}, "/limits/0/window_s"),
        (DAY | {"counter_account": "mirrored:usage"}, "/limits/0/counter_account"),
        (DAY | {"counter_account": "revenue"}, "/limits/0/counter_account"),
        (DAY | {"counter_account": "revenue:*:gpt"}, "/limits/0/counter_account"),
        (DAY | {"set_by": "owner"}, "/limits/0/set_by"),
    ],
)
async def test_what_is_no_limit_is_refused(direct_api: Api, limit: dict[str, Any], pointer: str) -> None:
    api = direct_api
    wallet_id = (await api.admin.wallet())["wallet_id"]
    assert pointers(problem(await put(api.admin, wallet_id, limit), "validation_failed")) == [pointer]
    assert (await read(api.admin, wallet_id))["version"] == 0


async def test_more_faults(api: Api) -> None:
    wallet_id = (await api.admin.wallet(currency="USD"))["wallet_id"]
    problem(await put(api.admin, wallet_id, DAY | {"amount": "0.001"}), "amount_precision")
    problem(await put(api.admin, wallet_id, DAY | {"amount": "-1"}), "amount_invalid")
    twice = problem(await put(api.admin, wallet_id, DAY, DAY | {"time_zone": "UTC"}), "validation_failed")
    assert pointers(twice) == ["/limits/1"]
    many = [{"period": "rolling", "window_s": 60 + each, "amount": "1"} for each in range(21)]
    assert pointers(problem(await put(api.admin, wallet_id, *many), "validation_failed")) == ["/limits"]
    assert len(limits_of(await put(api.admin, wallet_id, *many[:20]))["limits"]) == 20
    written = b'{"limits": [{"period": "rolling", "window_s": %s, "amount": "1"}]}'
    for number, wanted in ((b"60.0", 60), (b"3.6e3", 3600)):
        answer = await api.admin.send("PUT", f"/wallets/{wallet_id}/limits", written % number)
        assert limits_of(answer)["limits"][0]["window_s"] == wanted
    for number in (b"60.5", b"1e999999999", b'"60"', b"true"):
        answer = await api.admin.send("PUT", f"/wallets/{wallet_id}/limits", written % number)
        assert answer.status_code in {400, 422}, answer.text
    record = (await api.admin.wallet(keeping="mirrored"))["wallet_id"]
    problem(await put(api.admin, record, DAY), "wallet_mirrored")
    closed = (await api.admin.wallet())["wallet_id"]
    await api.admin.delete(f"/wallets/{closed}")
    problem(await put(api.admin, closed, DAY), "wallet_closed")


async def test_concurrent_debits_stay_within_a_limit(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    limits_of(await put(api.admin, wallet_id, {"period": "rolling", "window_s": 86400, "amount": "7"}))
    answers = await asyncio.gather(*(api.admin.move("consume", wallet_id) for _ in range(20)))
    assert sorted(each.status_code for each in answers) == [201] * 7 + [409] * 13
    (limit,) = (await read(api.admin, wallet_id))["limits"]
    assert limit["used"] == "7.000000"


async def test_a_change_is_an_event_and_in_the_audit_trail(api: Api) -> None:
    wallet = await api.admin.wallet()
    owner = api.user(wallet["user_id"])
    first = limits_of(await put(owner, wallet["wallet_id"], DAY))
    await put(owner, wallet["wallet_id"])
    entries = (await api.admin.get("/audit", action="limits.updated", object_id=wallet["wallet_id"])).json()[
        "items"
    ]
    counted = {"used", "reserved", "remaining", "starts_at", "resets_at"}
    defined = [
        {name: value for name, value in each.items() if name not in counted} for each in first["limits"]
    ]
    assert [(each["before"]["limits"], each["after"]["limits"]) for each in entries] == [
        (defined, []),
        ([], defined),
    ]
    assert {each["user_id"] for each in entries} == {wallet["user_id"]}


async def test_a_rolling_window_frees_what_has_fallen_out(timed_api: Api, clock: SettableClock) -> None:
    now = datetime(2031, 5, 6, tzinfo=UTC)
    await clock.set(now)
    wallet_id = (await timed_api.admin.wallet("100"))["wallet_id"]
    limits_of(await put(timed_api.admin, wallet_id, {"period": "rolling", "window_s": 60, "amount": "10"}))
    for minute in range(3):
        await clock.set(now + timedelta(seconds=20 * minute))
        posted(await timed_api.admin.move("consume", wallet_id, "3"))
    refused = problem(await timed_api.admin.move("consume", wallet_id, "5"), "limit_exceeded")
    assert refused["resets_at"] == "2031-05-06T00:01:20.000000Z", "when enough has fallen out: two of them"
    (limit,) = (await read(timed_api.admin, wallet_id))["limits"]
    assert limit["resets_at"] == "2031-05-06T00:01:00.000000Z", "when the first one falls out"
    await clock.set(now + timedelta(seconds=80))
    posted(await timed_api.admin.move("consume", wallet_id, "5"))
