"""Schedules of grants over HTTP, on both drivers, with the clock moving."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, pointers, posted, problem
from support.clock import SettableClock

from wallet_service.billing.grants.schedule_schemas import GrantSchedule, GrantSchedules
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.auth.restrictions import Restriction

MONTHLY = {"amount": "100", "source": "plan", "day_of_month": 1}
START = datetime(2031, 1, 10, 12, tzinfo=UTC)


async def create(client: Client, wallet: str, **members: Any) -> dict[str, Any]:
    answer = await client.post(f"/wallets/{wallet}/grant-schedules", MONTHLY | members)
    assert answer.status_code == 201, answer.text
    found = conforms(answer.content, GrantSchedule)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    assert answer.headers["Location"] == f"/api/v1/wallets/{wallet}/grant-schedules/{found['schedule_id']}"
    return found


async def patch(
    client: Client, schedule: dict[str, Any], changes: dict[str, Any], if_match: str | None = None
) -> httpx.Response:
    headers = {"If-Match": if_match} if if_match is not None else None
    return await client.send("PATCH", path_of(schedule), changes, headers=headers)


def path_of(schedule: dict[str, Any]) -> str:
    return f"/wallets/{schedule['wallet_id']}/grant-schedules/{schedule['schedule_id']}"


async def grants(client: Client, wallet: str, **query: str) -> list[dict[str, Any]]:
    """The wallet's grants, oldest first."""
    found = await client.get(f"/wallets/{wallet}/grants", limit=100, **query)
    return sorted(found.json()["items"], key=lambda each: (each["effective_at"], each["grant_id"]))


async def moments(client: Client, wallet: str) -> list[str]:
    return [each["effective_at"][:16] for each in await grants(client, wallet)]


async def balance(client: Client, wallet: str) -> Decimal:
    return Decimal((await client.read(wallet))["balance"])


async def new_wallet(api: Api) -> str:
    return (await api.admin.wallet(currency="CREDIT"))["wallet_id"]


