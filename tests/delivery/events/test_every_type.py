"""Each declared type of events is produced, read over REST, and has the data that its JSON Schema promises."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import Api, open_api
from support.job_room.room import ROOM as JOB_ROOM
from support.polling import wait_until
from support.stand_in import StandIn, stand_in
from support.webhook_receiver import open_receiver

from wallet_service.core.identifiers import new_id
from wallet_service.delivery.audit.repository import AuditRepository
from wallet_service.delivery.webhooks.deliveries import Deliveries
from wallet_service.delivery.webhooks.room import ROOM as WEBHOOKS
from wallet_service.finance.fx.repository import RateRepository
from wallet_service.money.wallets.repository import WalletRepository
from wallet_service.platform.auth.keys import create_key, revoke_key
from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.platform.vault.keys import generate_key, parse_keys
from wallet_service.platform.vault.rotation import rotate_room
from wallet_service.platform.vault.service import Vault
from wallet_service.rooms import ROOMS

from .billing_events import (
    DAY_S,
    SECRET,
    advance,
    now,
    ok,
    produce_alerts,
    produce_grants,
    produce_holds,
    produce_rates,
    produce_schedules,
    produce_top_ups,
    until,
)

LOCAL = "127.0.0.0/8"


async def test_each_type_is_produced_as_its_schema_says(
    fresh_database: FreshDatabase, locate_database: Locate, tmp_path: Path
) -> None:
    made = await fresh_database()
    await migrate(made.dsn, ROOMS, test_clock=True)
    async with _opened(made, locate_database) as (api, payments):
        await _wallets(api)
        await _keys_and_jobs(api, tmp_path)
        await _webhooks(api)
        await _files(api)
        await _books(api)
        await produce_holds(api)
        await produce_alerts(api)
        await produce_rates(api)
        await produce_top_ups(api, payments)
        await produce_grants(api)
        await produce_schedules(api)
        await advance(api, 400 * DAY_S)
        assert (await AuditRepository(api.app.state.database).delete_expired(30))[0] > 0
        found = await _events(api)
        entries = ok(await api.admin.get("/events/types"))["items"]
    schemas: Mapping[str, Any] = {each["type"]: each["schema"] for each in entries}
    faults = [
        f"{event['type']}: {fault.message} at {fault.instance_path}"
        for event in found
        for fault in jsonschema_rs.validator_for(schemas[event["type"]]).iter_errors(event["data"])
    ]
    assert faults == []
    assert {event["type"] for event in found} == schemas.keys()


@asynccontextmanager
async def _opened(made: TestDatabase, locate_database: Locate) -> AsyncIterator[tuple[Api, StandIn]]:
    """The service, and the stand-in for the payment service."""
    settings: dict[str, Any] = {
        "rooms": (*ROOMS, JOB_ROOM),
        "test_clock": True,
        "environment": "development",
        "webhooks_allowed_networks": LOCAL,
        "credential_keys": generate_key("k1"),
        "worker_poll_ms": 50,
        "top_ups_payment_events_secret": SECRET,
    }
    async with stand_in() as payments:
        settings["payment_url"] = payments.url
        async with open_api(await locate_database(made), **settings) as api:
            yield api, payments


async def _events(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = ok(await api.admin.get("/events", **query))
        found += page["items"]
        query["after"] = page["next_cursor"]
        if not page["has_more"]:
            return found


async def _wallets(api: Api) -> None:
    wallet = await api.admin.wallet("5", metadata={"a": 1})
    path = f"/wallets/{wallet['wallet_id']}"
    limit = {"period": "month", "amount": "25", "time_zone": "Europe/Berlin"}
    ok(await api.admin.send("PUT", f"{path}/limits", {"limits": [limit]}))
    for change in ({"name": "b"}, {"status": "frozen"}, {"status": "active"}):
        ok(await api.admin.patch(path, change))
    ok(await api.admin.move("withdraw", wallet["wallet_id"], "5"))
    ok(await api.admin.delete(path))
    unverified = new_id()
    members = {"user_id": "ann", "wallet_type": "fiat", "currency": "CREDIT", "name": "main"}
    database = api.app.state.database
    await WalletRepository(database).create(unverified, "test", None, members, None, verified=False)
    assert await database.repeat("settle_wallet", wallet_id=unverified, exists=True) == b"verified"


async def _keys_and_jobs(api: Api, folder: Path) -> None:
    database, jobs = api.app.state.database, api.app.state.jobs
    key = await create_key(database, "reader", ["events:read"])
    await revoke_key(database, key.split("_")[1])
    creator = {"client_id": "gone", "key_id": "0" * 32}
    paused, dead = new_id(), new_id()
    await jobs.repository.enqueue(paused, "deposit_slowly", {"folder": str(folder)}, creator=creator)
    await jobs.repository.enqueue(dead, "fail", {"for_good": True})
    async with running_worker(api.app.state, api.app.state.settings):
        for job, status in ((paused, "paused"), (dead, "dead")):
            await until(api, f"/jobs/{job}", "status", status)
    ok(await api.admin.post(f"/jobs/{paused}/retry"))
    ok(await api.admin.post(f"/jobs/{paused}/cancel"))


async def _webhooks(api: Api) -> None:
    stopping = asyncio.Event()
    async with open_receiver() as receiver:
        receiver.answer(410)
        endpoint = ok(await api.admin.post("/webhooks", {"url": receiver.url}))
        path = f"/webhooks/{endpoint['endpoint_id']}"
        ok(await api.admin.patch(path, {"description": "b"}))
        ok(await api.admin.post(f"{path}/rotate-secret", {"overlap_s": 60}))
        ok(await api.admin.post(f"{path}/replay", {"from_number": 1}))
        working = asyncio.create_task(Deliveries(api.app.state.webhook_deliveries, stopping).run())
        await wait_until(lambda: len(receiver.seen) > 0)
        await until(api, path, "status", "disabled")
        stopping.set()
        await working
        again = Vault([*parse_keys(generate_key("k2")), *api.app.state.vault._keys.values()])
        assert (await rotate_room(api.app.state.database, again, WEBHOOKS)).sealed > 0
        ok(await api.admin.delete(path))


async def _files(api: Api) -> None:
    user, headers = api.user(), {"Content-Type": "text/csv"}

    async def upload(**query: str) -> dict[str, Any]:
        return ok(await user.send("POST", "/files", b"a,b", headers=headers, query={"name": "a.csv"} | query))

    await upload(expires_at=(await now(api) + timedelta(days=1)).isoformat())
    ok(await user.delete(f"/files/{(await upload())['file_id']}"))
    await advance(api, 2 * DAY_S)
    await upload()  # removes what has expired


async def _books(api: Api) -> None:
    user = api.user()
    path = f"/books/{ok(await user.post('/books', {'base_currency': 'EUR'}))['book_id']}"
    ok(await user.patch(path, {"week_start": "friday"}))
    rate = {"base": "EUR", "quote": "USD", "day": "2020-01-02", "rate": "1.1"}
    ok(await user.send("PUT", "/fx/rates", {"book_id": path.rpartition("/")[2], "rates": [rate]}))
    await RateRepository(api.app.state.database).load({"2020-01-02": {"USD": "1.1"}}, "provider")
    wallet = (await user.wallet())["wallet_id"]
    ok(await user.send("PUT", f"{path}/wallets/{wallet}", {"purpose": "savings"}))
    one, other = [ok(await user.post("/payees", {"name": name}))["label_id"] for name in ("One", "Other")]
    ok(await user.patch(f"/payees/{one}", {"archived": True}))
    ok(await user.post(f"/payees/{one}/merge", {"into": other}))
    ok(await user.post(f"/payees/{one}/unmerge"))
    ok(await user.delete(f"/payees/{one}"))
    sides: dict[str, dict[str, Any]] = {}
    for side, kind in (("credit", "deposit"), ("debit", "withdraw")):
        body = {"currency": "EUR", "keeping": "mirrored", "name": side}
        moved = ok(await user.move(kind, (await user.wallet(**body))["wallet_id"], "1"))
        sides[side] = {name: moved[name] for name in ("wallet_id", "wallet_version")}
    entry = "/wallets/{wallet_id}/entries/{wallet_version}/parts".format(**sides["credit"])
    changed = ok(await user.send("PUT", entry, {"parts": [{"note": "seen"}]}))
    ok(await user.post(f"/runs/{changed['run_id']}/undo"))
    rule = {
        "name": "one",
        "conditions": [{"field": "amount", "op": "gt", "value": "0"}],
        "actions": {"note": "x"},
    }
    rules = [ok(await user.post("/rules", rule))["rule_id"] for _ in range(2)]
    ok(await user.post("/rules/order", {"rule_ids": rules[::-1]}))
    ok(await user.send("PUT", f"/rules/{rules[0]}", rule | {"match": "any"}))
    ok(await user.move("deposit", sides["credit"]["wallet_id"], "1"))
    ok(await user.get("/parts"))
    await api.app.state.automatic_rules.follow_missed(lambda _: None)
    for each in rules:
        ok(await user.delete(f"/rules/{each}"))
    ok(await user.delete(f"/pairs/{ok(await user.post('/pairs', sides))['pair_id']}"))
    ok(await user.post("/pairs", sides))
    body = {"name": "All", "amount": "1", "period": "yearly", "start_date": "2020-01-01"}
    budget = ok(await user.post("/budgets", body))["budget_id"]
    mirrored = (await user.wallet(currency="EUR", keeping="mirrored"))["wallet_id"]
    ok(await user.move("withdraw", mirrored, "2"))
    await api.app.state.cataloguing.catalogue(path.rpartition("/")[2])
    ok(await user.send("PUT", f"/budgets/{budget}", body | {"amount": "2"}))
    ok(await user.delete(f"/budgets/{budget}"))
