"""The SQL functions of jobs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wallet_service.core.caller import current_caller
from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.gateway import Database, Json


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that a worker has claimed.

    Attributes:
        job_id: its id.
        lease_id: of the claim.
        type: name of its type.
        arguments: as they were enqueued.
        attempt: the number of this attempt, from 1.
        tick_at: the moment of the schedule that it is for; None: it was enqueued.
        client_id: the creator; None: the service itself.
        key_id: of the creator's key.
        user_id: of the creator, if it is a user.
        organization_id: for which the user acts, if for one.
    """

    job_id: str
    lease_id: str
    type: str
    arguments: dict[str, Any]
    attempt: int
    tick_at: datetime | None
    client_id: str | None
    key_id: str | None
    user_id: str | None
    organization_id: str | None

    @property
    def claim(self) -> tuple[str, str]:
        """What names this claim of the job: a worker can have a job again while its earlier attempt still ends."""
        return self.job_id, self.lease_id


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule with a tick that has passed.

    Attributes:
        type: of its jobs.
        cron: its expression.
        next_at: the tick.
        now: the ledger's time.
    """

    type: str
    cron: str
    next_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of a claim.

    Attributes:
        jobs: that are now the worker's.
        schedules: that have ticks to create.
        expired: how many leases of other workers had expired.
        wait_s: seconds until the next job or tick is due; None: none is planned.
    """

    jobs: Sequence[Claimed]
    schedules: Sequence[DueSchedule]
    expired: int
    wait_s: float | None


