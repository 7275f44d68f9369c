"""Endpoints over HTTP: created once, changed by version, seen by their client only; bad input is named."""

import json
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase
from support.api import Api, conforms, open_api, pointers, problem
from support.webhook_receiver import Receiver

from wallet_service.delivery.webhooks.room import ROOM
from wallet_service.delivery.webhooks.schemas import (
    CreatedWebhook,
    DeliveryWithLog,
    Ping,
    RotatedSecret,
    WebhookEndpoint,
)
from wallet_service.ledger.verify import verify
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.vault.keys import generate_key, parse_keys
from wallet_service.platform.vault.rotation import rotate_room, verify_values
from wallet_service.platform.vault.service import Vault
from wallet_service.rooms import ROOMS

from .conftest import LOCAL, Hooks, working


async def test_an_endpoint_is_created_read_changed_listed_and_deleted(
    hooks: Hooks, receiver: Receiver
) -> None:
    admin = hooks.api.admin
    answer = await admin.post("/webhooks", {"url": receiver.url, "description": "a"}, key="k")
    created = conforms(answer.content, CreatedWebhook)
    path = f"/webhooks/{created['endpoint_id']}"
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1{path}")
    assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == ('"1"', "no-store")
    again = await admin.post("/webhooks", {"url": receiver.url, "description": "a"}, key="k")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (answer.content, "true")
    problem(await admin.post("/webhooks", {"url": receiver.url}, key="k"), "idempotency_key_reused")

    read = await admin.get(path)
    endpoint = conforms(read.content, WebhookEndpoint)
    assert endpoint | {"secret": created["secret"]} == created
    types = ["wallet.closed", "transaction.posted"]
    changed = await admin.patch(path, {"event_types": types, "description": "b"}, if_match='"1"')
    assert changed.json()["event_types"] == sorted(types)
    assert (changed.json()["url"], changed.json()["version"]) == (receiver.url, 2)
    assert (
        problem(await admin.patch(path, {"status": "disabled"}, if_match='"1"'), "version_mismatch")[
            "version"
        ]
        == 2
    )
    disabled = await admin.patch(path, {"status": "disabled", "event_types": None}, if_match="*")
    assert (disabled.json()["disabled_reason"], disabled.json()["event_types"]) == ("request", None)

    second = await hooks.create(receiver.url)
    page = (await admin.get("/webhooks", limit=1)).json()
    assert [each["endpoint_id"] for each in page["items"]] == [second["endpoint_id"]]
    page = (await admin.get("/webhooks", limit=1, cursor=page["next_cursor"])).json()
    assert [each["endpoint_id"] for each in page["items"]] == [created["endpoint_id"]]
    assert (await admin.delete(path)).status_code == 204
    problem(await admin.get(path), "webhook_not_found")
    problem(await admin.delete(path), "webhook_not_found")

    found = (await admin.get("/events")).json()["items"]
    assert [each["type"].removeprefix("webhook_endpoint.") for each in found] == [
        "created",
        "updated",
        "updated",
        "created",
        "deleted",
    ]
    assert all("?a=" not in json.dumps(each) for each in found)  # the query of a URL can have a secret


