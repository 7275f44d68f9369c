"""The import of a file as a job."""

import json
from collections.abc import AsyncIterator

import pytest
from conftest import FreshDatabase, Locate
from support.api import Api, Client, new_user, open_api, problem

from wallet_service.platform.jobs.lifespan import running_worker


@pytest.fixture
async def api(fresh_database: FreshDatabase, locate_database: Locate) -> AsyncIterator[Api]:
    location = await locate_database(await fresh_database())
    async with open_api(location, worker_poll_ms=50) as opened:
        yield opened


async def uploaded(client: Client, content: str, media_type: str = "text/csv") -> str:
    headers = {"Content-Type": media_type}
    answer = await client.send("POST", "/files?name=balances.csv", content.encode(), headers=headers)
    return answer.json()["file_id"]


async def ended(client: Client, job_id: str) -> dict[str, object]:
    """The job after its end: the stream of its events ends then."""
    answer = await client.send("GET", f"/jobs/{job_id}", headers={"Accept": "text/event-stream"})
    assert "event: end" in answer.text
    return (await client.get(f"/jobs/{job_id}")).json()


async def test_a_file_is_imported_once_with_progress_and_result(api: Api) -> None:
    users = [new_user() for _ in range(250)]
    rows = "".join(f"{user},CREDIT,5\n" for user in users)
    file_id = await uploaded(api.admin, f"user_id,currency,balance\n{rows}x,NOTMONEY,1\n")
    answer = await api.admin.post("/wallets/import/jobs", {"file_id": file_id})
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["job_id"]
    assert answer.headers["Location"] == f"/api/v1/jobs/{job_id}"
    async with running_worker(api.app.state, api.app.state.settings):
        job = await ended(api.admin, job_id)
    assert job["status"] == "succeeded", job
    result = job["result"]
    assert isinstance(result, dict)
    assert (result["created"], result["replayed"], result["refused"]) == (250, 0, 1)
    assert result["refused_lines"][0]["problem"]["code"] == "currency_unknown"
    assert job["progress"] == {"done": 251, "total": None, "note": "1 refused"}
    wallet = (await api.admin.get(f"/users/{users[-1]}/wallets")).json()["items"][0]
    assert wallet["balance"] == "5.000000"
    again = await api.admin.post("/wallets/import/jobs", {"file_id": file_id})
    assert (again.status_code, again.json()["job_id"]) == (202, job_id)


async def test_a_file_that_can_not_be_read_ends_dead_with_the_last_line(api: Api) -> None:
    file_id = await uploaded(api.admin, "no,such,columns\n1,2,3\n")
    job_id = (await api.admin.post("/wallets/import/jobs", {"file_id": file_id})).json()["job_id"]
    async with running_worker(api.app.state, api.app.state.settings):
        job = await ended(api.admin, job_id)
    assert (job["status"], job["attempts"]) == ("dead", 1), json.dumps(job)


async def test_files_of_others_and_of_other_types_are_refused(api: Api) -> None:
    other = await api.service("files:write")
    file_id = await uploaded(other, "user_id\nx\n")
    problem(await api.admin.post("/wallets/import/jobs", {"file_id": file_id}), "file_not_found")
    picture = await uploaded(api.admin, "x", "image/png")
    problem(await api.admin.post("/wallets/import/jobs", {"file_id": picture}), "unsupported_media_type")
    problem(await other.post("/wallets/import/jobs", {"file_id": file_id}), "forbidden")
    problem(await api.admin.post("/wallets/import/jobs", {"file": file_id}), "validation_failed")
