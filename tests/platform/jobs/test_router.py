"""Jobs over HTTP, on both drivers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from conftest import Locate, TestDatabase
from support.api import Api, Client, conforms, open_api, pointers, problem
from support.job_room.room import ROOM
from support.recorded import EVENTS

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.auth.keys import list_keys, revoke_key
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.jobs import stream
from wallet_service.platform.jobs.context import creator_of
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.platform.jobs.responses import accepted
from wallet_service.platform.jobs.schemas import Job
from wallet_service.rooms import ROOMS

from .conftest import LONGEST_S, wait_for


@pytest.fixture
async def api(made: TestDatabase, locate_database: Locate) -> AsyncIterator[Api]:
    location = await locate_database(made)
    async with open_api(location, rooms=(*ROOMS, ROOM), worker_poll_ms=50) as opened:
        yield opened


async def enqueue(
    api: Api, kind: str, arguments: dict[str, Any], creator: dict[str, str] | None = None
) -> str:
    jobs = api.app.state.jobs
    document = await jobs.repository.enqueue(new_id(), kind, arguments, creator=creator)
    return json.loads(document)["job_id"]


async def read(api: Api, job: str) -> dict[str, Any]:
    return json.loads(await api.app.state.jobs.repository.get(job, None))


async def until(api: Api, job: str, status: str) -> dict[str, Any]:
    async def has_it() -> bool:
        return (await read(api, job))["status"] == status

    await wait_for(has_it)
    return await read(api, job)


async def test_jobs_are_listed_by_status_and_type_in_pages(api: Api) -> None:
    reader = await api.service("jobs:read")
    ids = [await enqueue(api, "count", {"to": 1}) for _ in range(3)]
    other = await enqueue(api, "fail", {})
    first = (await reader.get("/jobs", type="count", limit=2)).json()
    second = (await reader.get("/jobs", type="count", limit=2, cursor=first["next_cursor"])).json()
    assert [each["job_id"] for each in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    due = (await reader.get("/jobs", status="due")).json()["items"]
    assert {each["job_id"] for each in due} == {*ids, other}
    for status in ("running", "dead"):
        assert (await reader.get("/jobs", status=status)).json()["items"] == []
    conforms((await reader.get(f"/jobs/{other}")).content, Job)
    problem(await reader.get("/jobs", cursor=first["next_cursor"]), "validation_failed")
    assert pointers(problem(await reader.get("/jobs", status="lost"), "validation_failed")) == ["/status"]


async def test_a_page_ends_before_it_is_too_large_for_one_response(
    api: Api, superuser: asyncpg.Connection
) -> None:
    """A call of a Supabase project returns at most 1 MiB, and a result has up to 64 KiB."""
    reader = await api.service("jobs:read")
    ids = [await enqueue(api, "count", {"to": 1}) for _ in range(30)]
    await superuser.execute(
        "update platform.jobs set status = 'succeeded', finished_at = now(),"
        " result = jsonb_build_object('text', repeat('x', 60000))"
    )
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await reader.get("/jobs", limit=30, **cursor)
        assert len(answer.content) < 900_000
        page = answer.json()
        found += [each["job_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == ids[::-1]


async def test_a_user_sees_and_changes_its_own_jobs_only(api: Api) -> None:
    user = api.user()
    assert user.user_id is not None
    own = await enqueue(
        api, "count", {"to": 1}, {"client_id": f"user:|{user.user_id}", "user_id": user.user_id}
    )
    other = await enqueue(api, "count", {"to": 1})
    assert [each["job_id"] for each in (await user.get("/jobs")).json()["items"]] == [own]
    problem(await user.get(f"/jobs/{other}"), "job_not_found")
    problem(await user.post(f"/jobs/{other}/cancel"), "job_not_found")
    assert (await user.post(f"/jobs/{own}/cancel")).json()["status"] == "cancelled"
    assert (await user.post(f"/jobs/{own}/retry")).json()["status"] == "queued"


async def test_cancel_and_retry_by_status(api: Api) -> None:
    writer = await api.service("jobs:read", "jobs:write")
    job = await enqueue(api, "count", {"to": 1})
    cancelled = (await writer.post(f"/jobs/{job}/cancel")).json()
    assert cancelled["status"] == "cancelled"
    assert (await writer.post(f"/jobs/{job}/cancel")).json() == cancelled  # a second time changes nothing
    assert (await writer.post(f"/jobs/{job}/retry")).json()["status"] == "queued"
    async with running_worker(api.app.state, api.app.state.settings):
        await until(api, job, "succeeded")
    refusal = problem(await writer.post(f"/jobs/{job}/cancel"), "job_status")
    assert refusal["status"] == 409
    problem(await writer.post(f"/jobs/{job}/retry"), "job_status")
    problem(await writer.post(f"/jobs/{new_id()}/retry"), "job_not_found")
    problem(await writer.get("/jobs/7"), "validation_failed")


async def test_the_progress_is_a_stream_of_events_that_ends_with_the_job(api: Api) -> None:
    reader = await api.service("jobs:read")
    job = await enqueue(api, "count", {"to": 3})
    for form in ("text/event-stream;q=0", "application/json, text/event-stream;q=0.5"):
        read_once = await reader.send("GET", f"/jobs/{job}", headers={"Accept": form})
        assert read_once.json()["status"] == "queued"
    async with running_worker(api.app.state, api.app.state.settings):
        answer = await reader.send("GET", f"/jobs/{job}", headers={"Accept": "text/event-stream"})
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = [each for each in answer.text.split("\n\n") if each and not each.startswith(":")]
    last = events[-1].split("\n")
    assert last[0] == "event: end"
    done = json.loads(last[1].removeprefix("data: "))
    assert (done["status"], done["result"]) == ("succeeded", {"counted": 3})
    assert all(each.startswith("event: job") for each in events[:-1])


async def test_a_stream_ends_when_its_caller_loses_its_rights_and_when_the_service_stops(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job can be queued or paused for months."""
    monkeypatch.setattr(stream, "RECHECK_S", 0.05)
    state, job = api.app.state, await enqueue(api, "count", {"to": 1})
    streams: stream.JobStreams = state.job_streams

    async def opened(reader: Client) -> "asyncio.Task[httpx.Response]":
        headers = {"Accept": "text/event-stream"}
        reading = asyncio.create_task(reader.send("GET", f"/jobs/{job}", headers=headers))

        async def is_open() -> bool:
            assert not reading.done()
            return streams.open == 1

        await wait_for(is_open)
        return reading

    async def ended(reading: "asyncio.Task[httpx.Response]") -> None:
        async with asyncio.timeout(LONGEST_S):
            text = (await reading).text
        assert "event: job" in text
        assert "event: end" not in text
        assert streams.open == 0

    reading = await opened(await api.service("jobs:read", name="reader"))
    (key_id,) = [key["key_id"] for key in await list_keys(state.database) if key["client_name"] == "reader"]
    await revoke_key(state.database, key_id)
    state.auth.forget_keys()
    await ended(reading)

    monkeypatch.setattr(stream, "MOST_STREAMS", 1)
    reading = await opened(api.admin)
    refused = await api.admin.send("GET", f"/jobs/{job}", headers={"Accept": "text/event-stream"})
    problem(refused, "overloaded")
    for stop in state.when_stopping:
        stop()
    await ended(reading)