async def test_endpoints_of_another_client_do_not_exist(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.create(receiver.url)
    other = await hooks.api.service("webhooks:write")
    path = f"/webhooks/{endpoint['endpoint_id']}"
    for answer in (
        await other.get(path),
        await other.patch(path, {"description": "x"}),
        await other.delete(path),
        await other.post(f"{path}/rotate-secret", {}),
        await other.post(f"{path}/ping"),
        await other.post(f"{path}/replay", {"dead": True}),
        await other.get(f"{path}/deliveries"),
        await other.get(f"{path}/deliveries/1"),
    ):
        problem(answer, "webhook_not_found")
    assert (await other.get("/webhooks")).json()["items"] == []
    reader = await hooks.api.service("webhooks:read")
    problem(await reader.post("/webhooks", {"url": receiver.url}), "forbidden")
    restricted = await hooks.api.service("webhooks:write", restriction=Restriction(organization_id="acme"))
    problem(await restricted.post("/webhooks", {"url": receiver.url}), "forbidden")
    problem(await hooks.api.user().get("/webhooks"), "forbidden")


@pytest.fixture
async def local(fresh_database: FreshDatabase) -> Any:
    """On one driver."""
    made = await fresh_database()
    settings = {"webhooks_allowed_networks": LOCAL, "credential_keys": generate_key("k1")}
    async with open_api(made.service_dsn, **settings, webhooks_max_endpoints=2) as api:
        yield made, Hooks(api)


REFUSED = {
    "of the metadata service": "http://169.254.169.254/latest/meta-data",
    "of a private network": "https://10.0.0.1/",
    "with a password": "https://user:secret@8.8.8.8/",
    "without encryption": "http://8.8.8.8/",
    "of no host": "https:///path",
    "of nothing": "here",
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
async def test_a_destination_that_may_not_be_reached_is_refused(direct_api: Api, url: str) -> None:
    refused = problem(await direct_api.admin.post("/webhooks", {"url": url}), "validation_failed")
    assert pointers(refused) == ["/url"]
    assert refused["errors"][0]["code"] == "destination_refused"
    assert "https URL" in refused["detail"]
    assert "10.0.0.1" not in refused["detail"]


async def test_other_bad_input_is_named(local: Any, receiver: Receiver) -> None:
    _, hooks = local
    admin = hooks.api.admin
    unknown = problem(
        await admin.post("/webhooks", {"url": receiver.url, "event_types": ["wallet.closed", "eaten"]}),
        "validation_failed",
    )
    assert pointers(unknown) == ["/event_types/1"]
    assert "webhook_endpoint.disabled" in unknown["detail"]
    endpoint = await hooks.create(receiver.url)
    path = f"/webhooks/{endpoint['endpoint_id']}"
    problem(await admin.patch(path, {"url": "https://10.0.0.1/"}), "validation_failed")
    problem(await admin.patch(path, {"event_types": ["eaten"]}), "validation_failed")
    problem(await admin.patch(path, {"status": "x"}), "validation_failed")
    problem(await admin.patch(path, {"description": "x"}, if_match="one"), "validation_failed")
    for body in ({}, {"dead": True, "number": 1}, {"dead": False}, {"from_number": 0}, {"from_time": "now"}):
        problem(await admin.post(f"{path}/replay", body), "validation_failed")
    problem(await admin.post(f"{path}/replay", {"number": 999}), "delivery_not_found")
    problem(await admin.get(f"{path}/deliveries/999"), "delivery_not_found")
    problem(await admin.post(f"{path}/rotate-secret", {"overlap_s": -1}), "validation_failed")
    other_list = (await admin.get("/webhooks", limit=1)).json()["next_cursor"]
    problem(await admin.get(f"{path}/deliveries", cursor=other_list), "validation_failed")
    await hooks.create(receiver.url)
    limit = problem(await admin.post("/webhooks", {"url": receiver.url}), "webhook_limit")
    assert limit["limit"] == 2
    for _ in range(4):
        assert (await admin.post(f"{path}/rotate-secret", {})).status_code == 201
    assert problem(await admin.post(f"{path}/rotate-secret", {}), "webhook_limit")["limit"] == 5


async def test_without_a_key_the_vault_is_unavailable(
    fresh_database: FreshDatabase, receiver: Receiver
) -> None:
    made = await fresh_database()
    async with open_api(made.service_dsn, webhooks_allowed_networks=LOCAL) as api:
        problem(await api.admin.post("/webhooks", {"url": receiver.url}), "vault_unavailable")


async def test_a_ping_returns_how_it_was_received_and_changes_nothing(local: Any, receiver: Receiver) -> None:
    _, hooks = local
    endpoint = await hooks.create(receiver.url)
    path = f"/webhooks/{endpoint['endpoint_id']}"
    await hooks.api.admin.patch(path, {"status": "disabled"})
    answer = await hooks.api.admin.post(f"{path}/ping")
    ping = conforms(answer.content, Ping)
    assert (ping["outcome"], ping["status"]) == ("delivered", 204)
    [event] = receiver.verified(endpoint["secret"])
    assert (event["type"], event["id"]) == ("webhook_endpoint.ping", ping["message_id"])
    receiver.answer(500)
    failed = (await hooks.api.admin.post(f"{path}/ping")).json()
    assert (failed["outcome"], failed["status"], failed["body"]) == ("failed", 500, "an answer")
    assert (await hooks.get(endpoint))["failing_since"] is None
    assert await hooks.deliveries(endpoint) == []


async def test_the_secret_is_shown_once_and_stored_sealed(
    local: Any, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    made, hooks = local
    body = {"url": receiver.url, "event_types": ["transaction.posted"]}
    answer = await hooks.api.admin.post("/webhooks", body, key="k")
    endpoint = answer.json()
    path = f"/webhooks/{endpoint['endpoint_id']}"
    rotated = conforms(
        (await hooks.api.admin.post(f"{path}/rotate-secret", {}, key="r")).content, RotatedSecret
    )
    again = (await hooks.api.admin.post(f"{path}/rotate-secret", {}, key="r")).json()
    assert again == rotated
    await hooks.api.admin.wallet("1")
    receiver.answer(200)
    async with working(hooks.api):
        [last] = await hooks.until_states(endpoint, "delivered")
    log = conforms(
        (await hooks.api.admin.get(f"{path}/deliveries/{last['number']}")).content, DeliveryWithLog
    )
    connection = await asyncpg.connect(made.dsn)
    tables = await connection.fetch(
        "select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace::regnamespace::text in "
        "('delivery', 'platform', 'wallet')"
    )
    rows = [f"select t::text as line from {each['name']} t" for each in tables]
    dump = "\n".join(each["line"] for each in await connection.fetch(" union all ".join(rows)))
    await connection.close()
    assert rotated["secret_id"] in dump
    everything = (
        dump + json.dumps(log) + capsys.readouterr().out + str((await hooks.api.admin.get("/events")).text)
    )
    for secret in (endpoint["secret"], rotated["secret"]):
        assert secret not in everything
        assert secret.removeprefix("whsec_") not in everything
    # After the old one ended, a replay shows no secret.
    await hooks.api.admin.post(f"{path}/rotate-secret", {"overlap_s": 0})
    replayed = (await hooks.api.admin.post("/webhooks", body, key="k")).json()
    assert replayed == endpoint | {"secret": None}


async def test_secrets_are_sealed_with_a_new_key(local: Any, receiver: Receiver) -> None:
    _, hooks = local
    endpoint = await hooks.create(receiver.url)
    old = hooks.api.app.state.vault
    new = Vault([*parse_keys(generate_key("k2")), *old._keys.values()])
    database = hooks.api.app.state.database
    assert (await rotate_room(database, new, ROOM)).sealed == 1
    assert (await rotate_room(database, new, ROOM)).sealed == 0
    assert await verify_values(database, new, ROOMS) == (1, [])
    count, faults = await verify_values(database, old, ROOMS)
    assert (count, len(faults)) == (1, 1)
    assert endpoint["secret"]


async def test_verify_finds_a_delivery_that_waits_for_nothing(local: Any, receiver: Receiver) -> None:
    made, hooks = local
    receiver.answer(200)
    endpoint = await hooks.create(receiver.url, event_types=["transaction.posted"])
    await hooks.api.admin.wallet("1")
    async with working(hooks.api):
        await hooks.until_states(endpoint, "delivered")
    lines: list[str] = []
    assert await verify(hooks.api.app.state.database, lines.append, ROOM.verify_walks), lines
    connection = await asyncpg.connect(made.dsn)
    await connection.execute(
        "update delivery.webhook_deliveries set state = 'pending', ready = false, ended_at = null"
    )
    await connection.execute("delete from delivery.webhook_secrets")
    await connection.close()
    lines.clear()
    assert not await verify(hooks.api.app.state.database, lines.append, ROOM.verify_walks)
    text = "\n".join(lines)
    assert "webhook order" in text
    assert "webhook secrets" in text
