"""One run: set up, measure, remove."""

import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
from support.cluster import ServiceMissingError

from bench.cpu import peak_rss_bytes
from bench.data import Size, load
from bench.database import watching
from bench.driver import load_generator
from bench.environments import ENVIRONMENTS
from bench.imports import import_ratio
from bench.job import RowFailed, System
from bench.machine import describe
from bench.measure import Measurement
from bench.plan import FAMILIES, PGBENCH, ROWS, Plan, Row, Where, chosen
from bench.progress import Progress
from bench.rest import RestLogin
from bench.results import Result, Results
from bench.server import Server, given_server, own_server
from bench.service import Started, started_service
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.database.migrate import MigrationError
from wallet_service.platform.database.postgres import PostgresDatabase

_KEYS = sorted(
    (*(row.key for row in ROWS), *(key for key, _, _ in PGBENCH)),
    key=lambda key: (FAMILIES.index(key.split("_")[0]), key),
)
"""The rows in the order of the report."""

_SCOPES = ("wallets:read", "transactions:write")

_SERVICES: dict[Where, dict[str, str]] = {
    "rest": {},
    # Of 2, 4, 8, 10 and 20 lanes, 4 were the best: with more lanes the connections cost the service more.
    "rest_unbatched": {"WALLET_COMMIT_BATCH_OPERATIONS": "1", "WALLET_COMMIT_LANES": "4"},
}
"""The services over REST, with their settings."""