class JobRepository:
    """Stores jobs. Every call is safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(
        self,
        job_id: str,
        kind: str,
        arguments: dict[str, Any],
        *,
        creator: dict[str, str] | None = None,
        due_at: datetime | None = None,
        key: str | None = None,
    ) -> bytes:
        """Create a job and return it as JSON; with a key that a job of the type has, return that job."""
        return await self._database.repeat(
            "add_job",
            job_id=job_id,
            type=kind,
            arguments=Json.of(arguments),
            creator=None if creator is None else Json.of(creator),
            due_at=None if due_at is None else _text(due_at),
            key=key,
        )

    async def claim(self, worker: str, types: Sequence[dict[str, Any]], limit: int) -> Claim:
        """Claim due jobs of these types: each has ``type``, ``lease_s``, ``max_attempts`` and ``is_scheduled``."""
        answer: Any = json.loads(
            await self._database.repeat(
                "claim_jobs", claim_id=new_id(), worker=worker, types=Json.of(list(types)), limit=limit
            )
        )
        return Claim(
            [
                Claimed(**(row | {"tick_at": _moment(row["tick_at"]) if row["tick_at"] else None}))
                for row in answer["jobs"]
            ],
            [
                DueSchedule(each["type"], each["cron"], _moment(each["next_at"]), _moment(each["now"]))
                for each in answer["schedules"]
            ],
            answer["expired"],
            None if answer["wait_ms"] is None else answer["wait_ms"] / 1000,
        )

    async def renew(self, jobs: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
        """Renew leases and store progress; returns the claims that are still the worker's: job id and lease id."""
        held: Any = json.loads(await self._database.repeat("renew_leases", jobs=Json.of(list(jobs))))
        return {(each["job_id"], each["lease_id"]) for each in held}

    async def complete(
        self, job: Claimed, result: dict[str, Any] | None, progress: dict[str, Any] | None
    ) -> bool:
        """Complete a job. Returns whether it was still the worker's."""
        answer = await self._database.repeat(
            "complete_job",
            job_id=job.job_id,
            lease_id=job.lease_id,
            result=None if result is None else Json.of(result),
            progress=None if progress is None else Json.of(progress),
        )
        return answer == b"true"

    async def fail(self, job: Claimed, code: str, detail: str, pause_ms: int | None) -> str:
        """End an attempt that failed: ``queued`` for another one in the pause, ``dead`` without one, or ``lost``."""
        answer = await self._database.repeat(
            "fail_job",
            job_id=job.job_id,
            lease_id=job.lease_id,
            error=_error(code, detail),
            pause_ms=pause_ms,
        )
        return answer.decode()

    async def release(self, job: Claimed) -> str:
        """Return a job to the queue; the attempt does not count. ``queued``, or ``lost``."""
        answer = await self._database.repeat("release_job", job_id=job.job_id, lease_id=job.lease_id)
        return answer.decode()

    async def pause(self, job: Claimed, code: str, detail: str) -> str:
        """Pause a job until it is retried: ``paused``, or ``lost``."""
        answer = await self._database.repeat(
            "pause_job", job_id=job.job_id, lease_id=job.lease_id, error=_error(code, detail)
        )
        return answer.decode()

    async def now(self) -> datetime:
        """The ledger's time."""
        return _moment((await self._database.read("read_job_time")).decode())

    async def set_schedules(self, schedules: Sequence[tuple[str, str, datetime]]) -> None:
        """Set the expression of each type and its first tick; one with the same expression keeps its next tick."""
        rows = [{"type": kind, "cron": cron, "next_at": _text(next_at)} for kind, cron, next_at in schedules]
        await self._database.repeat("set_job_schedules", schedules=Json.of(rows))

    async def schedule(self, due: DueSchedule, moments: Sequence[datetime], following: datetime) -> int:
        """Create the jobs of these ticks and move the schedule on, unless another worker has. Returns how many."""
        rows = [{"job_id": new_id(), "tick_at": _text(moment)} for moment in moments]
        return int(
            await self._database.repeat(
                "schedule_job",
                type=due.type,
                cron=due.cron,
                ticks=Json.of(rows),
                **{"from": _text(due.next_at), "next": _text(following)},
            )
        )

    async def get(self, job_id: str, client_id: str | None) -> bytes:
        """A job as JSON.

        Args:
            job_id: the job.
            client_id: the only creator whose jobs the caller sees; None: it sees all.

        Raises:
            JobNotFound: the caller sees no such job.
        """
        return await self._database.read("get_job", job_id=job_id, client_id=client_id)

    async def page(
        self, client_id: str | None, status: str | None, kind: str | None, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of jobs as JSON, newest first, and the id to continue after; None at the end."""
        items, _, following = (
            await self._database.read(
                "list_jobs", client_id=client_id, status=status, type=kind, after=after, limit=limit
            )
        ).rpartition(b"\n")
        return items, following.decode() or None

    async def retry(self, job_id: str, client_id: str | None) -> bytes:
        """Make a job due at once, with all its attempts again, and return it.

        Raises:
            JobNotFound: the caller sees no such job.
            JobStatus: it runs, or has succeeded.
        """
        return await self._database.repeat(
            "retry_job", job_id=job_id, client_id=client_id, caller=Json.of(current_caller().document())
        )

    async def cancel(self, job_id: str, client_id: str | None) -> bytes:
        """Cancel a job and return it; one that is cancelled stays as it is.

        Raises:
            JobNotFound: the caller sees no such job.
            JobStatus: it has succeeded.
        """
        return await self._database.repeat(
            "cancel_job", job_id=job_id, client_id=client_id, caller=Json.of(current_caller().document())
        )

    async def counts(self) -> dict[str, int]:
        """How many jobs are ``due``, ``running``, ``paused`` and ``dead``, and ``oldest_due_ms``."""
        return json.loads(await self._database.read("read_job_counts"))

    async def delete_finished(self, keep_s: int, keep_dead_s: int, limit: int) -> int:
        """Remove jobs that ended that long ago, at most ``limit``. Returns how many."""
        return int(
            await self._database.repeat(
                "delete_finished_jobs", keep_s=keep_s, keep_dead_s=keep_dead_s, limit=limit
            )
        )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _error(code: str, detail: str) -> Json:
    return Json.of({"code": code, "detail": detail})
