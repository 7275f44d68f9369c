"""Real databases for every test that asks for one."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
import structlog
from support.api import Api, open_api
from support.books import Books, open_books
from support.clock import SettableClock
from support.cluster import (
    BASE,
    SERVICE_LOGIN,
    TEMPLATE,
    VERSIONS,
    Cluster,
    ServiceMissingError,
    cluster,
    create_database,
    drop_database,
    open_clusters,
)

from wallet_service.database.postgres import PostgresDatabase
from wallet_service.ledger.verify import verify

REQUIRED = os.environ.get("REQUIRE_SERVICES") == "1"


@dataclass(frozen=True)
class TestDatabase:
    """A database of one test, or of one worker.

    Attributes:
        dsn: as superuser.
        service_dsn: as a login in the group ``wallet_service``, the way the service connects.
    """

    __test__ = False

    cluster: Cluster
    name: str

    @property
    def dsn(self) -> str:
        return self.cluster.dsn(self.name)

    @property
    def service_dsn(self) -> str:
        return self.cluster.dsn(self.name, SERVICE_LOGIN)


class FreshDatabase(Protocol):
    """Makes a database which goes with the test: migrated, or ``empty``."""

    def __call__(self, *, version: int = VERSIONS[0], empty: bool = False) -> Awaitable[TestDatabase]: ...


@pytest.fixture
def own_folder() -> Generator[Path, None, None]:
    """A folder of its own: another run of pytest closes those above pytest's own, also to the server."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def pytest_configure(config: pytest.Config) -> None:
    # Plain lines: structlog's own default draws every traceback, for seconds.
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    if BASE not in os.environ and not hasattr(config, "workerinput"):
        config.add_cleanup(open_clusters())


async def _cluster_or_skip(version: int) -> Cluster:
    try:
        return await cluster(version)
    except ServiceMissingError as missing:
        if REQUIRED:
            raise
        pytest.skip(f"NOT TESTED: {missing}")


async def _worker_database(version: int, worker: str) -> AsyncIterator[TestDatabase]:
    database = TestDatabase(await _cluster_or_skip(version), f"wallet_{worker}")
    await create_database(database.cluster, database.name)
    yield database
    await _verify(database)
    await drop_database(database.cluster, database.name)


async def _verify(database: TestDatabase) -> None:
    """Whatever the tests did through the kernel, the books are right afterwards."""
    lines: list[str] = []
    driver = await PostgresDatabase.connect(database.service_dsn)
    clean = await verify(driver, lines.append)
    await driver.close()
    assert clean, "\n".join(lines)


@pytest.fixture(scope="session")
async def postgres(worker_id: str) -> AsyncIterator[TestDatabase]:
    """The worker's migrated database on the newest PostgreSQL."""
    async for database in _worker_database(VERSIONS[0], worker_id):
        yield database


@pytest.fixture(scope="session", params=VERSIONS, ids=lambda version: f"pg{version}")
async def postgres_version(request: pytest.FixtureRequest) -> int:
    """Every supported end of the range of versions, skipped when it is not installed."""
    version: int = request.param
    await _cluster_or_skip(version)
    return version


@pytest.fixture(scope="session")
async def any_postgres(postgres_version: int, worker_id: str) -> AsyncIterator[TestDatabase]:
    """A migrated database of the worker on each version."""
    async for database in _worker_database(postgres_version, f"any_{worker_id}"):
        yield database


@pytest.fixture(scope="session")
def postgres_dsn(postgres: TestDatabase) -> str:
    """The worker's database as superuser."""
    return postgres.dsn


@pytest.fixture(scope="session")
def service_dsn(postgres: TestDatabase) -> str:
    """The worker's database the way the service connects."""
    return postgres.service_dsn


@pytest.fixture(scope="session")
def any_postgres_dsn(any_postgres: TestDatabase) -> str:
    """A database on each version as superuser."""
    return any_postgres.dsn


@pytest.fixture(scope="session")
def any_service_dsn(any_postgres: TestDatabase) -> str:
    """A database on each version the way the service connects."""
    return any_postgres.service_dsn


