"""What a job may do is what its creator may do when it runs. On one driver: the rules are the worker's."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from conftest import TestDatabase
from support.api import Api, open_api
from support.job_room.room import ROOM
from support.stand_in import StandIn

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.keys import list_keys
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.rooms import ROOMS

from .conftest import wait_for


@pytest.fixture
async def api(made: TestDatabase, upstreams: StandIn) -> AsyncIterator[Api]:
    settings = {"account_url": upstreams.url, "organization_url": upstreams.url, "verify_users": True}
    rooms = (*ROOMS, ROOM)
    async with open_api(made.service_dsn, rooms=rooms, worker_poll_ms=50, **settings) as opened:
        yield opened


async def enqueue(api: Api, kind: str, arguments: dict[str, Any], creator: dict[str, str]) -> str:
    repository = api.app.state.jobs.repository
    return json.loads(await repository.enqueue(new_id(), kind, arguments, creator=creator))["job_id"]


async def until(api: Api, job: str, status: str | None = None, *, error: str | None = None) -> dict[str, Any]:
    """Wait until the job has this status, or its last attempt had this error, and return it."""
    document: dict[str, Any] = {}

    async def has_it() -> bool:
        nonlocal document
        document = json.loads(await api.app.state.jobs.repository.get(job, None))
        if error is None:
            return document["status"] == status
        return document["error"] is not None and document["error"]["code"] == error

    await wait_for(has_it)
    return document


async def shared_wallet(api: Api, user_id: str, organization_id: str) -> str:
    """A wallet of the user in the organization, into which the user's token may deposit."""
    members = {
        "user_id": user_id,
        "organization_id": organization_id,
        "keeping": "mirrored",
        "name": organization_id,
    }
    return (await api.admin.wallet(**members))["wallet_id"]


async def test_a_user_who_left_the_organization_pauses_its_jobs(
    api: Api, upstreams: StandIn, tmp_path: Path
) -> None:
    """Whether the job was enqueued for the organization, or moves money of its wallet."""
    (tmp_path / "go").touch()
    user_id, jobs = f"user-{new_id()}", dict[str, list[str]]()
    creator = {"client_id": f"user:|{user_id}", "user_id": user_id}
    wallets = {
        each: await shared_wallet(api, user_id, each) for each in (f"org-{new_id()}", f"org-{new_id()}")
    }
    for organization_id, wallet_id in wallets.items():
        arguments = {"wallet_id": wallet_id, "folder": str(tmp_path)}
        jobs[organization_id] = [
            await enqueue(api, "deposit_slowly", arguments, creator),
            await enqueue(api, "count", {"to": 1}, creator | {"organization_id": organization_id}),
        ]
    stays, left = wallets
    upstreams.strangers.add((left, user_id))
    async with running_worker(api.app.state, api.app.state.settings):
        for job in jobs[stays]:
            await until(api, job, "succeeded")
        for job in jobs[left]:
            paused = await until(api, job, "paused")
            assert (paused["error"]["code"], paused["attempts"]) == ("forbidden", 0)
    assert await api.admin.balance(wallets[stays]) == "1.000000"
    assert await api.admin.balance(wallets[left]) == "0.000000"


async def test_a_job_of_a_restricted_key_that_meets_another_wallet_is_paused(
    api: Api, made: TestDatabase, tmp_path: Path
) -> None:
    """As for any other right that is missing, there is an event, and a retry after the key covers the wallet goes on."""
    (tmp_path / "go").touch()
    wallet_id, other = [(await api.admin.wallet())["wallet_id"] for _ in range(2)]
    await api.service("deposits:write", name="bound", restriction=Restriction(wallet_ids=frozenset({other})))
    await api.service("deposits:write", name="free")
    keys = {each["client_name"]: each["key_id"] for each in await list_keys(api.app.state.database)}

    async def job_of(name: str, of_wallet: str) -> str:
        arguments = {"wallet_id": of_wallet, "folder": str(tmp_path)}
        return await enqueue(api, "deposit_slowly", arguments, {"client_id": name, "key_id": keys[name]})

    bound, free = await job_of("bound", wallet_id), await job_of("free", new_id())
    connection = await asyncpg.connect(made.dsn)
    async with running_worker(api.app.state, api.app.state.settings):
        paused = await until(api, bound, "paused")
        assert (paused["error"]["code"], paused["attempts"]) == ("wallet_not_found", 0)
        refused = await until(api, free, error="wallet_not_found")
        assert refused["status"] == "queued", (
            "to an unrestricted key the wallet does not exist: no right is missing"
        )
        events = await connection.fetchval(
            "select count(*) from platform.audit_entries where action = 'job.paused' and object_id = $1",
            bound,
        )
        assert events == 1
        await connection.execute(
            "update wallet.api_keys set wallet_ids = array[$2::uuid] where key_id = $1",
            keys["bound"],
            wallet_id,
        )
        await api.app.state.jobs.repository.retry(bound, None)
        await until(api, bound, "succeeded")
    await connection.close()
    assert await api.admin.balance(wallet_id) == "1.000000"
    assert await api.admin.balance(other) == "0.000000"