async def test_each_month_brings_credits_that_end_with_it(timed_api: Api, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    schedule = await create(timed_api.admin, wallet, priority=3, reference="pro", metadata={"plan": None})
    assert schedule["next_at"] == "2031-02-01T00:00:00.000000Z"
    assert await grants(timed_api.admin, wallet) == []

    await clock.set(datetime(2031, 2, 1, tzinfo=UTC))
    (first,) = await grants(timed_api.admin, wallet)
    assert (first["state"], first["amount"], first["source"], first["priority"]) == (
        "active",
        "100.000000",
        "plan",
        3,
    )
    assert (first["expires_at"], first["schedule_id"]) == (
        "2031-03-01T00:00:00.000000Z",
        schedule["schedule_id"],
    )
    assert (first["metadata"], first["counter_account"]) == ({"plan": None}, "promotions:plan")
    posted(await timed_api.admin.move("consume", wallet, "30"))

    await clock.set(datetime(2031, 3, 1, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == 100
    old, new = await grants(timed_api.admin, wallet)
    assert (old["state"], old["used"], old["expired"]) == ("expired", "30.000000", "70.000000")
    assert (new["state"], new["remaining"]) == ("active", "100.000000")
    answer = await timed_api.admin.get(path_of(schedule))
    read = conforms(answer.content, GrantSchedule)
    assert read == schedule | {"next_at": "2031-04-01T00:00:00.000000Z"}
    listed = await timed_api.admin.get(f"/wallets/{wallet}/grant-schedules")
    assert conforms(listed.content, GrantSchedules) == {"items": [read]}


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        (31, "UTC", ["01-31T00:00", "02-28T00:00", "03-31T00:00", "04-30T00:00", "05-31T00:00"]),
        # Clocks are set forward on 30 March 2031 and back on 26 October.
        (30, "Europe/Berlin", ["01-29T23:00", "02-27T23:00", "03-29T23:00", "04-29T22:00", "05-29T22:00"]),
        (1, "Pacific/Apia", ["01-31T11:00", "02-28T11:00", "03-31T11:00", "04-30T11:00", "05-31T11:00"]),
    ],
)
async def test_periods_begin_at_midnight_of_the_day_where_the_schedule_is(
    timed_api: Api, clock: SettableClock, day: int, zone: str, begins: list[str]
) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    await create(timed_api.admin, wallet, day_of_month=day, time_zone=zone)
    await clock.set(datetime(2031, 5, 31, 23, tzinfo=UTC))
    assert await moments(timed_api.admin, wallet) == [f"2031-{each}" for each in begins]


async def test_february_of_a_leap_year_and_a_midnight_that_comes_twice(
    timed_api: Api, clock: SettableClock
) -> None:
    await clock.set(datetime(2032, 2, 1, tzinfo=UTC))
    wallet = await new_wallet(timed_api)
    schedule = await create(timed_api.admin, wallet, day_of_month=30)
    assert schedule["next_at"] == "2032-02-29T00:00:00.000000Z"
    # In Havana clocks are set back from 1:00 to 0:00 on 3 November 2030: the period begins at the first midnight.
    await clock.set(datetime(2030, 10, 10, tzinfo=UTC))
    wallet = await new_wallet(timed_api)
    schedule = await create(timed_api.admin, wallet, day_of_month=3, time_zone="America/Havana")
    assert schedule["next_at"] == "2030-11-03T04:00:00.000000Z"


async def test_months_asleep_are_granted_exactly_once(timed_api: Api, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    await create(timed_api.admin, wallet)
    await clock.set(datetime(2031, 9, 15, tzinfo=UTC))
    for _ in range(2):
        assert await balance(timed_api.admin, wallet) == 100
    found = await grants(timed_api.admin, wallet)
    assert [each["effective_at"][:7] for each in found] == [f"2031-0{month}" for month in range(2, 10)]
    assert [each["state"] for each in found] == ["expired"] * 7 + ["active"]
    entries = (await timed_api.admin.get(f"/wallets/{wallet}/transactions")).json()["items"]
    assert len(entries) == 8 + 7
    events = (await timed_api.admin.get("/events", wallet_id=wallet, limit=100)).json()["items"]
    kinds = [each["type"] for each in events]
    assert (kinds.count("grant.created"), kinds.count("grant.started"), kinds.count("grant.expired")) == (
        8,
        8,
        7,
    )


@pytest.mark.parametrize(
    ("rollover", "march", "april"),
    [
        ({"rollover": "none"}, "100", "100"),
        ({"rollover": "all"}, "170", "270"),
        ({"rollover": "cap", "rollover_value": "25"}, "125", "125"),
        ({"rollover": "cap", "rollover_value": "500"}, "170", "200"),
        ({"rollover": "percent", "rollover_value": "33.333333"}, "123.333333", "133.333333"),
    ],
)
async def test_the_rest_of_a_period_is_carried_over_once(
    timed_api: Api, clock: SettableClock, rollover: dict[str, str], march: str, april: str
) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    await create(timed_api.admin, wallet, **rollover)
    await clock.set(datetime(2031, 2, 1, tzinfo=UTC))
    posted(await timed_api.admin.move("consume", wallet, "30"))
    await clock.set(datetime(2031, 3, 1, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == Decimal(march)
    await clock.set(datetime(2031, 4, 1, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == Decimal(april)
    if rollover["rollover"] in {"cap", "percent"}:
        first = (await grants(timed_api.admin, wallet))[0]
        assert (first["state"], first["carried_from"]) == ("expired", "2031-03-01T00:00:00.000000Z")


async def test_nothing_is_carried_past_the_end_of_a_schedule(timed_api: Api, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    schedule = await create(
        timed_api.admin,
        wallet,
        rollover="percent",
        rollover_value="50",
        ends_at="2031-04-01T00:00:00Z",
    )
    await clock.set(datetime(2031, 3, 1, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == 150
    assert (await timed_api.admin.get(path_of(schedule))).json()["next_at"] is None, "April begins at its end"
    await clock.set(datetime(2031, 4, 1, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == 0
    assert [each["state"] for each in await grants(timed_api.admin, wallet)] == ["expired", "expired"]


async def test_a_period_that_has_begun_is_granted_at_once(timed_api: Api, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    schedule = await create(
        timed_api.admin, wallet, day_of_month=10, starts_at="2031-01-10T00:00:00Z", notice_s=86_400
    )
    assert schedule["next_at"] == "2031-02-10T00:00:00.000000Z"
    assert await balance(timed_api.admin, wallet) == 100
    early = await timed_api.admin.post(
        f"/wallets/{wallet}/grant-schedules", MONTHLY | {"starts_at": "2030-12-01T00:00:00Z"}
    )
    assert pointers(problem(early, "validation_failed")) == ["/starts_at"]


async def test_a_change_is_for_the_periods_that_begin_later(timed_api: Api, clock: SettableClock) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    schedule = await create(timed_api.admin, wallet, rollover="cap", rollover_value="10")
    # Two periods have begun, and no call has touched the wallet since: they are granted as the schedule was.
    await clock.set(datetime(2031, 3, 5, tzinfo=UTC))
    changed = await patch(timed_api.admin, schedule, {"amount": "7", "rollover": "none"}, '"1"')
    assert changed.json()["version"] == 2
    assert (changed.json()["rollover_value"], changed.headers["ETag"]) == (None, '"2"')
    assert await balance(timed_api.admin, wallet) == 110
    await clock.set(datetime(2031, 4, 1, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == 7, "the rule of rollover is that of the moment"
    again = await patch(timed_api.admin, schedule, {"amount": "8"}, '"1"')
    assert problem(again, "version_mismatch")["version"] == 2
    same = await patch(timed_api.admin, schedule, {"amount": "7.0", "pays": None}, "*")
    assert same.json()["version"] == 2, "without a change the version stays"


async def test_a_stopped_schedule_goes_on_without_what_was_missed(
    timed_api: Api, clock: SettableClock
) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    schedule = await create(timed_api.admin, wallet)
    stopped = await patch(timed_api.admin, schedule, {"ends_at": "2031-01-01T00:00:00Z"})
    assert stopped.json()["next_at"] is None
    await clock.set(datetime(2031, 6, 10, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == 0
    resumed = await patch(timed_api.admin, schedule, {"ends_at": None})
    assert resumed.json()["next_at"] == "2031-07-01T00:00:00.000000Z"
    await clock.set(datetime(2031, 7, 1, tzinfo=UTC))
    assert await moments(timed_api.admin, wallet) == ["2031-07-01T00:00"]


async def test_a_deleted_schedule_leaves_its_grants_until_they_end(
    timed_api: Api, clock: SettableClock
) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    schedule = await create(timed_api.admin, wallet, rollover="cap", rollover_value="40")
    await clock.set(datetime(2031, 2, 20, tzinfo=UTC))
    stale = await timed_api.admin.send("DELETE", path_of(schedule), headers={"If-Match": '"9"'})
    problem(stale, "version_mismatch")
    assert (await timed_api.admin.delete(path_of(schedule))).status_code == 204
    problem(await timed_api.admin.delete(path_of(schedule)), "grant_schedule_not_found")
    problem(await timed_api.admin.get(path_of(schedule)), "grant_schedule_not_found")
    assert await balance(timed_api.admin, wallet) == 100
    await clock.set(datetime(2031, 3, 1, tzinfo=UTC))
    assert await balance(timed_api.admin, wallet) == 0, "nothing is carried over"
    audit = (await timed_api.admin.get("/audit", object_id=schedule["schedule_id"])).json()["items"]
    assert [each["action"] for each in audit] == ["grant_schedule.deleted", "grant_schedule.created"]


async def test_the_same_key_creates_one_schedule(api: Api) -> None:
    wallet = await new_wallet(api)
    key = new_id()
    sent = [await api.admin.post(f"/wallets/{wallet}/grant-schedules", MONTHLY, key=key) for _ in range(2)]
    assert [each.status_code for each in sent] == [201, 201]
    assert sent[0].content == sent[1].content
    assert sent[1].headers["Idempotency-Replayed"] == "true"
    other = await api.admin.post(f"/wallets/{wallet}/grant-schedules", MONTHLY | {"amount": "1"}, key=key)
    problem(other, "idempotency_key_reused")
    assert len((await api.admin.get(f"/wallets/{wallet}/grant-schedules")).json()["items"]) == 1


async def test_a_wallet_has_at_most_20_schedules(direct_api: Api) -> None:
    wallet = await new_wallet(direct_api)
    for _ in range(20):
        await create(direct_api.admin, wallet)
    more = await direct_api.admin.post(f"/wallets/{wallet}/grant-schedules", MONTHLY)
    assert problem(more, "grant_schedule_limit")["limit"] == 20


async def test_others_find_none_and_an_owner_only_reads(api: Api) -> None:
    owner = api.user()
    wallet = (await api.admin.wallet(currency="CREDIT", user_id=owner.user_id))["wallet_id"]
    schedule = await create(api.admin, wallet)
    assert (await owner.get(path_of(schedule))).json() == schedule
    assert problem(await owner.delete(path_of(schedule)), "forbidden")["scope"] == "grants:write"
    stranger = api.user()
    problem(await stranger.get(path_of(schedule)), "wallet_not_found")
    problem(await stranger.get(f"/wallets/{wallet}/grant-schedules"), "wallet_not_found")
    problem(await api.admin.get(f"/wallets/{wallet}/grant-schedules/{new_id()}"), "grant_schedule_not_found")
    elsewhere = schedule | {"wallet_id": new_id()}
    problem(await api.admin.get(path_of(elsewhere)), "wallet_not_found")
    problem(await patch(api.admin, elsewhere, {"amount": "1"}), "wallet_not_found")
    another = schedule | {"wallet_id": await new_wallet(api)}
    problem(await api.admin.delete(path_of(another)), "grant_schedule_not_found")
    mirrored = (await api.admin.wallet(keeping="mirrored"))["wallet_id"]
    problem(await api.admin.post(f"/wallets/{mirrored}/grant-schedules", MONTHLY), "wallet_mirrored")


async def test_a_restricted_key_schedules_only_what_it_could_grant(direct_api: Api) -> None:
    api = direct_api
    wallet = await new_wallet(api)
    schedule = await create(api.admin, wallet)
    restriction = Restriction(counter_accounts=("promotions:plan",), max_amount=Decimal(100))
    key = await create_key(api.app.state.database, "planner", ["grants:write"], restriction=restriction)
    client = Client(api.app, api.http, key)
    others = await create_key(
        api.app.state.database,
        "giver",
        ["grants:write"],
        restriction=Restriction(counter_accounts=("promotions",)),
    )
    own = await create(client, wallet)
    problem(await client.post(f"/wallets/{wallet}/grant-schedules", MONTHLY | {"amount": "101"}), "forbidden")
    problem(
        await client.post(f"/wallets/{wallet}/grant-schedules", MONTHLY | {"source": "purchase"}), "forbidden"
    )
    problem(await patch(client, own, {"amount": "101"}), "forbidden")
    problem(await Client(api.app, api.http, others).delete(path_of(schedule)), "forbidden")
    assert (await client.delete(path_of(own))).status_code == 204


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"day_of_month": 32}, "/day_of_month"),
        ({"day_of_month": 1.5}, "/day_of_month"),
        ({"source": "refund"}, "/source"),
        ({"time_zone": "CET"}, "/time_zone"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"rollover": "some"}, "/rollover"),
        ({"rollover": "cap"}, "/rollover_value"),
        ({"rollover_value": "5"}, "/rollover_value"),
        ({"rollover": "percent", "rollover_value": "100.1"}, "/rollover_value"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"pays": ["usage"]}, "/pays/0"),
        ({"unit_cost": "1"}, "/cost_currency"),
        ({"unit_cost": "1", "cost_currency": "XXX"}, "/cost_currency"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ],
)
async def test_what_is_no_schedule_is_refused(direct_api: Api, members: dict[str, Any], pointer: str) -> None:
    wallet = await new_wallet(direct_api)
    answer = await direct_api.admin.post(f"/wallets/{wallet}/grant-schedules", MONTHLY | members)
    assert pointers(problem(answer, "validation_failed")) == [pointer]
    assert (await direct_api.admin.get(f"/wallets/{wallet}/grant-schedules")).json()["items"] == []


async def test_what_can_not_be_changed_is_refused(direct_api: Api) -> None:
    wallet = (await direct_api.admin.wallet(currency="USD"))["wallet_id"]
    schedule = await create(direct_api.admin, wallet)
    for changes, pointer in (
        ({"day_of_month": 2}, "/day_of_month"),
        ({"priority": None}, "/priority"),
        ({"rollover": "cap"}, "/rollover_value"),
        ({"unit_cost": "2"}, "/cost_currency"),
    ):
        answer = await patch(direct_api.admin, schedule, changes)
        assert pointers(problem(answer, "validation_failed")) == [pointer], changes
    problem(await patch(direct_api.admin, schedule, {"amount": "0.001"}), "amount_precision")
    problem(
        await patch(direct_api.admin, schedule, {"rollover": "cap", "rollover_value": "0.001"}),
        "amount_precision",
    )
    assert (await direct_api.admin.get(path_of(schedule))).json() == schedule


async def test_a_period_is_granted_once_though_many_come_at_its_begin(
    timed_api: Api, clock: SettableClock
) -> None:
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    schedule = await create(timed_api.admin, wallet)
    await clock.set(datetime(2031, 3, 1, tzinfo=UTC))
    calls = [
        *(timed_api.admin.move("consume", wallet, "1") for _ in range(10)),
        *(timed_api.admin.get(f"/wallets/{wallet}/grants") for _ in range(5)),
        *(patch(timed_api.admin, schedule, {"priority": each}) for each in range(3)),
    ]
    assert {each.status_code for each in await asyncio.gather(*calls)} == {200, 201}
    assert await balance(timed_api.admin, wallet) == 90
    assert [each["state"] for each in await grants(timed_api.admin, wallet)] == ["expired", "active"]


async def test_a_schedule_follows_the_clock_though_reads_come_late(
    timed_api: Api, clock: SettableClock
) -> None:
    """A debit, a job and a read find the same, whichever is first."""
    await clock.set(START)
    wallet = await new_wallet(timed_api)
    await create(timed_api.admin, wallet)
    await clock.set(datetime(2031, 2, 1, tzinfo=UTC) - timedelta(microseconds=1))
    problem(await timed_api.admin.move("consume", wallet, "1"), "insufficient_funds")
    await clock.set(datetime(2031, 2, 1, tzinfo=UTC))
    posted(await timed_api.admin.move("consume", wallet, "1"))
    assert await balance(timed_api.admin, wallet) == 99
