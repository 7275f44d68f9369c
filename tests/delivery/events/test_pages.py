"""Pages of events: CloudEvents in their order, for callers who may see them."""

import json
import re
from datetime import datetime
from typing import Any

import httpx
import jsonschema_rs
import pytest
from conftest import FreshApi, FreshDatabase
from support.api import Api, Client, new_user, pointers, problem
from support.database_location import connect

from wallet_service.delivery.events.catalogue import EventCatalogue
from wallet_service.delivery.events.repository import EventRepository
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.rooms import ROOMS

SCHEMAS = {entry["type"]: entry for entry in EventCatalogue(ROOMS).entries}


@pytest.fixture
async def own(fresh_api: FreshApi) -> Api:
    """An application on a database of the test, through each driver."""
    return await fresh_api()


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    for event in answer.json()["items"]:
        check_cloud_event(event)
    return answer.json()["items"]


def check_cloud_event(event: dict[str, Any]) -> None:
    """The rules of CloudEvents 1.0 for attributes and JSON, and the schema of the type."""
    assert {"id", "source", "specversion", "type"} <= event.keys()
    assert event["specversion"] == "1.0"
    for name, value in event.items():
        assert re.fullmatch(r"[a-z0-9]{1,20}", name)
        assert name == "data" or (isinstance(value, str) and value)
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    assert re.fullmatch(r"urn:[a-z0-9]+:.+", event["source"])
    entry = SCHEMAS[event["type"]]
    assert event["dataschema"] == entry["dataschema"]
    assert len(event["sequence"]) == 19
    jsonschema_rs.validate(entry["schema"], event["data"])


