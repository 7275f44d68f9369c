"""Fixtures: real databases, through both drivers, and the application on them."""

import importlib.util
import os
import secrets
import subprocess
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
from support.fast_tests import OPTION as FAST
from support.fast_tests import is_fast
from support.ledger_database import LedgerDatabase, open_ledger_database
from support.needed_programs import declare, programs_of, write_needed
from support.redis_server import RedisServer, redis_server

from wallet_service.ledger.verify import verify
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres

REQUIRED = os.environ.get("REQUIRE_SERVICES") == "1"
DRIVERS = ("postgres", pytest.param("supabase", marks=pytest.mark.supabase))

LEFT_OUT = "NOT TESTED: "


@dataclass(frozen=True)
class TestDatabase:
    """A database of one test or of one worker.

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
    """Creates a database that is dropped after the test: migrated, or ``empty``."""

    def __call__(self, *, version: int = VERSIONS[0], empty: bool = False) -> Awaitable[TestDatabase]: ...


@pytest.fixture
def own_folder() -> Generator[Path, None, None]:
    """A folder outside of pytest's: another run of pytest takes away access to parents of those, also for a server."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def initialized_data() -> AsyncIterator[Path]:
    """A data folder after the first start of the embedded server."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with EmbeddedPostgres(Path(folder) / "data"):
            pass
        yield Path(folder) / "data"


@pytest.fixture
def data_dir(initialized_data: Path, own_folder: Path) -> Path:
    """A data folder of the test, copied: the first start of a server takes seconds."""
    subprocess.run(["cp", "-a", initialized_data, own_folder / "data"], check=True)
    return own_folder / "data"


def pytest_configure(config: pytest.Config) -> None:
    # Plain lines: structlog's default renders each traceback for seconds.
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    # An application of the tests would use the project that they name.
    for name in ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"):
        os.environ.pop(name, None)
    # httpx imports it at each request in process; where it is not installed, that searches all of sys.path.
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]
    if BASE not in os.environ and not hasattr(config, "workerinput"):
        config.add_cleanup(open_clusters())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(FAST, action="store_true", help="only the tests of the inner loop")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked ``first`` run first, those marked ``last`` last; the others keep their order."""
    if config.getoption(FAST):
        left_out = [item for item in items if not is_fast(item, VERSIONS)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if is_fast(item, VERSIONS)]
    items.sort(
        key=lambda item: bool(item.get_closest_marker("last")) - bool(item.get_closest_marker("first"))
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    write_needed(session.items, VERSIONS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    declare(programs_of(item, VERSIONS))
    try:
        return (yield)
    finally:
        declare(None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report what was not tested, once for each missing program."""
    skipped = (report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    missing = Counter(text.partition(LEFT_OUT)[2] for text in skipped if LEFT_OUT in text)
    if missing:
        terminalreporter.section("NOT TESTED", sep="!", red=True, bold=True)
    for reason, tests in missing.items():
        terminalreporter.line(f"{tests} tests: {reason}", red=True, bold=True)


@contextmanager
def _or_skip() -> Generator[None, None, None]:
    """Skip a test whose program is not installed, unless REQUIRE_SERVICES is set."""
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
    """After all tests of the worker the ledger passes ``verify``."""
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
    """Both drivers: a test that uses this, or a fixture that depends on it, runs on each."""
    return driver_or_skip(request.param)


@pytest.fixture(scope="session")
async def database_location(driver: str, postgres: TestDatabase) -> AsyncIterator[DatabaseLocation]:
    """Where the driver finds the worker's database. Both drivers use the same database."""
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
    """Returns the location of a database for the driver, valid as long as the test runs."""

    def __call__(self, database: TestDatabase) -> Awaitable[DatabaseLocation]: ...


@pytest.fixture
async def locate_database(driver: str) -> AsyncIterator[Locate]:
    """``await locate_database(database)``: the location of a database of ``fresh_database``."""
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
    """A connection to the worker's database as superuser."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def fresh_database() -> AsyncIterator[FreshDatabase]:
    """A factory of databases of this test; they are dropped afterwards."""
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


@pytest.fixture(scope="session")
def compose_programs() -> None:
    """Skip a test where a program is missing that runs services of the compose file without an engine."""
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
    """The worker's Consul agent, without services."""
    shared_consul.clear()
    return shared_consul


@pytest.fixture
def own_consul(consul_program: Path) -> Generator[ConsulAgent, None, None]:
    """An agent of one test, which can stop and restart it."""
    del consul_program
    with consul_agent() as agent:
        yield agent


@pytest.fixture
def consul_with_acl(consul_program: Path) -> Generator[ConsulAgent, None, None]:
    """An agent that refuses requests without a token."""
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
    """The application on the worker's database through asyncpg: for tests that do not depend on the driver."""
    async with open_api(service_dsn) as opened:
        yield opened


class FreshApi(Protocol):
    """Starts the application, with these settings, on a database that is dropped after the test."""

    def __call__(self, **settings: Any) -> Awaitable[Api]: ...


@pytest.fixture
async def fresh_api(fresh_database: FreshDatabase, locate_database: Locate) -> AsyncIterator[FreshApi]:
    """A factory of applications, each on a database of its own."""
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
# Rows that are written from now on have this transaction number or a later one.
_NOW = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_ROWS = "select array[" + ", ".join(f"(select count(*) from wallet.{table})" for table in _TABLES) + "]"
_WRITTEN = "select " + " + ".join(
    f"(select count(*) from wallet.{table} where age(xmin) <= age($1::bigint::text::xid))"
    for table in _TABLES
)


@pytest.fixture
def unchanged(superuser: asyncpg.Connection) -> Callable[[], AbstractAsyncContextManager[None]]:
    """``async with unchanged():`` the block must leave no row and no key in the worker's database."""

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
    """A ledger of one test, on each version, and through each driver on the newest."""
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
    """A ledger of one test, on the newest version, through each driver."""
    made = await fresh_database()
    async with open_ledger_database(made.dsn, await locate_database(made)) as opened:
        yield opened
