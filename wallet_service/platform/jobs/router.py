"""The routes of jobs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from fastapi.sse import EventSourceResponse
from pydantic import Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import Overloaded, WalletBusy
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.jobs.problems import JobNotFound, JobStatus
from wallet_service.platform.jobs.repository import JobRepository
from wallet_service.platform.jobs.room import JOBS_READ, JOBS_WRITE, PATH
from wallet_service.platform.jobs.schemas import Job, JobPage, StatusFilter
from wallet_service.platform.jobs.stream import JobStreams, events
from wallet_service.platform.web.accept import accepts
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, problems
from wallet_service.platform.web.pagination import (
    DEFAULT_LIMIT,
    CursorText,
    Limit,
    decode_cursor,
    page_response,
)
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(tags=["jobs"], route_class=StrictRoute)

Repository = Annotated[JobRepository, on_database(JobRepository)]
Reader = Annotated[Principal, requires(JOBS_READ)]
Writer = Annotated[Principal, requires(JOBS_WRITE)]
JobInPath = Annotated[UUID, Path(description="The job's id.")]

_POSITION = TypeAdapter(tuple[UUID])
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'event: job\ndata: {"job_id":"0199d0a8-0000-7000-8000-00000000010b","status":"running"}\n\n',
            }
        }
    }
}


def _seen_by(caller: Principal) -> str | None:
    """The only creator whose jobs the caller sees: a user sees its own; None for a client, which sees all."""
    return caller.client_id if caller.is_user else None


@router.get(
    PATH, response_model=JobPage, responses=problems(*READS), operation_id="list_jobs", summary="List jobs"
)
async def list_jobs(
    caller: Reader,
    jobs: Repository,
    status: Annotated[
        StatusFilter | None,
        Query(description="Only jobs with this status; `due`: queued ones that wait for a worker now."),
    ] = None,
    type: Annotated[  # noqa: A002 - the name in the API
        str | None,
        Field(max_length=63, pattern="^[a-z][a-z0-9_]*$"),
        Query(description="Only jobs of this type.", examples=["delete_finished_jobs"]),
    ] = None,
    cursor: CursorText = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Jobs, newest first; with a user token those that the user has created. Ended ones are removed some days later."""
    client_id = _seen_by(caller)
    selection = {"client_id": client_id, "status": status, "type": type}
    after = None if cursor is None else str(decode_cursor("jobs", selection, cursor, _POSITION)[0])
    items, following = await jobs.page(client_id, status, type, after, limit)
    return page_response("jobs", selection, items, following and [following])


@router.get(
    f"{PATH}/{{job_id}}",
    response_model=Job,
    responses={**_STREAM, **problems(*READS, JobNotFound, Overloaded)},
    operation_id="get_job",
    summary="Read a job, or follow its progress",
)
async def get_job(request: Request, caller: Reader, job_id: JobInPath, jobs: Repository) -> Response:
    """The job with its progress. With `Accept: text/event-stream` each change follows as a server-sent event.

    The events are `job`, and at last `end`, each with the job as JSON; then the stream ends. A comment every 15 s keeps
    the connection open. Changes are seen within about a second. The stream also ends when the service stops, and when
    the caller may no longer read jobs: connect again.
    """
    client_id = _seen_by(caller)
    document = await jobs.get(str(job_id), client_id)
    if not accepts(request.headers.get("accept", ""), "text/event-stream"):
        return JsonBytes(document)
    streams: JobStreams = request.app.state.job_streams
    streams.require_room()

    async def recheck() -> None:
        values = [value for name, value in request.scope["headers"] if name == b"authorization"]
        now = await request.app.state.auth.principal(values)
        for each in request.app.state.caller_checks:
            await each(request.app.state, now)
        now.require(JOBS_READ)

    return EventSourceResponse(
        streams.count(events(jobs, document, client_id, streams, recheck)),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post(
    f"{PATH}/{{job_id}}/retry",
    response_model=Job,
    responses=problems(*READS, JobNotFound, JobStatus, WalletBusy),
    operation_id="retry_job",
    summary="Retry a job",
)
async def retry_job(caller: Writer, job_id: JobInPath, jobs: Repository) -> Response:
    """Make a dead, cancelled, paused or waiting job due at once, with all its attempts again.

    What it moved before is not moved again: its idempotency keys stay. 409 while it runs, and after it has succeeded.
    """
    return JsonBytes(await jobs.retry(str(job_id), _seen_by(caller)))


@router.post(
    f"{PATH}/{{job_id}}/cancel",
    response_model=Job,
    responses=problems(*READS, JobNotFound, JobStatus, WalletBusy),
    operation_id="cancel_job",
    summary="Cancel a job",
)
async def cancel_job(caller: Writer, job_id: JobInPath, jobs: Repository) -> Response:
    """End a job. One that runs is stopped within seconds; what it has done by then stays.

    A job that is cancelled already stays as it is. 409 after it has succeeded.
    """
    return JsonBytes(await jobs.cancel(str(job_id), _seen_by(caller)))