async def run(plan: Plan, names: frozenset[str], database_url: str | None, progress: Progress) -> Results:
    """Measure the rows with these names. All databases and processes are removed, also after an error.

    Args:
        plan: how much is loaded and how long is measured.
        names: of rows, or words with which their names begin.
        database_url: of a server to use instead of our own.
        progress: receives the progress.
    """
    rows = chosen(names)
    results = Results()
    for row in rows:  # a row that is never reached is reported too
        results.rows[row.key] = Result(key=row.key, title=row.title, baseline=row.baseline)
    async with contextlib.AsyncExitStack() as stack:
        progress.begin("starting PostgreSQL", 1)
        server = await stack.enter_async_context(
            own_server() if database_url is None else given_server(database_url)
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wallet-bench-log-")))
        driver = await stack.enter_async_context(load_generator())
        measurement = Measurement(plan, driver, progress, results)
        await _Bench(plan, server, folder, progress, measurement, results).all(rows)
    results.rows = {key: results.rows[key] for key in _KEYS if key in results.rows}
    return results


class _Bench:
    """The steps of a run."""

    def __init__(
        self,
        plan: Plan,
        server: Server,
        folder: Path,
        progress: Progress,
        measurement: Measurement,
        results: Results,
    ) -> None:
        self._plan = plan
        self._server = server
        self._folder = folder
        self._progress = progress
        self._measurement = measurement
        self._results = results
        self._loaded: dict[str, Any] = {}
        self._dsns: dict[Where, str] = {}

    async def all(self, rows: Sequence[Row]) -> None:
        """Measure these rows."""
        names = ("sql", "http", "serial", "locked", "rest")
        groups = {name: [row for row in rows if row.group == name] for name in names}
        login = await self._rest_login(groups["rest"]) if groups["rest"] else None
        if login is None:
            groups["rest"] = []
        elsewhere = [row for row in rows if row.group in ("lists", "sizes")]
        here = [row for group in groups.values() for row in group]
        if here:
            with self._failing(here):
                await self._main(groups, login)
        if elsewhere:
            with self._failing(elsewhere):
                await self._sizes(elsewhere)
        self._results.machine = {**self._results.machine, "loaded": self._loaded}

    async def _rest_login(self, rows: Sequence[Row]) -> RestLogin | None:
        """The login of PostgREST. Where it can't be created, its rows are left out, and the report says so."""
        try:
            return await RestLogin.create(self._server)
        except ServiceMissingError as missing:
            self._leave_out(rows, missing)
            return None

    def _leave_out(self, rows: Sequence[Row], missing: ServiceMissingError) -> None:
        text = self._results.leave_out([row.key for row in rows], missing)
        self._progress.begin(f"!!! LEFT OUT: {text}", 1)

    @contextlib.contextmanager
    def _failing(self, rows: Sequence[Row]) -> Generator[None, None, None]:
        """Where a system can't be set up, its rows fail; the results of other systems are kept."""
        try:
            yield
        except (RowFailed, MigrationError, asyncpg.PostgresError, OSError) as error:
            for row in rows:
                result = self._results.rows[row.key]
                if not result.rounds and result.error is None:
                    result.error = str(error)

    async def _main(self, groups: dict[str, list[Row]], login: RestLogin | None) -> None:
        measurement = self._measurement
        with_service = any(groups[name] for name in ("http", "serial", "locked"))
        async with self._loaded_system("main", self._plan.main, with_service=with_service) as service:
            await self._serving("main", service)
            if groups["sql"]:
                await measurement.closed("rows of SQL, closed loop", groups["sql"])
                await measurement.open("rows of SQL, open loop", groups["sql"])
                if any(row.key == "floor" for row in groups["sql"]):
                    await measurement.pgbench("floor by pgbench")
            async with self._services_in_environments(groups["http"]) as http:
                if http:
                    await measurement.closed("rows over HTTP, closed loop", http)
                if groups["serial"]:
                    await measurement.closed("one connection", groups["serial"])
                if http:
                    await measurement.open("rows over HTTP, open loop", http)
            if any(row.is_named("client") for row in groups["http"]):
                await self._time_imports()
            if groups["locked"]:
                base, locked = groups["locked"]
                await measurement.locked("wallets locked by another session", base, locked)
            if service is not None and groups["http"]:  # after load on 64 connections
                self._results.peak_rss_bytes = peak_rss_bytes(service.process.pid)
            if login is not None:
                with self._failing(groups["rest"]):
                    await self._rest(groups["rest"], login)

    @contextlib.asynccontextmanager
    async def _services_in_environments(self, rows: Sequence[Row]) -> AsyncGenerator[list[Row], None]:
        """Start the services that these rows need, on the loaded database. Yields the rows that can be measured."""
        systems, watches = self._measurement.systems, self._measurement.watches
        left = list(rows)
        async with contextlib.AsyncExitStack() as stack:
            for where, environment in ENVIRONMENTS.items():
                theirs = [row for row in rows if row.where == where]
                if not theirs:
                    continue
                self._progress.begin(f"starting a service ({where})", 1)
                try:
                    settings = await stack.enter_async_context(environment())
                    settings = {"WALLET_DATABASE_URL": self._dsns["main"], **settings}
                    service = await stack.enter_async_context(
                        started_service(settings, self._folder / f"{where}.log")
                    )
                    systems[where] = replace(
                        systems["main"], url=await service.url(), service_pid=service.process.pid
                    )
                    watches[where] = watches["main"]
                except ServiceMissingError as missing:
                    self._leave_out(theirs, missing)
                    left = [row for row in left if row not in theirs]
                except RowFailed as error:
                    for row in theirs:
                        self._results.rows[row.key].error = str(error)
                    left = [row for row in left if row not in theirs]
            yield left

    async def _time_imports(self) -> None:
        self._progress.begin("imports of the client library and of httpx", 1)
        self._results.import_ratio = await import_ratio("wallet_client", "httpx", self._plan.import_rounds)

    async def _rest(self, rows: Sequence[Row], login: RestLogin) -> None:
        """Rows over REST, on the database of the other rows."""
        systems, watches = self._measurement.systems, self._measurement.watches
        main = systems["main"]
        self._progress.begin("starting PostgREST, and services on it", 1)
        async with contextlib.AsyncExitStack() as stack:
            project = await stack.enter_async_context(login.project(main.dsn))
            system = replace(main, url=project.url, key=project.key, service_pid=None, rest_pids=project.pids)
            systems["project"] = system
            services: dict[Where, Started] = {
                where: await stack.enter_async_context(
                    started_service(project.settings() | more, self._folder / f"{where}.log")
                )
                for where, more in _SERVICES.items()
                if any(row.where == where for row in rows)
            }
            for where, service in services.items():
                systems[where] = replace(
                    system, key=main.key, url=await service.url(), service_pid=service.process.pid
                )
            for row in rows:
                watches[row.where] = watches["main"]
            await self._measurement.closed("rows over REST, closed loop", rows)
            await self._measurement.open("rows over REST, open loop", rows)

    async def _sizes(self, rows: Sequence[Row]) -> None:
        lists = [row for row in rows if row.group == "lists"]
        sizes = [row for row in rows if row.group == "sizes"]
        async with (
            self._loaded_system("small", self._plan.small, with_service=bool(lists)) as small,
            self._loaded_system("large", self._plan.large, with_service=bool(lists)) as large,
        ):
            await self._serving("small", small)
            await self._serving("large", large)
            if lists:
                await self._measurement.closed("lists, closed loop", lists)
                await self._measurement.open("lists, open loop", lists)
            if sizes:  # last, because they add entries
                await self._measurement.closed("batches on few and many rows", sizes)

    @contextlib.asynccontextmanager
    async def _loaded_system(
        self, where: Where, size: Size, *, with_service: bool
    ) -> AsyncGenerator[Started | None, None]:
        """A loaded database, and a service on it that may not be ready yet."""
        server = self._server
        self._progress.begin(f"loading {size.rows:,} rows ({where})", size.rows)
        began = time.monotonic()
        name = await server.create_database(where)
        admin_dsn, service_dsn = server.admin_dsn(name), server.service_dsn(name)
        self._dsns[where] = service_dsn
        key = await _client_key(service_dsn)
        async with contextlib.AsyncExitStack() as stack:
            service = None
            if with_service:  # it starts while entries are loaded
                log = self._folder / f"{where}.log"
                service = await stack.enter_async_context(
                    started_service({"WALLET_DATABASE_URL": service_dsn}, log)
                )
            await load(admin_dsn, size, self._progress.advance)
            self._loaded[f"{where} rows"] = size.rows
            self._loaded[f"{where} s"] = round(time.monotonic() - began, 1)
            if not self._results.machine:
                self._results.machine = await describe(admin_dsn, server.data_dir)
            self._measurement.watches[where] = await stack.enter_async_context(watching(admin_dsn))
            self._measurement.systems[where] = System(
                dsn=admin_dsn,
                key=key,
                wallets=min(size.wallets, self._plan.small.wallets),
                zipf_wallets=min(self._plan.zipf_wallets, size.wallets),
                big_wallet=size.wallets,
                postgres_pid=server.pid,
            )
            yield service

    async def _serving(self, where: Where, service: Started | None) -> None:
        """Wait until the service of a system is ready, where there is one."""
        if service is not None:
            system = self._measurement.systems[where]
            self._measurement.systems[where] = replace(
                system, url=await service.url(), service_pid=service.process.pid
            )


async def _client_key(dsn: str) -> str:
    """An API key like that of any client."""
    database = await PostgresDatabase.connect(dsn, pool_size=1)
    try:
        return await create_key(database, "bench", _SCOPES)
    finally:
        await database.close()


def names_of(text: str | None) -> frozenset[str]:
    """The names of ``--rows``; all rows without it.

    Raises:
        RowFailed: a name fits no row.
    """
    if text is None:
        return frozenset(_KEYS)
    names = frozenset(text.replace(",", " ").lower().split())
    unknown = [name for name in sorted(names) if not any(row.is_named(name) for row in ROWS)]
    if unknown or not names:
        known = ", ".join(row.key for row in ROWS)
        raise RowFailed(f"no row has the name {', '.join(unknown) or repr(text)}; rows are {known}")
    return names