@pytest.fixture(scope="session")
async def database(service_dsn: str) -> AsyncIterator[PostgresDatabase]:
    """The driver on the worker's database."""
    opened = await PostgresDatabase.connect(service_dsn)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def any_database(any_service_dsn: str) -> AsyncIterator[PostgresDatabase]:
    """The driver on each version."""
    opened = await PostgresDatabase.connect(any_service_dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def superuser(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do anything in the worker's database."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def fresh_database() -> AsyncIterator[FreshDatabase]:
    """A factory of databases that nobody else sees; they are dropped after the test."""
    async with AsyncExitStack() as stack:

        async def make(*, version: int = VERSIONS[0], empty: bool = False) -> TestDatabase:
            made = TestDatabase(await _cluster_or_skip(version), f"fresh_{secrets.token_hex(8)}")
            await create_database(made.cluster, made.name, template="template0" if empty else TEMPLATE)
            stack.push_async_callback(drop_database, made.cluster, made.name)
            return made

        yield make


@pytest.fixture
async def timed_postgres(fresh_database: FreshDatabase) -> TestDatabase:
    """A database of its own for a test that sets the time with ``clock``."""
    return await fresh_database()


@pytest.fixture
async def clock(timed_postgres: TestDatabase) -> AsyncIterator[SettableClock]:
    """The clock of ``timed_postgres``; it shows the real time until it is set."""
    connection = await asyncpg.connect(timed_postgres.dsn)
    settable = SettableClock(connection)
    await settable.install()
    yield settable
    await connection.close()


@pytest.fixture
async def timed_database(
    timed_postgres: TestDatabase, clock: SettableClock
) -> AsyncIterator[PostgresDatabase]:
    """The driver on ``timed_postgres``."""
    del clock  # installed before the first call
    opened = await PostgresDatabase.connect(timed_postgres.service_dsn)
    yield opened
    await opened.close()


@pytest.fixture
def set_clock(clock: SettableClock) -> Callable[..., Awaitable[None]]:
    """``await set_clock(moment)`` on ``timed_postgres``."""
    return clock.set


@pytest.fixture(scope="session")
async def api(service_dsn: str) -> AsyncIterator[Api]:
    """The application on the worker's database."""
    async with open_api(service_dsn) as opened:
        yield opened


class FreshApi(Protocol):
    """Starts the application, with these settings, on a database which goes with the test."""

    def __call__(self, **settings: Any) -> Awaitable[Api]: ...


@pytest.fixture
async def fresh_api(fresh_database: FreshDatabase) -> AsyncIterator[FreshApi]:
    """A factory of applications, each on a database that nobody else sees."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Api:
            made = await fresh_database()
            return await stack.enter_async_context(open_api(made.service_dsn, **settings))

        yield start


@pytest.fixture
async def timed_api(timed_postgres: TestDatabase, clock: SettableClock) -> AsyncIterator[Api]:
    """The application on ``timed_postgres``, whose time a test sets with ``clock``."""
    del clock  # installed before the first call
    async with open_api(timed_postgres.service_dsn) as opened:
        yield opened


_EVERYTHING = """
select array[
  (select coalesce(md5(string_agg(w::text, '|' order by w.wallet_id)), '') from wallet.wallets w),
  (select count(*)::text from wallet.wallet_transactions),
  (select count(*)::text from wallet.idempotency),
  (select count(*)::text from wallet.tombstones)]
"""


@pytest.fixture
def unchanged(superuser: asyncpg.Connection) -> Callable[[], AbstractAsyncContextManager[None]]:
    """``async with unchanged():`` nothing within leaves a trace in the worker's database: no row, no key."""

    @asynccontextmanager
    async def check() -> AsyncIterator[None]:
        before = await superuser.fetchval(_EVERYTHING)
        yield
        assert await superuser.fetchval(_EVERYTHING) == before

    return check


@pytest.fixture
async def books(postgres_version: int, fresh_database: FreshDatabase) -> AsyncIterator[Books]:
    """Books of one test, on each version."""
    made = await fresh_database(version=postgres_version)
    async with open_books(made.dsn, made.service_dsn) as opened:
        yield opened


@pytest.fixture
async def newest_books(fresh_database: FreshDatabase) -> AsyncIterator[Books]:
    """Books of one test, on the newest version."""
    made = await fresh_database()
    async with open_books(made.dsn, made.service_dsn) as opened:
        yield opened
