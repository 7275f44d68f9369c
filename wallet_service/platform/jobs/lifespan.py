"""Opens the jobs of the application, and runs the worker of a process."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from wallet_service.core.errors import WalletError
from wallet_service.core.room import Room, RoomContext
from wallet_service.core.settings import Settings
from wallet_service.platform.jobs.loops import Loops
from wallet_service.platform.jobs.metrics import JobMetrics
from wallet_service.platform.jobs.repository import JobRepository
from wallet_service.platform.jobs.service import Jobs
from wallet_service.platform.jobs.settings import JobsSettings
from wallet_service.platform.jobs.stream import JobStreams
from wallet_service.platform.jobs.types import runnable_types
from wallet_service.platform.jobs.worker import Pace, Worker

_COUNT_S = 15.0

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_jobs(context: RoomContext) -> AsyncGenerator[None]:
    """The jobs of all rooms, as ``state.jobs``, and the metrics of the process's worker, as ``state.job_metrics``."""
    types = runnable_types(context.rooms, context.settings)
    context.state.jobs = Jobs(JobRepository(context.state.database), types)
    context.state.job_metrics = JobMetrics(context.metrics, types)
    context.state.settings = context.settings
    streams = context.state.job_streams = JobStreams()
    context.state.when_stopping.append(streams.stop)
    counting = asyncio.create_task(_count(context.state.jobs.repository, context.state.job_metrics))
    try:
        yield
    finally:
        context.state.when_stopping.remove(streams.stop)
        streams.stop()
        counting.cancel()
        await asyncio.wait([counting])


@asynccontextmanager
async def running_worker(
    state: Any, settings: Settings, rooms: Sequence[Room] = ()
) -> AsyncGenerator[Worker]:
    """A worker on the application's state: it runs while this context is open, and then returns what it has claimed.

    Args:
        state: of the application.
        settings: of all rooms.
        rooms: their loops run beside the jobs.
    """
    own = settings[JobsSettings]
    pace = Pace(
        concurrency=own.worker_concurrency,
        poll_s=own.worker_poll_ms / 1000,
        grace_s=own.worker_grace_ms / 1000,
    )
    name = f"{socket.gethostname()}:{os.getpid()}"
    worker = Worker(state.jobs, state, name=name, pace=pace, metrics=state.job_metrics)
    task = asyncio.create_task(worker.run())
    task.add_done_callback(_report)
    loops = Loops(state, rooms)
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.gather(asyncio.wait([task]), loops.stop(pace.grace_s))


async def _count(repository: JobRepository, metrics: JobMetrics) -> None:
    """Show how many jobs wait: also where no worker runs, so that it is seen that none runs anywhere."""
    while True:
        await asyncio.sleep(_COUNT_S)
        try:
            metrics.counted(await repository.counts())
        except WalletError as error:
            _log.debug("jobs_not_counted", reason=error.detail)


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("worker_ended", exc_info=error)
