"""Meters and rate cards over HTTP, on both drivers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.api import Api, conforms, pointers, problem
from support.clock import SettableClock

from wallet_service.billing.rates.card_schemas import RateVersion
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction

from .usage_calls import (
    PER_UNIT,
    TIERS,
    accepted,
    card_of,
    create_card,
    create_meter,
    report,
    send_card,
)

TIERED = {"model": "graduated", "tiers": TIERS}


async def test_a_meter_is_created_once_under_its_name(api: Api) -> None:
    name = f"m{new_id()}"
    body = {"meter": name, "dimensions": ["model"], "unit": "token", "description": "all of them"}
    first = await api.admin.post("/meters", body, key=name)
    assert (first.status_code, first.json()["counter_account"]) == (201, f"revenue:usage:{name}")
    again = await api.admin.post("/meters", body, key=name)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert problem(await api.admin.post("/meters", body), "meter_exists")["meter"] == name
    problem(await api.admin.post("/meters", body | {"unit": "x"}, key=name), "idempotency_key_reused")
    assert (await api.admin.get(f"/meters/{name}")).content == first.content
    problem(await api.admin.get("/meters/none"), "meter_not_found")
    other = await create_meter(api.admin, counter_account="expense:tokens")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await api.admin.get("/meters", limit="2", **({"cursor": cursor} if cursor else {}))).json()
        seen += [each["meter"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert {name, other} <= set(seen)
    assert seen == sorted(seen)


async def test_versions_follow_each_other_and_events_have_that_of_their_moment(
    timed_api: Api, clock: SettableClock
) -> None:
    api = timed_api
    now = datetime(2031, 5, 6, 12, tzinfo=UTC)
    await clock.set(now)
    meter = await create_meter(api.admin)
    card = await create_card(api.admin, meter, TIERED)
    path = f"/rate-cards/{card['rate_card_id']}"
    later = {"prices": [TIERED | {"tiers": [{"unit_price": "2"}]}], "effective_at": "2031-05-07T00:00:00Z"}
    second = card_of(await api.admin.post(f"{path}/versions", later, key="v2"))
    assert (second["version"], second["state"], len(second["versions"])) == (2, "active", 2)
    assert [each["ends_at"] for each in second["versions"]] == ["2031-05-07T00:00:00.000000Z", None]
    again = await api.admin.post(f"{path}/versions", later, key="v2")
    assert (card_of(again), again.headers["Idempotency-Replayed"]) == (second, "true")
    overlap = problem(await api.admin.post(f"{path}/versions", later), "rate_version_overlap")
    assert (overlap["version"], overlap["effective_at"]) == (2, "2031-05-07T00:00:00.000000Z")
    earlier = later | {"effective_at": "2031-05-06T11:59:59Z"}
    assert pointers(problem(await api.admin.post(f"{path}/versions", earlier), "validation_failed")) == [
        "/effective_at"
    ]

    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]
    assert accepted(await report(api.admin, meter, wallet_id, "150"))["amount"] == "125.000000"
    await clock.set(now + timedelta(days=1))
    new = accepted(await report(api.admin, meter, wallet_id, "10"))
    assert (new["amount"], new["rating"]["version"], new["rating"]["quantity_before"]) == (
        "20.000000",
        2,
        "150",
    ), "tiers go on counting"
    late = accepted(await report(api.admin, meter, wallet_id, "10", timestamp="2031-05-06T23:59:59Z"))
    assert (late["amount"], late["rating"]["version"], late["rating"]["quantity_before"]) == (
        "5.000000",
        1,
        "160",
    )
    first = await api.admin.get(f"{path}/versions/1")
    assert conforms(first.content, RateVersion)["prices"] == card["prices"]
    problem(await api.admin.get(f"{path}/versions/3"), "rate_card_not_found")
    problem(await api.admin.get(f"/rate-cards/{new_id()}"), "rate_card_not_found")
    problem(await api.admin.post(f"/rate-cards/{new_id()}/versions", later), "rate_card_not_found")
    assert card_of(await api.admin.get(path)) == second
    listed = (await api.admin.get("/rate-cards", meter=meter, currency="CREDIT")).json()
    assert listed == {"items": [second | {"prices": None}], "next_cursor": None}


async def test_one_card_at_a_time_and_its_end(timed_api: Api, clock: SettableClock) -> None:
    api = timed_api
    now = datetime(2031, 5, 6, 12, tzinfo=UTC)
    await clock.set(now)
    meter = await create_meter(api.admin)
    card = await create_card(api.admin, meter, PER_UNIT)
    path = f"/rate-cards/{card['rate_card_id']}"
    refused = problem(await send_card(api.admin, meter, PER_UNIT), "rate_card_overlap")
    assert refused["rate_card_id"] == card["rate_card_id"]
    await create_card(api.admin, meter, PER_UNIT, currency="USD")
    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]

    ended = card_of(await api.admin.post(f"{path}/end", {"ends_at": "2031-05-08T00:00:00Z"}))
    assert (ended["ends_at"], ended["state"]) == ("2031-05-08T00:00:00.000000Z", "active")
    assert card_of(await api.admin.post(f"{path}/end", {"ends_at": "2031-05-08T00:00:00Z"})) == ended
    late = {"prices": [PER_UNIT], "effective_at": "2031-05-08T00:00:00Z"}
    assert pointers(problem(await api.admin.post(f"{path}/versions", late), "validation_failed")) == [
        "/effective_at"
    ]
    problem(
        await send_card(api.admin, meter, PER_UNIT, effective_at="2031-05-07T23:59:59Z"), "rate_card_overlap"
    )
    following = await create_card(api.admin, meter, PER_UNIT, effective_at="2031-05-08T00:00:00Z")
    assert following["state"] == "scheduled"
    problem(await api.admin.post(f"{path}/end", {"ends_at": "2031-05-08T00:00:01Z"}), "rate_card_overlap")
    await clock.set(now + timedelta(days=2))
    problem(await api.admin.post(f"{path}/versions", {"prices": [PER_UNIT]}), "rate_card_ended")
    problem(await api.admin.post(f"{path}/end", {"ends_at": "2031-05-09T00:00:00Z"}), "rate_card_ended")
    assert card_of(await api.admin.post(f"{path}/end", {}))["ends_at"] == ended["ends_at"]
    assert (
        accepted(await report(api.admin, meter, wallet_id, "4"))["rating"]["rate_card_id"]
        == following["rate_card_id"]
    )
    other = f"/rate-cards/{following['rate_card_id']}"
    now_ended = card_of(await api.admin.post(f"{other}/end", {}))
    assert (now_ended["state"], now_ended["ends_at"]) == ("ended", "2031-05-08T12:00:00.000000Z")
    problem(await report(api.admin, meter, wallet_id, "4"), "price_not_found")
    assert accepted(await report(api.admin, meter, wallet_id, "4", timestamp="2031-05-08T11:59:59.9Z"))


@pytest.mark.parametrize(
    ("price", "pointer"),
    [
        ({"model": "flat"}, "/prices/0/model"),
        ({"model": "per_unit"}, "/prices/0/unit_price"),
        (PER_UNIT | {"unit_price": "0.0000000000000000001"}, "/prices/0/unit_price"),
        (PER_UNIT | {"tiers": TIERS}, "/prices/0/tiers"),
        ({"model": "package", "package_price": "1"}, "/prices/0/package_size"),
        ({"model": "package", "package_size": "1"}, "/prices/0/package_price"),
        ({"model": "volume"}, "/prices/0/tiers"),
        (TIERED | {"tiers": []}, "/prices/0/tiers"),
        (TIERED | {"tiers": [{"unit_price": "1"}] * 2}, "/prices/0/tiers/0/up_to"),
        (TIERED | {"tiers": [{"up_to": "5", "unit_price": "1"}]}, "/prices/0/tiers/0/up_to"),
        (
            TIERED | {"tiers": [{"up_to": "5", "unit_price": "1"}] * 2 + [{"unit_price": "1"}]},
            "/prices/0/tiers/1/up_to",
        ),
        (
            TIERED
            | {
                "tiers": [
                    {"up_to": "5", "unit_price": "1"},
                    {"up_to": "4", "unit_price": "1"},
                    {"unit_price": "1"},
                ]
            },
            "/prices/0/tiers/1/up_to",
        ),
        (TIERED | {"tiers": [{"up_to": "5"}, {"unit_price": "1"}]}, "/prices/0/tiers/0/unit_price"),
        (PER_UNIT | {"dimensions": {"region": "eu"}}, "/prices/0/dimensions"),
        (PER_UNIT | {"minimum": "1"}, "/prices/0/minimum"),
    ],
)
async def test_what_is_no_price_is_refused(direct_api: Api, price: dict[str, Any], pointer: str) -> None:
    meter = await create_meter(direct_api.admin, "model")
    answer = await send_card(direct_api.admin, meter, price)
    assert pointers(problem(answer, "validation_failed")) == [pointer]
    assert (await direct_api.admin.get("/rate-cards", meter=meter)).json()["items"] == []


@pytest.mark.parametrize(
    "price",
    [
        PER_UNIT | {"unit_price": "-1"},
        PER_UNIT | {"included": "-1"},
        {"model": "package", "package_size": "0", "package_price": "1"},
        TIERED | {"tiers": [{"up_to": "-5", "unit_price": "1"}, {"unit_price": "1"}]},
        TIERED | {"tiers": [{"unit_price": "-1"}]},
        TIERED | {"tiers": [{"unit_price": "1", "flat_amount": "-1"}]},
    ],
)
async def test_no_number_is_below_0(direct_api: Api, price: dict[str, Any]) -> None:
    meter = await create_meter(direct_api.admin)
    problem(await send_card(direct_api.admin, meter, price), "amount_invalid")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"currency": "XYZ"}, "/currency"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"volume_pricing": "later"}, "/volume_pricing"),
        ({"counter_account": "external:x"}, "/counter_account"),
        ({"effective_at": "2020-01-01T00:00:00Z"}, "/effective_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"prices": []}, "/prices"),
        ({"prices": [PER_UNIT] * 101}, "/prices"),
        ({"prices": [PER_UNIT, PER_UNIT]}, "/prices/1/dimensions"),
        ({"prices": [PER_UNIT, PER_UNIT | {"dimensions": {"model": "x"}}]}, "/prices/1/dimensions"),
    ],
)
async def test_what_is_no_rate_card_is_refused(
    direct_api: Api, members: dict[str, Any], pointer: str
) -> None:
    meter = await create_meter(direct_api.admin, "model")
    answer = await send_card(direct_api.admin, meter, PER_UNIT, **members)
    assert pointers(problem(answer, "validation_failed")) == [pointer]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"meter": "Tokens"}, "/meter"),
        ({"meter": "x" * 65}, "/meter"),
        ({"dimensions": ["a"] * 2}, "/dimensions"),
        ({"dimensions": ["a b"]}, "/dimensions/0"),
        ({"dimensions": ["day"]}, "/dimensions"),
        ({"dimensions": [f"d{each}" for each in range(11)]}, "/dimensions"),
        ({"counter_account": "promotions"}, "/counter_account"),
        ({"max_age_s": -1}, "/max_age_s"),
        ({"unit": "x" * 65}, "/unit"),
    ],
)
async def test_what_is_no_meter_is_refused(direct_api: Api, members: dict[str, Any], pointer: str) -> None:
    answer = await direct_api.admin.post("/meters", {"meter": f"m{new_id()}"} | members)
    assert pointers(problem(answer, "validation_failed")) == [pointer]


async def test_who_may_read_and_change_rates(api: Api) -> None:
    meter = await create_meter(api.admin)
    problem(await send_card(api.admin, "none", PER_UNIT), "meter_not_found")
    reader, user = await api.service("rates:read"), api.user()
    card = await create_card(api.admin, meter, PER_UNIT)
    for path in ("/meters", f"/meters/{meter}", "/rate-cards", f"/rate-cards/{card['rate_card_id']}"):
        assert (await reader.get(path)).status_code == 200
        problem(await user.get(path), "forbidden")
    assert problem(await send_card(reader, meter, PER_UNIT), "forbidden")["scope"] == "rates:write"
    restricted = await api.service("rates:read", restriction=Restriction(user_id="x"))
    problem(await restricted.get("/meters"), "forbidden")


async def test_a_card_has_at_most_100_versions(timed_api: Api, clock: SettableClock) -> None:
    api = timed_api
    now = datetime(2031, 5, 6, 12, tzinfo=UTC)
    await clock.set(now)
    meter = await create_meter(api.admin)
    path = f"/rate-cards/{(await create_card(api.admin, meter, PER_UNIT))['rate_card_id']}/versions"
    for number in range(2, 101):
        await clock.advance(timedelta(seconds=1))
        assert card_of(await api.admin.post(path, {"prices": [PER_UNIT]}))["version"] == number
    await clock.advance(timedelta(seconds=1))
    assert problem(await api.admin.post(path, {"prices": [PER_UNIT]}), "rate_version_limit")["limit"] == 100