async def all_events(client: Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = await client.get("/events", **query)
        found += events_of(answer)
        query["after"] = answer.json()["next_cursor"]
        if not answer.json()["has_more"]:
            return found


async def test_postings_and_changes_in_one_order(own: Api) -> None:
    wallet, other = await own.admin.wallet("5"), await own.admin.wallet()
    await own.admin.move("transfer", wallet["wallet_id"], "2", to_wallet_id=other["wallet_id"])
    await own.admin.move("withdraw", wallet["wallet_id"], "3")
    await own.admin.delete(f"/wallets/{wallet['wallet_id']}")
    found = await all_events(own.admin, types="transaction.posted,wallet.closed", limit=2)
    assert [(e["type"], e.get("walletid"), e.get("walletversion")) for e in found] == [
        ("transaction.posted", wallet["wallet_id"], "1"),
        ("transaction.posted", wallet["wallet_id"], "2"),
        ("transaction.posted", other["wallet_id"], "1"),
        ("transaction.posted", wallet["wallet_id"], "3"),
        ("wallet.closed", wallet["wallet_id"], None),
    ]
    history = (await own.admin.get(f"/wallets/{wallet['wallet_id']}/transactions")).json()["items"]
    assert [e["data"] for e in found if e.get("walletid") == wallet["wallet_id"]][:3] == history[::-1]
    assert (found[-1]["data"]["before"]["status"], found[-1]["data"]["after"]["status"]) == (
        "active",
        "closed",
    )
    assert found[-1]["subject"] == wallet["wallet_id"]
    assert found[0]["subject"] == found[0]["data"]["transaction_id"]
    assert len({e["id"] for e in found}) == len(found)
    again = await all_events(own.admin, wallet_id=other["wallet_id"], types=["transaction.posted"])
    assert again == [found[2]]


async def test_a_cursor_at_the_end_continues_with_what_comes_later(own: Api) -> None:
    wallet = await own.admin.wallet("1")
    cursor = (await own.admin.get("/events")).json()["next_cursor"]
    answer = await own.admin.get("/events", after=cursor)
    assert (answer.json()["items"], answer.json()["has_more"]) == ([], False)
    await own.admin.move("consume", wallet["wallet_id"], "0.5")
    [event] = events_of(await own.admin.get("/events", after=answer.json()["next_cursor"]))
    assert event["data"]["amount"] == "0.500000"


async def test_metadata_keeps_its_digits(own: Api) -> None:
    wallet = await own.admin.wallet()
    await own.admin.post(
        f"/wallets/{wallet['wallet_id']}/deposit",
        b'{"amount":"1","metadata":{"rate":1.10,"big":123456789012345678901234567890}}',
    )
    text = (await own.admin.get("/events", types="transaction.posted")).text
    assert re.search(r'"rate": ?1\.10', text)
    assert re.search(r'"big": ?123456789012345678901234567890', text)


async def test_a_user_sees_the_events_of_its_own_wallets(own: Api) -> None:
    ann, bob = own.user(), own.user()
    mine = await own.admin.wallet("5", user_id=ann.user_id)
    theirs = await own.admin.wallet(user_id=bob.user_id)
    await ann.move("transfer", mine["wallet_id"], "1", to_wallet_id=theirs["wallet_id"])
    seen = await all_events(bob, types="transaction.posted")
    assert [(e["walletid"], e["data"]["client_id"]) for e in seen] == [(theirs["wallet_id"], None)]
    assert {e["walletid"] for e in await all_events(ann, types="transaction.posted", limit=1)} == {
        mine["wallet_id"]
    }
    as_admin = await all_events(own.admin, wallet_id=theirs["wallet_id"], types="transaction.posted")
    assert as_admin[0]["data"]["client_id"].endswith(f"|{ann.user_id}")
    problem(await bob.get("/events", wallet_id=mine["wallet_id"]), "wallet_not_found")


async def test_a_restricted_key_sees_the_events_of_its_wallets(own: Api) -> None:
    wallets = [await own.admin.wallet("1", organization_id="acme") for _ in range(2)]
    only = frozenset({wallets[0]["wallet_id"]})
    for restriction, count in (
        (Restriction(wallet_ids=only), 1),
        (Restriction(user_id=wallets[1]["user_id"]), 1),
        (Restriction(organization_id="acme"), 2),
        (Restriction(organization_id="other"), 0),
        (Restriction(wallet_ids=only, organization_id="other"), 0),
    ):
        key = await own.service("events:read", restriction=restriction)
        assert len(await all_events(key, types="transaction.posted", limit=1)) == count
    key = await own.service("events:read", restriction=Restriction(wallet_ids=only))
    assert {e["walletid"] for e in await all_events(key)} == only
    problem(await key.get("/events", wallet_id=wallets[1]["wallet_id"]), "wallet_not_found")


async def test_events_need_their_permission(direct_api: Api) -> None:
    key = await direct_api.service("wallets:read")
    problem(await key.get("/events"), "forbidden")
    problem(await key.get("/events/stream"), "forbidden")


async def test_a_type_that_nobody_declared_is_refused_with_the_declared_ones(direct_api: Api) -> None:
    refused = problem(
        await direct_api.admin.get("/events", types="transaction.posted,wallet.eaten"), "validation_failed"
    )
    assert pointers(refused) == ["/types"]
    assert "'wallet.eaten'" in refused["detail"]
    assert all(name in refused["detail"] for name in SCHEMAS)
    problem(await direct_api.admin.get("/events/stream", types="x"), "validation_failed")


async def test_a_cursor_of_another_list_or_filter_is_refused(direct_api: Api) -> None:
    wallet = await direct_api.admin.wallet("1")
    mine = (await direct_api.admin.get("/events", wallet_id=wallet["wallet_id"])).json()["next_cursor"]
    await direct_api.admin.wallet(user_id=wallet["user_id"], name="second")
    wallets = await direct_api.admin.get(f"/users/{wallet['user_id']}/wallets", limit=1)
    others = {
        "of another filter": ({"after": mine}, {}),
        "of another list": ({"after": wallets.json()["next_cursor"]}, {}),
        "not a cursor": ({"after": "here"}, {}),
        "of a stream": ({}, {"Last-Event-ID": mine}),
    }
    for query, headers in others.values():
        path = "/events/stream" if headers else "/events"
        refused = problem(
            await direct_api.admin.send("GET", path, query=query, headers=headers), "validation_failed"
        )
        assert [error["code"] for error in refused["errors"]] == ["cursor_invalid"]


async def test_a_cursor_from_before_what_is_kept(fresh_database: FreshDatabase, fresh_api: FreshApi) -> None:
    own = await fresh_api()
    wallet = await own.admin.wallet("5")
    first = (await own.admin.get("/events", limit=1)).json()["next_cursor"]
    for _ in range(3):
        await own.admin.move("consume", wallet["wallet_id"], "1")
    await all_events(own.admin)
    repository = EventRepository(own.app.state.database)
    assert await repository.delete_old(1, 2) == (0, False)
    del fresh_database


async def test_types_have_their_schema(direct_api: Api) -> None:
    answer = (await direct_api.admin.get("/events/types")).json()
    assert [entry["type"] for entry in answer["items"]] == sorted(SCHEMAS)
    for entry in answer["items"]:
        jsonschema_rs.meta.validate(entry["schema"])
