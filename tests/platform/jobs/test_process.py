"""Workers as processes: killed, stopped, and beside the service."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from conftest import TestDatabase
from support.api import ADMIN_KEY, Api, open_api
from support.job_room.room import ROOM
from support.service import serving, wait_for
from support.worker_process import worker_process

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.keys import list_keys
from wallet_service.rooms import ROOMS

from .conftest import wait_for as wait_until


@pytest.fixture
async def api(made: TestDatabase) -> AsyncIterator[Api]:
    async with open_api(made.service_dsn, rooms=(*ROOMS, ROOM)) as opened:
        yield opened


async def deposit(api: Api, wallet: str, folder: Path) -> str:
    """A job that has posted when the file posted-<attempt> exists, and ends when the file go exists."""
    await api.service("deposits:write", name="creator")
    key_id = (await list_keys(api.app.state.database))[-1]["key_id"]
    document = await api.app.state.jobs.repository.enqueue(
        new_id(),
        "deposit_slowly",
        {"wallet_id": wallet, "folder": str(folder)},
        creator={"client_id": "creator", "key_id": key_id},
    )
    return json.loads(document)["job_id"]


async def status_of(api: Api, job: str) -> tuple[str, int]:
    document = json.loads(await api.app.state.jobs.repository.get(job, None))
    return document["status"], document["attempts"]


async def until(api: Api, job: str, status: tuple[str, int]) -> None:
    async def has_it() -> bool:
        return await status_of(api, job) == status

    await wait_until(has_it)


async def exists(file: Path) -> None:
    async def there() -> bool:
        return await asyncio.to_thread(file.exists)

    await wait_until(there)


async def test_a_killed_worker_loses_nothing_and_nothing_is_posted_twice(
    api: Api, made: TestDatabase, tmp_path: Path
) -> None:
    wallet = (await api.admin.wallet())["wallet_id"]
    with worker_process(made.service_dsn, tmp_path) as first:
        job = await deposit(api, wallet, tmp_path)
        await exists(tmp_path / "posted-1")
        first.process.kill()
        assert await status_of(api, job) == ("running", 1)
        with worker_process(made.service_dsn, tmp_path):
            await exists(tmp_path / "posted-2")
            (tmp_path / "go").touch()
            await until(api, job, ("succeeded", 2))
    assert (await api.admin.balance(wallet)).startswith("1.0")


async def test_a_stopped_worker_returns_its_job_and_has_health_and_metrics(
    api: Api, made: TestDatabase, tmp_path: Path
) -> None:
    wallet = (await api.admin.wallet())["wallet_id"]
    with worker_process(made.service_dsn, tmp_path) as worker:
        job = await deposit(api, wallet, tmp_path)
        await exists(tmp_path / "posted-1")
        async with httpx.AsyncClient() as http:
            assert (await http.get(worker.url("/health/ready"))).status_code == 200
            key = {"Authorization": f"Bearer {ADMIN_KEY}"}
            metrics = (await http.get(worker.url("/metrics"), headers=key)).text
            assert "wallet_worker_polled_timestamp_seconds 1" in metrics
            assert (await http.get(worker.url("/api/v1/jobs"), headers=key)).status_code == 404
        worker.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.process.wait) == 0, worker.printed
    assert await status_of(api, job) == ("queued", 0)


async def test_the_service_runs_jobs_unless_workers_of_their_own_do(
    api: Api, made: TestDatabase, tmp_path: Path
) -> None:
    async def started(**settings: str) -> None:
        def serve() -> None:
            with serving(tmp_path, **common, **settings) as service:
                wait_for(lambda: ("worker_started" in service.printed) == (settings == {}))

        await asyncio.to_thread(serve)

    common = {
        "WALLET_DATABASE_URL": made.service_dsn,
        "WALLET_MIGRATE_ON_START": "false",
        "WALLET_ADMIN_KEY": ADMIN_KEY,
        "WALLET_WORKER_POLL_MS": "50",
    }
    job = json.loads(await api.app.state.jobs.enqueue("delete_finished_jobs"))["job_id"]
    await started(WALLET_WORKER="false")
    assert await status_of(api, job) == ("queued", 0)
    await started()
    await until(api, job, ("succeeded", 1))