async def test_what_a_job_posts_is_its_creators_and_posted_once(
    api: Api, made: TestDatabase, tmp_path: Path
) -> None:
    wallet = (await api.admin.wallet())["wallet_id"]
    (tmp_path / "go").touch()
    await api.service("deposits:write", name="creator")
    key_id = (await list_keys(api.app.state.database))[-1]["key_id"]
    creator = {"client_id": "creator", "key_id": key_id}
    arguments = {"wallet_id": wallet, "folder": str(tmp_path)}
    job = await enqueue(api, "deposit_slowly", arguments, creator)
    async with running_worker(api.app.state, api.app.state.settings):
        done = await until(api, job, "succeeded")
        posted = await api.admin.get(f"/transactions/{done['result']['transaction_id']}")
        assert posted.json()["client_id"] == "creator"
        # The same job once more, as after a crash between the posting and its end.
        connection = await asyncpg.connect(made.dsn)
        await connection.execute("update platform.jobs set status = 'queued', finished_at = null")
        await connection.close()
        assert (await until(api, job, "succeeded"))["result"] == done["result"]
        assert (await api.admin.balance(wallet)).startswith("1.0")
        await revoke_key(api.app.state.database, key_id)
        revoked = await until(api, await enqueue(api, "deposit_slowly", arguments, creator), "paused")
        assert (revoked["error"]["code"], revoked["attempts"]) == ("unauthorized", 0)
    assert (await api.admin.balance(wallet)).startswith("1.0")


