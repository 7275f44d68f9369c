"""The worker: claims due jobs, runs them, renews their leases, and creates the jobs of schedules.

Several workers, on several machines, share the jobs. They agree in the database only: a claim locks rows that no other
claim has locked, and each claim has a lease id without which nothing about the job can be changed any more.
"""

import asyncio
import contextvars
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from wallet_service.core.errors import WalletError
from wallet_service.platform.jobs.attempt import Attempt
from wallet_service.platform.jobs.cron import next_tick, ticks
from wallet_service.platform.jobs.metrics import JobMetrics
from wallet_service.platform.jobs.repository import Claim, Claimed, DueSchedule
from wallet_service.platform.jobs.service import Jobs

_MOST_CLAIMED = 10
"""Jobs of one claim: their arguments have to fit into one response."""
_SHORTEST_PAUSE_S = 0.05
_LONGEST_FAULT_PAUSE_S = 10.0
_BEAT_S = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a worker paces itself.

    Attributes:
        concurrency: jobs at the same time.
        poll_s: the longest pause of an idle worker, in seconds.
        grace_s: seconds that a worker that stops gives its jobs to end.
    """

    concurrency: int = 4
    poll_s: float = 1.0
    grace_s: float = 10.0


class Worker:
    """Runs jobs until it is stopped.

    Args:
        jobs: where they are stored, and the types that this process can run.
        state: of the application, for the handlers.
        name: of the worker, for people: host and process.
        pace: how it paces itself.
        metrics: counts what it does.
    """

    def __init__(
        self, jobs: Jobs, state: Any, *, name: str, pace: Pace, metrics: JobMetrics | None = None
    ) -> None:
        self._jobs = jobs
        self._state = state
        self._name = name
        self._pace = pace
        self._metrics = metrics or JobMetrics()
        self._types = [
            {
                "type": each.kind.name,
                "lease_s": each.kind.lease_s,
                "max_attempts": each.kind.max_attempts,
                "is_scheduled": each.scheduled,
            }
            for each in jobs.types.values()
        ]
        self._running: dict[asyncio.Task[None], Attempt] = {}
        self._stopping = False
        self._pause_s = _SHORTEST_PAUSE_S
        self._is_unavailable = False
        self._are_schedules_set = False

    @property
    def running(self) -> int:
        """How many jobs it runs now."""
        return len(self._running)

    def stop(self) -> None:
        """Claim no more jobs; ``run`` returns after those that run have ended or were returned to the queue."""
        self._stopping = True
        self._jobs.enqueued.set()

    async def run(self) -> None:
        """Run jobs until ``stop``. If this is cancelled, jobs that run are returned to the queue at once."""
        _log.info("worker_started", worker=self._name, concurrency=self._pace.concurrency)
        beat = asyncio.create_task(self._beat())
        try:
            while not self._stopping:
                await self._step()
            if self._running:
                await asyncio.wait(self._running, timeout=self._pace.grace_s)
        finally:
            await self._release()
            beat.cancel()
            await asyncio.wait([beat])
            _log.info("worker_stopped", worker=self._name)

    async def _step(self) -> None:
        """Claim jobs if there is room for them, then wait until there can be something to do."""
        free = self._pace.concurrency - len(self._running)
        self._jobs.enqueued.clear()
        wait_s = self._pace.poll_s
        if free > 0:
            try:
                wait_s = await self._claim(min(free, _MOST_CLAIMED))
            except Exception as error:  # noqa: BLE001 - the worker must go on
                wait_s = self._failed(error)
        if wait_s > 0 and not self._stopping:
            woken = asyncio.create_task(self._jobs.enqueued.wait())
            await asyncio.wait([woken, *self._running], timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            await asyncio.wait([woken])

    async def _claim(self, limit: int) -> float:
        """Claim and start jobs. Returns how long to wait before the next claim, in seconds."""
        if not self._are_schedules_set:
            await self._set_schedules()
        loop = asyncio.get_running_loop()
        asked = loop.time()
        claim = await self._jobs.repository.claim(self._name, self._types, limit)
        self._metrics.polled(claim.expired)
        if self._is_unavailable:
            self._is_unavailable = False
            _log.info("worker_polls_again", worker=self._name)
        for job in claim.jobs:
            self._start(job, asked)
        created = [await self._schedule(due) for due in claim.schedules]
        if claim.jobs or claim.expired or any(created):
            self._pause_s = _SHORTEST_PAUSE_S
            return 0.0
        return self._idle(claim)

    def _idle(self, claim: Claim) -> float:
        """The pause after a claim without jobs: it doubles up to the longest, and ends when the next job is due."""
        self._pause_s = min(self._pause_s * 2, self._pace.poll_s)
        if claim.wait_s is None:
            return self._pause_s
        return min(self._pause_s, max(claim.wait_s, _SHORTEST_PAUSE_S))

    def _failed(self, error: Exception) -> float:
        if not self._is_unavailable:
            if isinstance(error, WalletError):
                _log.warning("worker_can_not_poll", worker=self._name, reason=error.detail)
            else:
                _log.exception("worker_failed", worker=self._name)
        self._is_unavailable = True
        self._pause_s = min(self._pause_s * 2, _LONGEST_FAULT_PAUSE_S)
        return self._pause_s

    def _start(self, job: Claimed, asked: float) -> None:
        kind = self._jobs.types[job.type]
        attempt = Attempt(job, kind, self._state, self._jobs.repository, self._metrics, leased_at=asked)
        # In a context of its own: it belongs to no request.
        task = asyncio.create_task(attempt.run(), context=contextvars.Context())
        self._running[task] = attempt
        task.add_done_callback(self._running.pop)

    async def _beat(self) -> None:
        """Renew leases a third of the way to their end, and store progress about every second."""
        while True:
            await asyncio.sleep(_BEAT_S)
            attempts = [each for each in self._running.values() if each.wants_renewal()]
            if not attempts:
                continue
            try:
                await self._renew(attempts)
            except Exception as error:  # noqa: BLE001 - the next beat is another attempt
                reason = error.detail if isinstance(error, WalletError) else type(error).__name__
                _log.warning("leases_not_renewed", worker=self._name, jobs=len(attempts), reason=reason)
            for each in attempts:
                each.end_if_expired()

    async def _renew(self, attempts: Sequence[Attempt]) -> None:
        asked = asyncio.get_running_loop().time()
        held = await self._jobs.repository.renew([each.renewal() for each in attempts])
        for each in attempts:
            each.renewed(asked, is_held=each.job.claim in held)

    async def _release(self) -> None:
        """End the attempts that still run; each returns its job to the queue."""
        tasks = list(self._running)
        for attempt in list(self._running.values()):
            attempt.release()
        if tasks:
            await asyncio.wait(tasks)

    async def _set_schedules(self) -> None:
        scheduled = [each.kind for each in self._jobs.types.values() if each.scheduled]
        if scheduled:
            now = await self._jobs.repository.now()
            await self._jobs.repository.set_schedules(
                [
                    (kind.name, kind.schedule, next_tick(kind.schedule, now))
                    for kind in scheduled
                    if kind.schedule
                ]
            )
        self._are_schedules_set = True

    async def _schedule(self, due: DueSchedule) -> bool:
        """Create the jobs of a schedule's ticks. Returns whether this worker did it, and not another."""
        kind = self._jobs.types[due.type]
        found = ticks(due.cron, due.next_at, due.now, kind.kind.missed_ticks)
        if found.skipped:
            _log.warning(
                "ticks_skipped", type=due.type, since=due.next_at.isoformat(), made_up=len(found.due)
            )
        return await self._jobs.repository.schedule(due, found.due, found.following) > 0
