"""Responses about jobs."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Status = Literal["queued", "running", "paused", "succeeded", "dead", "cancelled"]
StatusFilter = Literal["queued", "running", "paused", "succeeded", "dead", "cancelled", "due"]
"""One literal: in a problem, the pointer to a union would name its members."""

_EXAMPLE: dict[str, Any] = {
    "job_id": "0199d0a8-0000-7000-8000-00000000010b",
    "type": "delete_finished_jobs",
    "status": "running",
    "attempts": 1,
    "progress": {"done": 500, "total": None, "note": "jobs removed"},
    "result": None,
    "error": None,
    "client_id": None,
    "user_id": None,
    "due_at": "2026-11-28T12:17:00.000000Z",
    "tick_at": "2026-11-28T12:17:00.000000Z",
    "created_at": "2026-11-28T12:17:00.000000Z",
    "updated_at": "2026-11-28T12:17:01.000000Z",
    "finished_at": None,
}


class Progress(BaseModel):
    """How far a job is."""

    done: int = Field(description="How many things are done.")
    total: int | None = Field(description="How many there are; null if that is not known.")
    note: str | None = Field(description="For people.")


class JobError(BaseModel):
    """Why the last attempt did not succeed."""

    code: str = Field(description="Stable, for programs: a problem's code, or one of the type of the job.")
    detail: str = Field(description="For people.")


class Job(BaseModel):
    """Work in the background."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    job_id: UUID = Field(description="The job's id, a UUIDv7.")
    type: str = Field(description="What kind of work it is.")
    status: Status = Field(
        description="`queued`: it waits until it is due, and for a worker. `running`: a worker has it. `paused`: its "
        "creator lost its rights; it waits for a retry. `succeeded`, `dead` (no attempt is left), `cancelled`: its end."
    )
    attempts: int = Field(description="Attempts so far, the present one included.")
    progress: Progress | None = Field(description="How far it is, if it has reported that.")
    result: dict[str, Any] | None = Field(description="What it has found or done, if its type has a result.")
    error: JobError | None = Field(
        description="Why the last attempt did not succeed; null during an attempt."
    )
    client_id: str | None = Field(description="The client that created it; null: the service itself.")
    user_id: str | None = Field(description="The user that created it; null: not a user.")
    due_at: AwareDatetime = Field(description="The earliest moment of the next attempt.")
    tick_at: AwareDatetime | None = Field(description="The moment of its schedule; null: it has no schedule.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(
        description="When its status or progress last changed, or its worker was last heard."
    )
    finished_at: AwareDatetime | None = Field(description="When it ended; null: it has not.")


class JobPage(BaseModel):
    """Jobs, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[Job] = Field(description="The jobs of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
