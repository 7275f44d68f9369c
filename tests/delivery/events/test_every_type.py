"""Each declared type of events is produced, read over REST, and has the data that its JSON Schema promises."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import jsonschema_rs
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import Api, open_api
from support.job_room.room import ROOM as JOB_ROOM
from support.polling import wait_until
from support.webhook_receiver import open_receiver

from wallet_service.core.identifiers import new_id
from wallet_service.delivery.audit.repository import AuditRepository
from wallet_service.delivery.webhooks.deliveries import Deliveries
from wallet_service.delivery.webhooks.room import ROOM as WEBHOOKS
from wallet_service.money.wallets.repository import WalletRepository
from wallet_service.platform.auth.keys import create_key, revoke_key
from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.platform.vault.keys import generate_key, parse_keys
from wallet_service.platform.vault.rotation import rotate_room
from wallet_service.platform.vault.service import Vault
from wallet_service.rooms import ROOMS

LOCAL = "127.0.0.0/8"
_SCHEDULE = """
insert into billing.grant_schedules (schedule_id, wallet_id, user_id, amount, source, priority, day_of_month, time_zone,
  rollover, rollover_value, next_at, counter_account, created_at, updated_at)
select $2, g.wallet_id, w.user_id, 5, 'plan', 0, 1, 'UTC', 'cap', 5, '2999-01-01', 'promotions:plan', now(), now()
from billing.grants g join wallet.wallets w using (wallet_id) where g.grant_id = $1
"""


def ok(answer: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201, 202, 204), answer.text
    return answer.json() if answer.content else {}


async def test_each_type_is_produced_as_its_schema_says(
    fresh_database: FreshDatabase, locate_database: Locate, tmp_path: Path
) -> None:
    made = await fresh_database()
    await migrate(made.dsn, ROOMS, test_clock=True)
    async with _opened(made, locate_database) as (api, superuser):
        await _wallets(api)
        await _keys_and_jobs(api, tmp_path)
        await _webhooks(api)
        await _files(api)
        await _grants(api, superuser)
        ok(await api.admin.post("/test-clock", {"advance_s": 400 * 86_400}))
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
async def _opened(
    made: TestDatabase, locate_database: Locate
) -> AsyncIterator[tuple[Api, asyncpg.Connection]]:
    superuser = await asyncpg.connect(made.dsn)
    settings: dict[str, Any] = {
        "rooms": (*ROOMS, JOB_ROOM),
        "test_clock": True,
        "environment": "development",
        "webhooks_allowed_networks": LOCAL,
        "credential_keys": generate_key("k1"),
        "worker_poll_ms": 50,
    }
    async with open_api(await locate_database(made), **settings) as api:
        yield api, superuser
    await superuser.close()


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
            await _until(api, f"/jobs/{job}", status)
    ok(await api.admin.post(f"/jobs/{paused}/retry"))
    ok(await api.admin.post(f"/jobs/{paused}/cancel"))


async def _until(api: Api, path: str, status: str) -> None:
    async with asyncio.timeout(60):
        while ok(await api.admin.get(path))["status"] != status:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.02)


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
        await _until(api, path, "disabled")
        stopping.set()
        await working
        again = Vault([*parse_keys(generate_key("k2")), *api.app.state.vault._keys.values()])
        assert (await rotate_room(api.app.state.database, again, WEBHOOKS)).sealed > 0
        ok(await api.admin.delete(path))


async def _files(api: Api) -> None:
    user, headers = api.user(), {"Content-Type": "text/csv"}

    async def upload(**query: str) -> dict[str, Any]:
        return ok(await user.send("POST", "/files", b"a,b", headers=headers, query={"name": "a.csv"} | query))

    now = datetime.fromisoformat(ok(await api.admin.get("/test-clock"))["moment"])
    await upload(expires_at=(now + timedelta(days=1)).isoformat())
    ok(await user.delete(f"/files/{(await upload())['file_id']}"))
    ok(await api.admin.post("/test-clock", {"advance_s": 2 * 86_400}))
    await upload()  # removes what has expired


async def _grants(api: Api, superuser: asyncpg.Connection) -> None:
    wallet = (await api.admin.wallet(currency="CREDIT"))["wallet_id"]
    now = datetime.fromisoformat(ok(await api.admin.get("/test-clock"))["moment"])

    async def grant(**members: Any) -> str:
        body = {"amount": "20", "source": "promotion"} | members
        return ok(await api.admin.post(f"/wallets/{wallet}/grants", body))["grant_id"]

    ok(await api.admin.post(f"/grants/{await grant()}/void", {}))
    await grant(effective_at=(now + timedelta(hours=1)).isoformat())
    await grant(expires_in_s=7 * 86_400, notice_s=86_400)
    carried, schedule = await grant(expires_in_s=7 * 86_400), new_id()
    await superuser.execute(_SCHEDULE, carried, schedule)
    await superuser.execute(
        "update billing.grants set schedule_id = $2 where grant_id = $1", carried, schedule
    )
    for days in (6.5, 1):  # in the notice, then after the end
        ok(await api.admin.post("/test-clock", {"advance_s": int(days * 86_400)}))
        await api.admin.read(wallet)
