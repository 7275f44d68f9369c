"""A database of a test's own, because a worker takes every job of its types."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.database_location import connect

from wallet_service.core.room import JobType
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.jobs.context import JobContext
from wallet_service.platform.jobs.repository import JobRepository
from wallet_service.platform.jobs.service import Jobs
from wallet_service.platform.jobs.types import RunnableType
from wallet_service.platform.jobs.worker import Pace, Worker

LONGEST_S = 60


async def wait_for(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(LONGEST_S):
        while not await condition():  # noqa: ASYNC110 - of the database, which sends no event
            await asyncio.sleep(0.02)


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def superuser(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(made.dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def database(made: TestDatabase, locate_database: Locate) -> AsyncIterator[Database]:
    opened = await connect(await locate_database(made))
    yield opened
    await opened.close()


@dataclass
class Workshop:
    """Jobs on a database, and workers of this process that run them."""

    database: Database
    stack: AsyncExitStack
    kinds: dict[str, RunnableType] = field(default_factory=dict)
    state: Any = field(default_factory=SimpleNamespace)

    def handle(self, name: str, handler: Callable[[JobContext], Awaitable[None]], **members: Any) -> None:
        """Declare a type with this handler."""
        kind = JobType(name=name, summary="", handler="", **({"first_pause_s": 1} | members))
        self.kinds[name] = RunnableType(kind, handler, None, kind.schedule is not None)

    def jobs(self) -> Jobs:
        return Jobs(JobRepository(self.database), self.kinds)

    async def start(self, jobs: Jobs | None = None, **pace: Any) -> tuple[Worker, "asyncio.Task[None]"]:
        """Start a worker; it is stopped at the end of the test."""
        worker = Worker(
            jobs or self.jobs(), self.state, name="w", pace=replace(Pace(poll_s=0.05, grace_s=0), **pace)
        )
        task = asyncio.create_task(worker.run())

        async def stop() -> None:
            worker.stop()
            await task

        self.stack.push_async_callback(stop)
        return worker, task

    async def read(self, job: bytes | str) -> dict[str, Any]:
        job_id = job if isinstance(job, str) else json.loads(job)["job_id"]
        return json.loads(await JobRepository(self.database).get(job_id, None))

    async def until(self, job: bytes | str, *statuses: str) -> dict[str, Any]:
        """Wait until the job has one of these statuses, and return it."""
        document: dict[str, Any] = {}

        async def has_it() -> bool:
            nonlocal document
            document = await self.read(job)
            return document["status"] in statuses

        await wait_for(has_it)
        return document


@pytest.fixture
async def workshop(database: Database) -> AsyncIterator[Workshop]:
    """On both drivers."""
    async with AsyncExitStack() as stack:
        yield Workshop(database, stack)


@pytest.fixture
async def local_workshop(made: TestDatabase) -> AsyncIterator[Workshop]:
    """On one driver, for rules of the worker that do not depend on it."""
    opened = await connect(made.service_dsn)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(opened.close)
        yield Workshop(opened, stack)
