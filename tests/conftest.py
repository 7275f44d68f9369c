"""Real databases for every test that asks for one, through both drivers."""

import importlib.util
import os
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
import structlog
from support.api import Api, open_api
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
from support.consul_agent import ConsulAgent, agent_with_acl, consul_agent
from support.database_location import DatabaseLocation, connect, open_location
from support.external_programs import PROGRAMS, program
from support.ledger_database import LedgerDatabase, open_ledger_database
from support.redis_server import RedisServer, redis_server

from wallet_service.ledger.verify import verify
from wallet_service.platform.database.gateway import Database

REQUIRED = os.environ.get("REQUIRE_SERVICES") == "1"
DRIVERS = ("postgres", pytest.param("supabase", marks=pytest.mark.supabase))

LEFT_OUT = "NOT TESTED: "


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
    # An application of the tests would take the project that they name.
    for name in ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"):
        os.environ.pop(name, None)
    # httpx looks for it at each request in process; where it is not installed, through all of sys.path.
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]
    if BASE not in os.environ and not hasattr(config, "workerinput"):
        config.add_cleanup(open_clusters())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those marked ``first`` begin, those marked ``last`` end; the others stay in their order."""
    items.sort(
        key=lambda item: bool(item.get_closest_marker("last")) - bool(item.get_closest_marker("first"))
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out, once for each thing that is missing."""
    skipped = (report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    missing = Counter(text.partition(LEFT_OUT)[2] for text in skipped if LEFT_OUT in text)
    if missing:
        terminalreporter.section("NOT TESTED", sep="!", red=True, bold=True)
    for reason, tests in missing.items():
        terminalreporter.line(f"{tests} tests: {reason}", red=True, bold=True)


@contextmanager
def _or_skip() -> Generator[None, None, None]:
    """Leaves a test out that needs what is not installed, unless everything has to be."""
    try:
        yield
    except ServiceMissingError as missing:
        if REQUIRED:
            raise
        pytest.skip(f"{LEFT_OUT}{missing}")


async def _cluster_or_skip(version: int) -> Cluster:
    with _or_skip():
        return await cluster(version)


def driver_or_skip(driver: str) -> str:
    if driver == "supabase":
        with _or_skip():
            for name in PROGRAMS:
                program(name)
    return driver


def program_or_skip(name: str) -> Path:
    """A program of scripts/services."""
    with _or_skip():
        return program(name)
    raise AssertionError("skipped")  # pragma: no cover


async def _worker_database(version: int, worker: str) -> AsyncIterator[TestDatabase]:
    database = TestDatabase(await _cluster_or_skip(version), f"wallet_{worker}")
    await create_database(database.cluster, database.name)
    yield database
    await _verify(database)
    await drop_database(database.cluster, database.name)


async def _verify(database: TestDatabase) -> None:
    """Whatever the tests did through the kernel, the books are right afterwards."""
    lines: list[str] = []
    driver = await connect(database.service_dsn)
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
    """Each version that tests run on, skipped when it is not installed."""
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


@pytest.fixture(scope="session", params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """Both drivers: whoever asks for it, or for what stands on it, runs on each."""
    return driver_or_skip(request.param)


@pytest.fixture(scope="session")
async def database_location(driver: str, postgres: TestDatabase) -> AsyncIterator[DatabaseLocation]:
    """Where the driver finds the worker's database, which is the same for both."""
    async with open_location(driver, postgres.cluster, postgres.name) as found:
        yield found


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    """A Redis of one test."""
    with _or_skip():
        program("redis-server")
    async with redis_server() as made:
        yield made


class Locate(Protocol):
    """Lets the driver find a database for as long as the test runs."""

    def __call__(self, database: TestDatabase) -> Awaitable[DatabaseLocation]: ...


@pytest.fixture
async def locate_database(driver: str) -> AsyncIterator[Locate]:
    """``await locate_database(database)``: where the driver finds a database of ``fresh_database``."""
    async with AsyncExitStack() as stack:
        yield lambda made: stack.enter_async_context(open_location(driver, made.cluster, made.name))


@pytest.fixture(scope="session")
async def database(database_location: DatabaseLocation) -> AsyncIterator[Database]:
    """Each driver on the worker's database."""
    opened = await connect(database_location)
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
async def timed_location(
    timed_postgres: TestDatabase, clock: SettableClock, locate_database: Locate
) -> DatabaseLocation:
    """Where the driver finds ``timed_postgres``."""
    del clock  # installed before the first call
    return await locate_database(timed_postgres)


@pytest.fixture
async def timed_database(timed_location: DatabaseLocation) -> AsyncIterator[Database]:
    """Each driver on ``timed_postgres``."""
    opened = await connect(timed_location)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def compose_programs() -> None:
    """Leaves a test out where what runs the compose file's services without an engine is missing."""
    with _or_skip():
        for name in ("docker-compose", "consul", "redis-server", "prometheus", *PROGRAMS):
            program(name)


@pytest.fixture(scope="session")
def consul_program() -> Path:
    """Consul, skipped when it is not there."""
    with _or_skip():
        return program("consul")
    raise AssertionError("skipped")  # pragma: no cover


@pytest.fixture(scope="session")
def shared_consul(consul_program: Path) -> Generator[ConsulAgent, None, None]:
    """The worker's Consul agent."""
    del consul_program
    with consul_agent() as agent:
        yield agent


@pytest.fixture
def consul(shared_consul: ConsulAgent) -> ConsulAgent:
    """The worker's Consul agent, with nothing in it."""
    shared_consul.clear()
    return shared_consul


@pytest.fixture
def own_consul(consul_program: Path) -> Generator[ConsulAgent, None, None]:
    """An agent of the test, which may stop it and start it again."""
    del consul_program
    with consul_agent() as agent:
        yield agent


@pytest.fixture
def consul_with_acl(consul_program: Path) -> Generator[ConsulAgent, None, None]:
    """An agent that refuses whoever has no token."""
    del consul_program
    with agent_with_acl() as agent:
        yield agent


@pytest.fixture(scope="session")
def newman() -> Path:
    """newman, skipped when it is not there."""
    with _or_skip():
        return program("newman")
    raise AssertionError("skipped")  # pragma: no cover


@pytest.fixture(scope="session")
def vitest() -> Path:
    """vitest, skipped when it is not there."""
    with _or_skip():
        return program("vitest")
    raise AssertionError("skipped")  # pragma: no cover


@pytest.fixture
def set_clock(clock: SettableClock) -> Callable[..., Awaitable[None]]:
    """``await set_clock(moment)`` on ``timed_postgres``."""
    return clock.set


@pytest.fixture(scope="session")
async def api(database_location: DatabaseLocation) -> AsyncIterator[Api]:
    """The application on the worker's database."""
    async with open_api(database_location) as opened:
        yield opened


@pytest.fixture(scope="session")
async def direct_api(service_dsn: str) -> AsyncIterator[Api]:
    """The application straight on the worker's database: for what no driver has a part in."""
    async with open_api(service_dsn) as opened:
        yield opened


class FreshApi(Protocol):
    """Starts the application, with these settings, on a database which goes with the test."""

    def __call__(self, **settings: Any) -> Awaitable[Api]: ...


@pytest.fixture
async def fresh_api(fresh_database: FreshDatabase, locate_database: Locate) -> AsyncIterator[FreshApi]:
    """A factory of applications, each on a database that nobody else sees."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Api:
            made = await locate_database(await fresh_database())
            return await stack.enter_async_context(open_api(made, **settings))

        yield start


@pytest.fixture
async def timed_api(timed_location: DatabaseLocation) -> AsyncIterator[Api]:
    """The application on ``timed_postgres``, whose time a test sets with ``clock``."""
    async with open_api(timed_location) as opened:
        yield opened


_TABLES = ("wallets", "wallet_transactions", "idempotency", "tombstones")
# What is written from now on has this transaction's number or a later one.
_NOW = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_ROWS = "select array[" + ", ".join(f"(select count(*) from wallet.{table})" for table in _TABLES) + "]"
_WRITTEN = "select " + " + ".join(
    f"(select count(*) from wallet.{table} where age(xmin) <= age($1::bigint::text::xid))"
    for table in _TABLES
)


@pytest.fixture
def unchanged(superuser: asyncpg.Connection) -> Callable[[], AbstractAsyncContextManager[None]]:
    """``async with unchanged():`` nothing within leaves a trace in the worker's database: no row, no key."""

    @asynccontextmanager
    async def check() -> AsyncIterator[None]:
        now, rows = await superuser.fetchval(_NOW), await superuser.fetchval(_ROWS)
        yield
        assert await superuser.fetchval(_WRITTEN, now) == 0
        assert await superuser.fetchval(_ROWS) == rows

    return check


@pytest.fixture(
    params=[
        *(pytest.param((version, "postgres"), id=f"pg{version}") for version in VERSIONS),
        pytest.param((VERSIONS[0], "supabase"), id="supabase", marks=pytest.mark.supabase),
    ]
)
async def ledger_database(
    request: pytest.FixtureRequest, fresh_database: FreshDatabase
) -> AsyncIterator[LedgerDatabase]:
    """Books of one test, on each version, and through each driver on the newest."""
    version, driver = request.param
    made = await fresh_database(version=version)
    async with (
        open_location(driver_or_skip(driver), made.cluster, made.name) as found,
        open_ledger_database(made.dsn, found) as opened,
    ):
        yield opened


@pytest.fixture
async def newest_ledger_database(
    fresh_database: FreshDatabase, locate_database: Locate
) -> AsyncIterator[LedgerDatabase]:
    """Books of one test, on the newest version, through each driver."""
    made = await fresh_database()
    async with open_ledger_database(made.dsn, await locate_database(made)) as opened:
        yield opened