async def test_a_creator_that_lost_a_scope_or_is_restricted_pauses_its_job(api: Api, tmp_path: Path) -> None:
    wallet, other = [(await api.admin.wallet())["wallet_id"] for _ in range(2)]
    (tmp_path / "go").touch()
    await api.service("wallets:read", name="lost")
    await api.service("deposits:write", name="bound", restriction=Restriction(wallet_ids=frozenset({other})))
    keys = {each["client_name"]: each["key_id"] for each in await list_keys(api.app.state.database)}
    arguments = {"wallet_id": wallet, "folder": str(tmp_path)}
    lost = await enqueue(api, "deposit_slowly", arguments, {"client_id": "lost", "key_id": keys["lost"]})
    bound = await enqueue(api, "deposit_slowly", arguments, {"client_id": "bound", "key_id": keys["bound"]})
    async with running_worker(api.app.state, api.app.state.settings):
        assert (await until(api, lost, "paused"))["error"]["code"] == "forbidden"
        # To the restricted key the wallet does not exist.
        assert (await until(api, bound, "paused"))["error"]["code"] == "wallet_not_found"
    assert (await api.admin.balance(wallet)).startswith("0")


async def test_the_scheduled_jobs_of_every_room_run(api: Api) -> None:
    kinds = [kind.name for room in ROOMS for kind in room.jobs if kind.schedule is not None]
    ids = [await enqueue(api, kind, {}) for kind in kinds]
    async with running_worker(api.app.state, api.app.state.settings):
        for job in ids:
            await until(api, job, "succeeded")
    assert "delete_expired_files" in kinds


async def test_what_happens_to_jobs_is_an_event_and_in_the_audit_trail(
    api: Api, made: TestDatabase, tmp_path: Path
) -> None:
    writer = await api.service("jobs:read", "jobs:write", name="keeper")
    creator = {"client_id": "gone", "key_id": "0" * 32}
    paused = await enqueue(api, "deposit_slowly", {"folder": str(tmp_path)}, creator)
    dead = await enqueue(api, "fail", {"for_good": True})
    async with running_worker(api.app.state, api.app.state.settings):
        await until(api, paused, "paused")
        await until(api, dead, "dead")
    for _ in range(2):  # the second time changes nothing, so it is no event
        await writer.post(f"/jobs/{paused}/retry")
    for _ in range(2):
        await writer.post(f"/jobs/{paused}/cancel")
    connection = await asyncpg.connect(made.dsn)
    try:
        rows = await connection.fetch(
            f"select event_type, object_id from {EVENTS} where event_type like 'job.%'"
        )
        found = [(each["event_type"], each["object_id"]) for each in rows]
        expected = {"job.paused": paused, "job.dead": dead, "job.retried": paused, "job.cancelled": paused}
        assert sorted(found) == sorted(expected.items())
        statuses = "before ->> 'status' as before, after ->> 'status' as after"
        audit = f"select action, actor, {statuses} from platform.audit_entries where action like 'job.%'"
        rows = {
            each["action"]: (each["actor"], each["before"], each["after"])
            for each in await connection.fetch(audit)
        }
        assert rows == {
            "job.paused": ("service", "running", "paused"),
            "job.dead": ("service", "running", "dead"),
            "job.retried": ("client:keeper", "paused", "queued"),
            "job.cancelled": ("client:keeper", "queued", "cancelled"),
        }
    finally:
        await connection.close()


async def test_the_operators_job_runs_while_the_operators_key_is_set(api: Api, tmp_path: Path) -> None:
    wallet = (await api.admin.wallet())["wallet_id"]
    (tmp_path / "go").touch()
    operator = creator_of(Principal("admin", None, frozenset({"admin"})))
    arguments = {"wallet_id": wallet, "folder": str(tmp_path)}
    job = await enqueue(api, "deposit_slowly", arguments, operator)
    async with running_worker(api.app.state, api.app.state.settings):
        await until(api, job, "succeeded")


def test_accepted_names_the_job() -> None:
    answer = accepted(b'{"job_id":"7"}')
    assert (answer.status_code, answer.headers["Location"]) == (202, "/api/v1/jobs/7")
