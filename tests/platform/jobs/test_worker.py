"""The worker on a real database, through both drivers."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from support.clock import SettableClock

from wallet_service.core.errors import ValidationFailed
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify
from wallet_service.platform.database.gateway import Json
from wallet_service.platform.jobs.context import JobContext, JobRefused, LeaseLost
from wallet_service.platform.jobs.metrics import JobMetrics
from wallet_service.platform.jobs.repository import JobRepository
from wallet_service.platform.jobs.room import WALK
from wallet_service.platform.jobs.worker import Pace, Worker

from .conftest import LONGEST_S, Workshop, wait_for


async def _has_error(workshop: Workshop, job: bytes) -> bool:
    return (await workshop.read(job))["error"] is not None


async def _all(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await wait_for(holds)


async def nothing(context: JobContext) -> None:
    del context


async def test_a_job_runs_once_with_its_arguments_progress_and_result(workshop: Workshop) -> None:
    async def add(context: JobContext) -> None:
        context.progress(1, 2, "half")
        await context.heartbeat()
        assert (await workshop.read(context.job.job_id))["progress"] == {
            "done": 1,
            "total": 2,
            "note": "half",
        }
        context.progress(2, 2)
        context.finish_with({"sum": context.arguments["a"] + 1})

    workshop.handle("add", add)
    jobs = workshop.jobs()
    await workshop.start(jobs)
    job = await jobs.enqueue("add", {"a": 2})
    done = await workshop.until(job, "succeeded", "dead")
    assert (done["status"], done["attempts"], done["result"]) == ("succeeded", 1, {"sum": 3})
    assert done["progress"] == {"done": 2, "total": 2, "note": None}
    assert done["finished_at"] is not None
    lines: list[str] = []
    assert await verify(workshop.database, lines.append, [WALK])
    assert any("1 jobs: ok" in line for line in lines)


async def test_two_workers_never_run_the_same_job(workshop: Workshop) -> None:
    seen: Counter[str] = Counter()

    async def see(context: JobContext) -> None:
        seen[context.job.job_id] += 1
        await asyncio.sleep(0)

    workshop.handle("see", see)
    jobs = workshop.jobs()
    ids = [json.loads(await jobs.enqueue("see"))["job_id"] for _ in range(40)]
    await workshop.start(concurrency=5)
    await workshop.start(concurrency=5)
    for job_id in ids:
        await workshop.until(job_id, "succeeded")
    assert seen == Counter(ids)


async def test_a_key_and_an_id_make_one_job(local_workshop: Workshop) -> None:
    local_workshop.handle("once", nothing)
    jobs = local_workshop.jobs()
    first, second = [json.loads(await jobs.enqueue("once", key="monday")) for _ in range(2)]
    assert first["job_id"] == second["job_id"]
    job_id = new_id()
    assert {json.loads(await jobs.enqueue("once", job_id=job_id))["job_id"] for _ in range(2)} == {job_id}
    with pytest.raises(ValueError, match="unknown"):
        await jobs.enqueue("unknown")
    with pytest.raises(ValidationFailed):
        await jobs.enqueue("once", {"text": "x" * 70_000})


async def test_failures_are_retried_with_a_pause_and_end_dead_without_what_is_internal(
    workshop: Workshop, superuser: asyncpg.Connection
) -> None:
    async def fail(context: JobContext) -> None:
        if context.arguments:
            raise JobRefused("impossible", "There is no such thing")
        raise RuntimeError("a secret of the inside")

    workshop.handle("fail", fail, max_attempts=2, first_pause_s=3600)
    jobs = workshop.jobs()
    await workshop.start(jobs)
    job = await jobs.enqueue("fail")
    await wait_for(lambda: _has_error(workshop, job))
    waiting = await workshop.read(job)
    assert (waiting["status"], waiting["error"]["code"]) == ("queued", "internal_error")
    assert "secret" not in json.dumps(waiting)
    pause = datetime.fromisoformat(waiting["due_at"]) - datetime.fromisoformat(waiting["updated_at"])
    assert timedelta(seconds=2699) < pause <= timedelta(seconds=3601)
    await superuser.execute("update platform.jobs set due_at = now()")
    dead = await workshop.until(job, "dead")
    assert (dead["attempts"], dead["error"]["code"]) == (2, "internal_error")
    at_once = await workshop.until(await jobs.enqueue("fail", {"for": "good"}), "dead")
    assert (at_once["attempts"], at_once["error"]["code"]) == (1, "impossible")


async def test_an_attempt_that_takes_too_long_fails(local_workshop: Workshop) -> None:
    async def hang(context: JobContext) -> None:
        del context
        await asyncio.Event().wait()

    local_workshop.handle("hang", hang, max_attempts=1, timeout_s=1)
    jobs = local_workshop.jobs()
    await local_workshop.start(jobs)
    assert (await local_workshop.until(await jobs.enqueue("hang"), "dead"))["error"][
        "code"
    ] == "job_timed_out"


async def test_texts_that_can_not_be_stored_keep_no_lease_from_being_renewed(workshop: Workshop) -> None:
    """All leases of a worker are renewed in one call, with the notes of all its jobs."""
    odd = "a\x00b\ud800c\x1b"

    async def note(context: JobContext) -> None:
        context.progress(1, note=odd)
        await context.heartbeat()

    async def refuse(context: JobContext) -> None:
        del context
        raise JobRefused("odd", odd)

    async def result(context: JobContext) -> None:
        context.finish_with({"of": [{odd: 1}]})

    for handler in (note, refuse, result):
        workshop.handle(handler.__name__, handler, max_attempts=1)
    jobs = workshop.jobs()
    await workshop.start(jobs)
    done = await workshop.until(await jobs.enqueue("note"), "succeeded", "dead")
    assert (done["status"], done["progress"]["note"]) == ("succeeded", "a?b?c?")
    dead = await workshop.until(await jobs.enqueue("refuse"), "dead")
    assert dead["error"] == {"code": "odd", "detail": "a?b?c?"}
    dead = await workshop.until(await jobs.enqueue("result"), "dead")
    assert dead["error"]["code"] == "internal_error"


async def test_a_worker_that_lost_its_lease_can_not_complete(
    workshop: Workshop, superuser: asyncpg.Connection
) -> None:
    """The first worker hangs, the second one does the job; then the first one ends, too late."""
    go, ends = asyncio.Event(), []

    async def late(context: JobContext) -> None:
        if context.job.attempt == 1:
            await go.wait()
            with pytest.raises(LeaseLost):
                await context.heartbeat()
        context.finish_with({"attempt": context.job.attempt})
        ends.append(context.job.attempt)

    workshop.handle("late", late, lease_s=3600)
    jobs = workshop.jobs()
    await workshop.start(jobs)
    job = await jobs.enqueue("late")
    await workshop.until(job, "running")
    await superuser.execute("update platform.jobs set lease_until = now() - interval '1 second'")
    await workshop.start()
    done = await workshop.until(job, "succeeded")
    go.set()
    await _all(lambda: len(ends) == 2)
    assert ends == [2, 1]
    assert done == await workshop.read(job)
    assert (done["result"], done["attempts"]) == ({"attempt": 2}, 2)


async def test_an_expired_lease_of_the_last_attempt_is_the_end(
    local_workshop: Workshop, superuser: asyncpg.Connection
) -> None:
    local_workshop.handle("kills_its_worker", nothing, max_attempts=2)
    jobs = local_workshop.jobs()
    repository = jobs.repository
    types = [{"type": "kills_its_worker", "lease_s": 60, "max_attempts": 2}]
    job = await jobs.enqueue("kills_its_worker")
    for attempt in (1, 2):
        (claimed,) = (await repository.claim("w", types, 1)).jobs
        assert claimed.attempt == attempt
        await superuser.execute("update platform.jobs set lease_until = now() - interval '1 second'")
    claim = await repository.claim("w", types, 1)
    assert (claim.jobs, claim.expired) == ([], 1)
    dead = await local_workshop.read(job)
    assert (dead["status"], dead["error"]["code"]) == ("dead", "lease_expired")


async def test_a_claim_whose_response_was_lost_is_the_same_claim(workshop: Workshop) -> None:
    workshop.handle("x", nothing)
    await workshop.jobs().enqueue("x")
    await workshop.jobs().enqueue("x")
    arguments = {
        "claim_id": new_id(),
        "worker": "w",
        "types": Json.of([{"type": "x", "lease_s": 60, "max_attempts": 3}]),
        "limit": 1,
    }
    first, second = [json.loads(await workshop.database.call("claim_jobs", **arguments)) for _ in range(2)]
    assert first["jobs"] == second["jobs"]
    assert len(first["jobs"]) == 1


async def test_a_graceful_stop_returns_what_is_claimed(local_workshop: Workshop) -> None:
    async def hang(context: JobContext) -> None:
        del context
        await asyncio.Event().wait()

    local_workshop.handle("hang", hang, max_attempts=1)
    jobs = local_workshop.jobs()
    worker, task = await local_workshop.start(jobs)
    job = await jobs.enqueue("hang")
    await local_workshop.until(job, "running")
    worker.stop()
    await task
    returned = await local_workshop.read(job)
    assert (returned["status"], returned["attempts"], returned["error"]) == ("queued", 0, None)


async def test_a_graceful_stop_lets_short_jobs_end(local_workshop: Workshop) -> None:
    go = asyncio.Event()

    async def wait(context: JobContext) -> None:
        del context
        await go.wait()

    local_workshop.handle("wait", wait)
    jobs = local_workshop.jobs()
    worker, task = await local_workshop.start(jobs, grace_s=LONGEST_S)
    job = await jobs.enqueue("wait")
    await local_workshop.until(job, "running")
    worker.stop()
    go.set()
    await task
    assert (await local_workshop.read(job))["status"] == "succeeded"


async def test_a_job_that_is_cancelled_while_it_runs_stops(local_workshop: Workshop) -> None:
    ended = asyncio.Event()

    async def hang(context: JobContext) -> None:
        del context
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    local_workshop.handle("hang", hang, lease_s=1)
    jobs = local_workshop.jobs()
    await local_workshop.start(jobs)
    job = json.loads(await jobs.enqueue("hang"))["job_id"]
    await local_workshop.until(job, "running")
    await jobs.repository.cancel(job, None)
    async with asyncio.timeout(LONGEST_S):
        await ended.wait()
    assert (await local_workshop.read(job))["status"] == "cancelled"


async def test_a_claim_that_was_cancelled_and_the_next_one_of_the_same_job_are_told_apart(
    workshop: Workshop,
) -> None:
    """One worker can have both for a moment: the handler of the first one has to stop."""
    jobs = workshop.jobs()
    workshop.handle("x", nothing)
    job = json.loads(await jobs.enqueue("x"))["job_id"]
    types = [{"type": "x", "lease_s": 60, "max_attempts": 3}]
    (first,) = (await jobs.repository.claim("w", types, 1)).jobs
    await jobs.repository.cancel(job, None)
    await jobs.repository.retry(job, None)
    (second,) = (await jobs.repository.claim("w", types, 1)).jobs
    renewals = [
        {"job_id": job, "lease_id": each.lease_id, "lease_s": 60, "progress": None}
        for each in (first, second)
    ]
    assert await jobs.repository.renew(renewals) == {second.claim}


async def test_a_schedule_that_the_settings_turned_off_is_not_looked_for_again_and_again(
    workshop: Workshop,
) -> None:
    """Its next tick stays in the database, and is over: it must not count as work that waits."""
    workshop.handle("off", nothing, schedule="* * * * *")
    jobs = workshop.jobs()
    await jobs.repository.set_schedules([("off", "* * * * *", datetime(2026, 1, 1, tzinfo=UTC))])
    types = [{"type": "off", "lease_s": 60, "max_attempts": 3}]
    assert (await jobs.repository.claim("w", types, 1)).wait_s == 0
    workshop.kinds["off"] = replace(workshop.kinds["off"], scheduled=False)
    worker = Worker(workshop.jobs(), workshop.state, name="w", pace=Pace())
    claim = await jobs.repository.claim("w", worker._types, 1)
    assert (claim.schedules, claim.wait_s) == ([], None)


async def test_a_tick_is_created_once_by_three_workers_and_missed_ones_in_order(
    workshop: Workshop, superuser: asyncpg.Connection
) -> None:
    clock = SettableClock(superuser)
    await clock.install()
    noon = datetime(2031, 1, 31, 12, 0, 30, tzinfo=UTC)
    await clock.set(noon)
    seen: list[datetime | None] = []

    async def tick(context: JobContext) -> None:
        seen.append(context.job.tick_at)

    workshop.handle("tick", tick, schedule="* * * * *", missed_ticks=3)
    for _ in range(3):
        await workshop.start(concurrency=5)
    await wait_for(lambda: superuser.fetchval("select count(*) > 0 from platform.job_schedules"))
    assert seen == []
    minutes = [datetime(2031, 1, 31, 12, minute, tzinfo=UTC) for minute in range(1, 60)]
    await clock.set(minutes[0] + timedelta(seconds=1))
    await _all(lambda: len(seen) == 1)
    await clock.set(minutes[9] + timedelta(seconds=1))  # nine more, of which the last three are made up
    await _all(lambda: len(seen) == 4)
    assert seen == [minutes[0], *minutes[7:10]]
    assert await superuser.fetchval("select count(*) from platform.jobs") == 4
    assert await superuser.fetchval("select next_at from platform.job_schedules") == minutes[10]
    lines: list[str] = []
    assert await verify(workshop.database, lines.append, [WALK]), lines


async def test_a_clock_that_is_set_forward_ends_no_lease(
    local_workshop: Workshop, superuser: asyncpg.Connection
) -> None:
    clock = SettableClock(superuser)
    await clock.install()
    local_workshop.handle("x", nothing)
    jobs = local_workshop.jobs()
    later = await jobs.enqueue("x", due_at=datetime(2031, 1, 1, tzinfo=UTC))
    types = [{"type": "x", "lease_s": 60, "max_attempts": 3}]
    assert (await jobs.repository.claim("w", types, 5)).jobs == []
    await jobs.enqueue("x")
    (running,) = (await jobs.repository.claim("w", types, 5)).jobs
    await clock.set(datetime(2031, 1, 2, tzinfo=UTC))
    claim = await jobs.repository.claim("w", types, 5)
    assert claim.expired == 0
    assert [each.job_id for each in claim.jobs] == [json.loads(later)["job_id"]]
    assert await jobs.repository.complete(running, None, None)


async def test_finished_jobs_are_removed_in_pieces_and_dead_ones_later(
    local_workshop: Workshop, superuser: asyncpg.Connection
) -> None:
    local_workshop.handle("x", nothing)
    jobs = local_workshop.jobs()
    await local_workshop.start(jobs)
    ids = [json.loads(await jobs.enqueue("x"))["job_id"] for _ in range(5)]
    for job_id in ids:
        await local_workshop.until(job_id, "succeeded")
    await superuser.execute("update platform.jobs set finished_at = now() - interval '8 days'")
    await superuser.execute("update platform.jobs set status = 'dead' where job_id = $1", ids[0])
    week, quarter = 7 * 86_400, 90 * 86_400
    repository = JobRepository(local_workshop.database)
    assert [await repository.delete_finished(week, quarter, 3) for _ in range(2)] == [3, 1]
    metrics = JobMetrics()
    metrics.counted(counts := await repository.counts())
    assert counts["dead"] == metrics._jobs.labels("dead")._value.get() == 1
    assert await repository.delete_finished(week, week, 3) == 1
