"""Declares the room."""

from wallet_service.core.room import EventType, JobType, Permission, RecordedRead, Room, VerifyWalk
from wallet_service.platform.jobs.problems import JobNotFound, JobStatus
from wallet_service.platform.jobs.settings import JobsSettings

PATH = "/api/v1/jobs"

JOBS_READ = Permission(
    "jobs:read", "List and read jobs; a user token: the user's own", is_users=True, spans_wallets=True
)
JOBS_WRITE = Permission(
    "jobs:write", "Retry and cancel jobs; a user token: the user's own", is_users=True, spans_wallets=True
)

WALK = VerifyWalk(
    "verify_jobs",
    "jobs",
    {
        "job leases": "a job has a lease while it runs, and at no other time",
        "job ends": "a job that has succeeded, is dead or was cancelled has the time of its end",
        "job keys": "a type has one job for a key, and one for a tick of its schedule",
        "job ticks": "a job of a schedule is for a tick before the next one",
    },
)

ROOM = Room(
    name="jobs",
    module=__name__,
    summary="work in the background: jobs in the database, schedules, the worker that runs them",
    routers=("router:router",),
    tags={"jobs": "Work in the background: its progress, its outcome, another attempt, and its end."},
    settings=JobsSettings,
    permissions=(JOBS_READ, JOBS_WRITE),
    problems=(JobNotFound, JobStatus),
    lifespan="lifespan:open_jobs",
    commands="commands:add_commands",
    schema="platform",
    verify_walks=(WALK,),
    # The result of a job can have data of persons, such as the lines of an import that were refused.
    recorded_reads={
        "list_jobs": RecordedRead(action="jobs.read"),
        "get_job": RecordedRead(action="job.read"),
    },
    event_types=tuple(
        EventType(name=f"job.{name}", summary=summary, data="schemas:Job")
        for name, summary in (
            ("dead", "A job has used up its attempts."),
            ("paused", "A job waits, because its creator has lost its rights."),
            ("cancelled", "A job was cancelled."),
            ("retried", "A job was made due at once, with all its attempts again."),
        )
    ),
    jobs=(
        JobType(
            name="delete_finished_jobs",
            summary="removes jobs `WALLET_JOBS_KEEP_DAYS` after their end, dead ones after `WALLET_JOBS_KEEP_DEAD_DAYS`",
            handler="jobs:delete_finished",
            schedule="17 * * * *",
        ),
    ),
)
