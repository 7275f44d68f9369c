"""Rated usage over HTTP, on both drivers."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api, pointers, problem
from support.clock import SettableClock

from wallet_service.billing.rates.list_schemas import UsageTotals
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify
from wallet_service.platform.auth.restrictions import Restriction

from .usage_calls import (
    PER_UNIT,
    TIERS,
    accepted,
    amounts,
    batch,
    create_card,
    create_meter,
    event,
    priced_meter,
    report,
)


async def test_an_event_is_priced_posted_once_and_explained(api: Api) -> None:
    meter = await create_meter(api.admin)
    card = await create_card(api.admin, meter, PER_UNIT)
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]

    name = new_id()
    first = await report(api.admin, meter, wallet_id, "10", event_id=name)
    usage = accepted(first)
    again = await report(api.admin, meter, wallet_id, "010.0", event_id=name)

    assert (usage["amount"], usage["quantity"]) == ("2.500000", "10")
    assert usage["rating"]["rate_card_id"] == card["rate_card_id"]
    assert (usage["rating"]["version"], usage["rating"]["unit_price"]) == (1, "0.25")
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await api.admin.balance(wallet_id) == "97.500000"
    other = problem(await report(api.admin, meter, wallet_id, "11", event_id=name), "usage_event_conflict")
    assert other["event_id"] == name
    found = (await api.admin.get(f"/transactions/{usage['transaction_id']}")).json()
    assert (found["transaction_type"], found["counter_account"]) == ("consume", f"revenue:usage:{meter}")
    assert (found["reference"], found["effective_at"]) == (name, usage["timestamp"])
    assert (await api.admin.get(f"/usage/{usage['usage_id']}")).content == first.content


async def test_the_same_id_of_another_source_or_client_is_another_event(api: Api) -> None:
    meter = await priced_meter(api.admin, PER_UNIT)
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    other, name = await api.service("usage:write"), new_id()
    for client, members in ((api.admin, {}), (api.admin, {"source": "eu"}), (other, {})):
        accepted(await report(client, meter, wallet_id, "4", event_id=name, **members))
    assert await api.admin.balance(wallet_id) == "97.000000"


async def test_a_cloud_event_is_the_same_as_a_simple_one(api: Api) -> None:
    meter = await create_meter(api.admin, "model")
    await create_card(api.admin, meter, {"dimensions": {"model": "large"}} | PER_UNIT)
    owner, name = api.user(), new_id()
    wallet_id = (await api.admin.wallet("100", user_id=owner.user_id))["wallet_id"]
    cloud: dict[str, Any] = {
        "specversion": "1.0",
        "id": name,
        "source": "/inference",
        "type": meter,
        "subject": f"user:{owner.user_id}",
        "time": "2020-01-01T00:00:00Z",
        "extension": "is ignored",
        "datacontenttype": "application/json",
        "data": {"quantity": 8, "dimensions": {"model": "large"}},
    }
    problem(await api.admin.post("/usage", cloud), "price_not_found")
    del cloud["time"]
    headers = {"Content-Type": "application/cloudevents+json"}
    first = await api.admin.send("POST", "/usage", cloud, headers=headers)
    assert accepted(first)["wallet_id"] == wallet_id
    simple = event(meter, wallet_id, "8", event_id=name, source="/inference", dimensions={"model": "large"})
    again = await api.admin.post("/usage", simple)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    subject = {"subject": f"wallet:{wallet_id.upper()}", "id": new_id()}
    assert accepted(await api.admin.post("/usage", cloud | subject))["wallet_id"] == wallet_id
    for faulty, pointer in (
        ({"subject": "nobody"}, "/subject"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"data": {"quantity": "1", "more": 1}}, "/data/more"),
        ({"data": {"quantity": "1", "dimensions": {"model": 1}}}, "/data/dimensions/model"),
    ):
        assert pointers(problem(await api.admin.post("/usage", cloud | faulty), "validation_failed")) == [
            pointer
        ]


async def test_tiers_count_by_month_in_the_time_zone_and_late_events_by_their_timestamp(
    timed_api: Api, clock: SettableClock
) -> None:
    api = timed_api
    now = datetime(2031, 3, 31, 21, 59, tzinfo=UTC)  # a minute before April in Berlin
    await clock.set(now - timedelta(days=40))
    meter = await priced_meter(api.admin, {"model": "graduated", "tiers": TIERS}, time_zone="Europe/Berlin")
    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]
    await clock.set(now)
    march = accepted(await report(api.admin, meter, wallet_id, "150"))
    assert (march["amount"], march["rating"]["month"], march["rating"]["day"]) == (
        "125.000000",
        "2031-03",
        "2031-03-31",
    )
    assert [(each["up_to"], each["quantity"], each["amount"]) for each in march["rating"]["lines"]] == [
        ("100", "100", "100"),
        ("200", "50", "25"),
    ]
    await clock.advance(timedelta(minutes=1))
    april = accepted(await report(api.admin, meter, wallet_id, "10"))
    assert (april["amount"], april["rating"]["month"]) == ("10.000000", "2031-04")
    late = accepted(await report(api.admin, meter, wallet_id, "100", timestamp="2031-03-31T21:59:59.999999Z"))
    assert (late["rating"]["quantity_before"], late["amount"]) == ("150", "37.500000")
    assert late["created_at"] > late["timestamp"]
    moved = (await api.admin.get(f"/transactions/{late['usage_id']}")).json()
    assert moved["effective_at"] == late["timestamp"]


async def test_volume_prices_by_the_tier_that_was_reached_or_with_the_difference(api: Api) -> None:
    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]
    for pricing, wanted in (
        ("reached", ["60.000000", "20.000000", "25.000000", "0.250000"]),
        ("difference", ["60.000000", "-10.000000", "0.000000", "0.250000"]),
    ):
        price = {"model": "volume", "tiers": TIERS}
        meter = await priced_meter(api.admin, price, volume_pricing=pricing)
        found = [
            accepted(await report(api.admin, meter, wallet_id, each)) for each in ("60", "40", "100", "1")
        ]
        if pricing == "reached":
            assert [each["amount"] for each in found] == ["60.000000", "40.000000", "50.000000", "0.250000"]
        else:
            # 60, then 100 in the first tier, then 200 at 0.5, then 201 at 0.25.
            assert [each["amount"] for each in found] == ["60.000000", "40.000000", "0.000000", "-49.750000"]
            assert found[2]["transaction_id"] is None
            back = (await api.admin.get(f"/transactions/{found[3]['usage_id']}")).json()
            assert (back["transaction_type"], back["direction"]) == ("usage_correction", "credit")
            assert back["counter_account"] == f"revenue:usage:{meter}"
        del wanted
    assert await api.admin.balance(wallet_id) == "799.500000"


async def test_packages_and_included_quantities(api: Api) -> None:
    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]
    price = {"model": "package", "package_size": "1000", "package_price": "3", "included": "500"}
    meter = await priced_meter(api.admin, price)
    found = [
        accepted(await report(api.admin, meter, wallet_id, each))
        for each in ("500", "0.5", "999.5", "1", "5000")
    ]
    assert [each["amount"] for each in found] == [
        "0.000000",
        "3.000000",
        "0.000000",
        "3.000000",
        "15.000000",
    ]
    assert (found[0]["transaction_id"], found[0]["rating"]["included"]) == (None, "500")
    assert found[4]["rating"]["lines"] == [
        {"kind": "packages", "packages": "5", "package_size": "1000", "package_price": "3", "amount": "15"}
    ]


async def test_what_rounds_to_nothing_is_recorded_and_counts(api: Api) -> None:
    wallet_id = (await api.admin.wallet("1", currency="USD"))["wallet_id"]
    meter = await priced_meter(api.admin, {"model": "per_unit", "unit_price": "0.001"}, currency="USD")
    events = [event(meter, wallet_id, each) for each in ("4", "5", "14.999", "0")]
    assert amounts(await batch(api.admin, *events)) == ["0.00", "0.01", "0.01", "0.00"]
    assert await api.admin.balance(wallet_id) == "0.98"
    totals = (await api.admin.get(f"/wallets/{wallet_id}/usage")).json()
    assert totals["items"] == [
        {"group": {"meter": meter}, "quantity": "23.999", "amount": "0.02", "events": 4}
    ]


async def test_the_price_is_the_first_whose_dimensions_the_event_has(api: Api) -> None:
    meter = await create_meter(api.admin, "model", "region")
    await create_card(
        api.admin,
        meter,
        {"dimensions": {"model": "large", "region": "eu"}, "model": "per_unit", "unit_price": "3"},
        {"dimensions": {"model": "large"}, "model": "per_unit", "unit_price": "2"},
        {"dimensions": {"region": "eu"}, "model": "per_unit", "unit_price": "1"},
    )
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    asked = (
        {"model": "large", "region": "eu"},
        {"model": "large"},
        {"model": "large", "region": "us"},
        {"model": "small", "region": "eu"},
        {"model": "small"},
        {},
    )
    results = await batch(api.admin, *[event(meter, wallet_id, "1", dimensions=each) for each in asked])
    assert amounts(results) == [
        "3.000000",
        "2.000000",
        "2.000000",
        "1.000000",
        "price_not_found",
        "price_not_found",
    ]
    assert results[4]["problem"]["dimensions"] == {"model": "small"}


async def test_a_refused_event_does_not_count_and_can_be_sent_again(api: Api) -> None:
    meter = await priced_meter(api.admin, {"model": "graduated", "tiers": TIERS})
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    sent = [event(meter, wallet_id, each) for each in ("90", "20", "10")]
    results = await batch(api.admin, *sent)
    assert amounts(results) == ["90.000000", "insufficient_funds", "10.000000"]
    assert results[1]["problem"] | {"status": 402, "shortfall": "5.000000"} == results[1]["problem"]
    await api.admin.move("deposit", wallet_id, "10")
    again = await batch(api.admin, *sent)
    assert amounts(again) == ["90.000000", "10.000000", "10.000000"], "20 units in the second tier"
    assert [each["replayed"] for each in again] == [True, False, True]
    problem(await report(api.admin, meter, wallet_id, "1"), "insufficient_funds")


async def test_a_batch_stands_alone_or_together_and_a_dry_run_keeps_nothing(api: Api) -> None:
    meter = await priced_meter(api.admin, {"model": "graduated", "tiers": TIERS})
    wallet_id = (await api.admin.wallet("150"))["wallet_id"]
    sent = [event(meter, wallet_id, "100"), {"event_id": "x"}, event(meter, wallet_id, "100")]
    dry = await batch(api.admin, *sent, dry_run=True)
    assert amounts(dry) == ["100.000000", "validation_failed", "50.000000"]
    assert [each["usage"]["dry_run"] for each in (dry[0], dry[2])] == [True, True]
    single = await api.admin.send("POST", "/usage", sent[0], query={"dry_run": "true"})
    assert (single.status_code, single.json()["transaction_id"]) == (200, None)
    assert await api.admin.balance(wallet_id) == "150.000000"

    answer = await api.admin.post("/usage/batch", {"events": sent, "atomic": True})
    assert problem(answer, "validation_failed")["index"] == 1
    answer = await api.admin.post(
        "/usage/batch", {"events": [sent[0], sent[2], sent[0] | {"event_id": "z"}], "atomic": True}
    )
    refused = problem(answer, "insufficient_funds")
    assert (refused["index"], [each["problem"]["code"] for each in refused["results"]]) == (
        2,
        ["batch_aborted", "batch_aborted", "insufficient_funds"],
    )
    twice = [sent[0], sent[0], sent[0] | {"quantity": "1"}]
    results = await batch(api.admin, *twice)
    assert amounts(results) == ["100.000000", "100.000000", "usage_event_conflict"]
    assert [each.get("replayed") for each in results] == [False, True, None]
    assert await api.admin.balance(wallet_id) == "50.000000"


async def test_a_user_pays_from_the_wallet_in_the_currency_of_the_rate_card(api: Api) -> None:
    meter = await priced_meter(api.admin, PER_UNIT)
    owner, other = api.user(), api.user()
    wallet_id = (await api.admin.wallet("10", user_id=owner.user_id))["wallet_id"]
    sent = event(meter, None, "4", user_id=owner.user_id)
    first = accepted(await owner.post("/usage", sent))
    assert first["wallet_id"] == wallet_id
    # Another wallet becomes the primary one: the event is still the same.
    second = (await api.admin.wallet("10", user_id=owner.user_id, name="second"))["wallet_id"]
    assert (await api.admin.patch(f"/wallets/{second}", {"is_primary": True})).status_code == 200
    assert (await owner.post("/usage", sent)).headers["Idempotency-Replayed"] == "true"
    assert accepted(await owner.post("/usage", sent | {"event_id": "2"}))["wallet_id"] == second

    problem(await other.post("/usage", sent), "wallet_not_found")
    problem(await other.post("/usage", event(meter, wallet_id, "1")), "wallet_not_found")
    problem(await api.admin.post("/usage", event(meter, None, "1", user_id="nobody")), "wallet_not_found")
    problem(await api.admin.post("/usage", event("none", None, "1", user_id="nobody")), "meter_not_found")
    bare = await create_meter(api.admin)
    problem(await api.admin.post("/usage", event(bare, None, "1", user_id=owner.user_id)), "price_not_found")
    await create_card(api.admin, meter, PER_UNIT, currency="USD")
    answer = await api.admin.post("/usage", event(meter, None, "1", user_id=owner.user_id))
    assert pointers(problem(answer, "validation_failed")) == ["/currency"]
    accepted(
        await api.admin.post("/usage", event(meter, None, "1", user_id=owner.user_id, currency="CREDIT"))
    )


async def test_a_restricted_key_reports_for_its_wallets_accounts_and_amounts_only(api: Api) -> None:
    meter = await priced_meter(api.admin, PER_UNIT)
    wallet = await api.admin.wallet("100")
    wallet_id = wallet["wallet_id"]
    elsewhere = await api.service("usage:write", restriction=Restriction(user_id="x"))
    problem(await report(elsewhere, meter, wallet_id, "1"), "wallet_not_found")
    account = await api.service("usage:write", restriction=Restriction(counter_accounts=("revenue:other*",)))
    refused = problem(await report(account, meter, wallet_id, "1"), "forbidden")
    assert refused["counter_account"] == f"revenue:usage:{meter}"
    small = await api.service(
        "usage:write",
        restriction=Restriction(
            max_amount=Decimal("2.5"), counter_accounts=("revenue:usage*",), user_id=wallet["user_id"]
        ),
    )
    assert problem(await report(small, meter, wallet_id, "10.1"), "forbidden")["max_amount"] == "2.5"
    accepted(await report(small, meter, wallet_id, "10"))
    reader = await api.service("usage:read")
    assert problem(await report(reader, meter, wallet_id, "1"), "forbidden")["scope"] == "usage:write"


async def test_grants_and_limits_see_the_debit_as_a_consume(api: Api) -> None:
    meter = await priced_meter(api.admin, PER_UNIT)
    wallet_id = (await api.admin.wallet("5"))["wallet_id"]
    grant = {"amount": "4", "source": "promotion", "pays": [f"revenue:usage:{meter}"]}
    other = grant | {"pays": ["revenue:usage:else"]}
    for each in (grant, other):
        assert (await api.admin.post(f"/wallets/{wallet_id}/grants", each)).status_code == 201
    accepted(await report(api.admin, meter, wallet_id, "20"))
    states = (await api.admin.get(f"/wallets/{wallet_id}/grants")).json()["items"]
    assert [each["used"] for each in states] == ["0.000000", "4.000000"]
    refused = problem(await report(api.admin, meter, wallet_id, "20"), "grants_not_usable")
    assert refused["not_usable"] == "4.000000"
    limits = {"limits": [{"period": "day", "amount": "6", "counter_account": f"revenue:usage:{meter}"}]}
    assert (await api.admin.send("PUT", f"/wallets/{wallet_id}/limits", limits)).status_code == 200
    problem(await report(api.admin, meter, wallet_id, "8"), "limit_exceeded")
    accepted(await report(api.admin, meter, wallet_id, "4"))
    explained = (await api.admin.get(f"/wallets/{wallet_id}/usage")).json()["items"][0]
    assert (explained["quantity"], explained["amount"]) == ("24", "6.000000"), (
        "what was refused does not count"
    )


async def test_wallets_that_can_not_pay(api: Api) -> None:
    meter = await priced_meter(api.admin, PER_UNIT)
    record = (await api.admin.wallet(keeping="mirrored"))["wallet_id"]
    closed = (await api.admin.wallet())["wallet_id"]
    await api.admin.delete(f"/wallets/{closed}")
    frozen = (await api.admin.wallet("5"))["wallet_id"]
    await api.admin.patch(f"/wallets/{frozen}", {"status": "frozen"})
    for wallet_id, code in (
        (record, "wallet_mirrored"),
        (closed, "wallet_closed"),
        (frozen, "wallet_frozen"),
        (new_id(), "wallet_not_found"),
    ):
        for quantity in ("1", "0"):
            problem(await report(api.admin, meter, wallet_id, quantity), code)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"quantity": "1e3"}, "/quantity"),
        ({"quantity": "0.0000000000000000001"}, "/quantity"),
        ({"quantity": None}, "/quantity"),
        ({"event_id": ""}, "/event_id"),
        ({"event_id": "a\nb"}, "/event_id"),
        ({"source": ""}, "/source"),
        ({"meter": "Tokens"}, "/meter"),
        ({"dimensions": {"modle": "x"}}, "/dimensions/modle"),
        ({"dimensions": {"model": ""}}, "/dimensions/model"),
        (
            {"dimensions": {"model": "\U0001f600" * 100, "b": "\U0001f600" * 100, "c": "\U0001f600" * 100}},
            "/dimensions",
        ),
        ({"timestamp": "yesterday"}, "/timestamp"),
        ({"user_id": "someone"}, ""),
        ({"currency": "CREDIT"}, ""),
        ({"amount": "1"}, "/amount"),
    ],
)
async def test_what_is_no_event_is_refused(direct_api: Api, members: dict[str, Any], pointer: str) -> None:
    api = direct_api
    meter = await create_meter(api.admin, "model", "b", "c")
    await create_card(api.admin, meter, PER_UNIT)
    wallet_id = (await api.admin.wallet("5"))["wallet_id"]
    answer = await api.admin.post("/usage", event(meter, wallet_id, "1") | members)
    assert answer.status_code == 422, answer.text
    assert pointers(answer.json()) == [pointer]
    results = await batch(api.admin, event(meter, wallet_id, "1") | members)
    assert results[0]["problem"]["errors"] == answer.json()["errors"]


async def test_more_faults(timed_api: Api, clock: SettableClock) -> None:
    api = timed_api
    now = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    await clock.set(now - timedelta(days=300))
    meter = await create_meter(api.admin, max_age_s=3600)
    await create_card(api.admin, meter, {"model": "per_unit", "unit_price": "10000000000"})
    await clock.set(now)
    wallet_id = (await api.admin.wallet("5"))["wallet_id"]
    problem(await report(api.admin, "unknown", wallet_id, "1"), "meter_not_found")
    for timestamp in ("2032-05-06T07:08:09Z", "2031-05-06T07:13:09.000001Z", "2031-05-06T06:08:08.999999Z"):
        refused = problem(
            await report(api.admin, meter, wallet_id, "0", timestamp=timestamp), "timestamp_refused"
        )
        assert (refused["earliest"], refused["latest"]) == (
            "2031-05-06T06:08:09.000000Z",
            "2031-05-06T07:13:09.000000Z",
        )
    for timestamp in ("2031-05-06T09:13:09+02:00", "2031-05-06T06:08:09Z"):
        accepted(await report(api.admin, meter, wallet_id, "0", timestamp=timestamp))
    for quantity in ("10000000000", "99999999999999999999"):
        refused = problem(await report(api.admin, meter, wallet_id, quantity), "validation_failed")
        assert pointers(refused) == ["/quantity"]
    problem(await report(api.admin, meter, wallet_id, "9999999999"), "insufficient_funds")
    problem(await report(api.admin, meter, wallet_id, "-1"), "amount_invalid")
    assert (await api.admin.post("/usage/batch", {"events": []})).status_code == 422
    many = [{"event_id": "x"}] * 501
    assert pointers(problem(await api.admin.post("/usage/batch", {"events": many}), "validation_failed")) == [
        "/events"
    ]
    # An event that has become too old meanwhile is still the event that was accepted.
    sent = event(meter, wallet_id, "0", timestamp="2031-05-06T06:08:09Z")
    accepted(await api.admin.post("/usage", sent))
    await clock.advance(timedelta(days=1))
    assert (await api.admin.post("/usage", sent)).headers["Idempotency-Replayed"] == "true"


async def test_usage_is_summed_by_groups_in_pages(timed_api: Api, clock: SettableClock) -> None:
    api = timed_api
    await clock.set(datetime(2031, 5, 1, 12, tzinfo=UTC))
    meter, other = await create_meter(api.admin, "model"), await create_meter(api.admin)
    for name in (meter, other):
        await create_card(api.admin, name, PER_UNIT)
    await clock.set(datetime(2031, 5, 6, 12, tzinfo=UTC))
    owner = api.user()
    wallet_id = (await api.admin.wallet("100", user_id=owner.user_id))["wallet_id"]
    day = "2031-05-05T01:00:00Z"
    await batch(
        api.admin,
        event(meter, wallet_id, "1", dimensions={"model": "a"}),
        event(meter, wallet_id, "2", dimensions={"model": "b"}),
        event(meter, wallet_id, "4", dimensions={"model": "b"}, timestamp=day),
        event(meter, wallet_id, "8", timestamp=day),
        event(other, wallet_id, "16"),
    )
    answer = await owner.get(f"/wallets/{wallet_id}/usage", group_by="meter,day")
    UsageTotals.model_validate_json(answer.content)
    found = answer.json()
    assert (found["from"], found["to"], found["currency"]) == ("2031-05-01", "2031-05-06", "CREDIT")
    rows = {(each["group"]["meter"], each["group"]["day"]): each for each in found["items"]}
    assert {name: (row["quantity"], row["amount"], row["events"]) for name, row in rows.items()} == {
        (meter, "2031-05-05"): ("12", "3.000000", 2),
        (meter, "2031-05-06"): ("3", "0.750000", 2),
        (other, "2031-05-06"): ("16", "4.000000", 1),
    }
    models: list[Any] = []
    cursor: str | None = None
    while True:
        page = {"group_by": "model", "limit": "1", "meter": meter} | ({"cursor": cursor} if cursor else {})
        answer = (await owner.get(f"/wallets/{wallet_id}/usage", **page)).json()
        models += [(each["group"]["model"], each["quantity"]) for each in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert models == [(None, "8"), ("a", "1"), ("b", "6")]
    month = (await owner.get(f"/wallets/{wallet_id}/usage", group_by="month")).json()["items"]
    assert month == [{"group": {"month": "2031-05"}, "quantity": None, "amount": "7.750000", "events": 5}]
    first = (
        await owner.get(f"/wallets/{wallet_id}/usage", **{"from": "2031-05-06", "to": "2031-05-06"})
    ).json()
    assert [each["events"] for each in first["items"]] == sorted([2, 1], reverse=meter < other)
    for query, pointer in (
        ({"group_by": "day,day"}, "/group_by"),
        ({"group_by": ""}, "/group_by"),
        ({"from": "2031-02-30"}, "/from"),
        ({"from": "2031-05-07", "to": "2031-05-06"}, "/from"),
    ):
        answer = await owner.get(f"/wallets/{wallet_id}/usage", **query)
        assert pointers(problem(answer, "validation_failed")) == [pointer]
    listed = (await owner.get(f"/wallets/{wallet_id}/usage/events", meter=meter, limit="3")).json()
    assert len(listed["items"]) == 3
    rest = await owner.get(
        f"/wallets/{wallet_id}/usage/events", meter=meter, limit="3", cursor=listed["next_cursor"]
    )
    assert (len(rest.json()["items"]), rest.json()["next_cursor"]) == (1, None)
    stranger = api.user()
    for path in ("usage", "usage/events"):
        problem(await stranger.get(f"/wallets/{wallet_id}/{path}"), "wallet_not_found")
    problem(await stranger.get(f"/usage/{listed['items'][0]['usage_id']}"), "usage_not_found")
    elsewhere = await api.service("usage:read", restriction=Restriction(user_id="x"))
    problem(await elsewhere.get(f"/usage/{listed['items'][0]['usage_id']}"), "usage_not_found")


async def test_concurrent_events_reach_tiers_exactly(api: Api) -> None:
    meter = await priced_meter(api.admin, {"model": "graduated", "tiers": TIERS})
    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]
    names = [new_id() for _ in range(25)]
    sent = [event(meter, wallet_id, "10", event_id=each) for each in names * 2]
    answers = await asyncio.gather(*(api.admin.post("/usage", each) for each in sent))
    assert [each.status_code for each in answers] == [201] * 50
    assert await api.admin.balance(wallet_id) == "837.500000", "100 at 1, 100 at 0.5, 50 at 0.25"


async def test_verify_finds_what_does_not_follow(direct_api: Api) -> None:
    api = direct_api
    meter = await priced_meter(api.admin, {"model": "volume", "tiers": TIERS}, volume_pricing="difference")
    wallet_id = (await api.admin.wallet("1000"))["wallet_id"]
    for quantity in ("100", "101", "0"):
        accepted(await report(api.admin, meter, wallet_id, quantity))
    lines: list[str] = []
    assert await verify(api.app.state.database, lines.append), lines
