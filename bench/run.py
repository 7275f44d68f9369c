"""One run: set up, measure, take down."""

import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
from support.cluster import ServiceMissingError

from bench.around import AROUND
from bench.cpu import peak_rss_bytes
from bench.data import Size, load
from bench.database import watching
from bench.driver import load_generator
from bench.imports import import_ratio
from bench.job import Place, RowFailed
from bench.machine import describe
from bench.measure import Measurement
from bench.plan import LETTERS, Plan, Row, Where, chosen
from bench.progress import Told
from bench.rest import RestLogin
from bench.results import Result, Results
from bench.server import Server, given_server, own_server
from bench.service import Started, started_service
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.database.migrate import MigrationError
from wallet_service.platform.database.postgres import PostgresDatabase

_SCOPES = ("wallets:read", "transactions:write")

_SERVICES: dict[Where, dict[str, str]] = {
    "rest": {},
    # Of 2, 4, 8, 10 and 20 lanes 4 were the best: with more the service's own connections cost it more.
    "rest one": {"WALLET_COMMIT_BATCH_OPERATIONS": "1", "WALLET_COMMIT_LANES": "4"},
}
"""The services over REST, each with its settings."""


async def run(plan: Plan, letters: frozenset[str], database_url: str | None, told: Told) -> Results:
    """Measure the rows of these letters; nothing is left behind, however it ends.

    Args:
        plan: how much of everything.
        letters: of the issue's rows.
        database_url: of a server to use instead of our own.
        told: takes the progress.
    """
    results = Results()
    for row in chosen(letters):  # what is never reached is still reported
        results.rows[row.key] = Result(key=row.key, title=row.title, beside=row.beside)
    async with contextlib.AsyncExitStack() as stack:
        told.begin("starting PostgreSQL", 1)
        server = await stack.enter_async_context(
            own_server() if database_url is None else given_server(database_url)
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wallet-bench-log-")))
        driver = await stack.enter_async_context(load_generator())
        bench = _Bench(plan, server, folder, told, Measurement(plan, driver, told, results), results)
        await bench.all(chosen(letters), letters)
    results.rows = dict(sorted(results.rows.items(), key=lambda item: item[0][0]))  # by letter
    return results


class _Bench:
    """The order of a run."""

    def __init__(
        self, plan: Plan, server: Server, folder: Path, told: Told, measurement: Measurement, results: Results
    ) -> None:
        self._plan = plan
        self._server = server
        self._folder = folder
        self._told = told
        self._measurement = measurement
        self._results = results
        self._loaded: dict[str, Any] = {}
        self._dsns: dict[Where, str] = {}

    async def all(self, rows: Sequence[Row], letters: frozenset[str]) -> None:
        """Measure these rows."""
        names = ("sql", "http", "one", "held", "rest")
        groups = {name: [row for row in rows if row.group == name] for name in names}
        login = await self._rest_login(groups["rest"]) if groups["rest"] else None
        if login is None:
            groups["rest"] = []
        elsewhere = [row for row in rows if row.group in ("lists", "sizes")]
        here = [row for group in groups.values() for row in group]
        if here:
            with self._failing(here):
                await self._main(groups, letters, login)
        if elsewhere:
            with self._failing(elsewhere):
                await self._sizes(elsewhere)
        self._results.machine = {**self._results.machine, "loaded": self._loaded}

    async def _rest_login(self, rows: Sequence[Row]) -> RestLogin | None:
        """How PostgREST gets into databases; where it can't be had, its rows are left out, and that is said."""
        try:
            return await RestLogin.create(self._server)
        except ServiceMissingError as missing:
            self._leave_out(rows, missing)
            return None

    def _leave_out(self, rows: Sequence[Row], missing: ServiceMissingError) -> None:
        said = self._results.leave_out([row.key for row in rows], missing)
        self._told.begin(f"!!! LEFT OUT: {said}", 1)

    @contextlib.contextmanager
    def _failing(self, rows: Sequence[Row]) -> Generator[None, None, None]:
        """Where a place can't be set up, its rows fail; what other places gave is kept."""
        try:
            yield
        except (RowFailed, MigrationError, asyncpg.PostgresError, OSError) as error:
            for row in rows:
                result = self._results.rows[row.key]
                if not result.rounds and result.error is None:
                    result.error = str(error)

    async def _main(
        self, groups: dict[str, list[Row]], letters: frozenset[str], login: RestLogin | None
    ) -> None:
        measurement = self._measurement
        with_service = any(groups[name] for name in ("http", "one", "held"))
        async with self._place("main", self._plan.main, with_service=with_service) as service:
            await self._serving("main", service)
            if groups["sql"]:
                await measurement.closed("a to d, closed loop", groups["sql"])
                await measurement.open("a to d, open loop", groups["sql"])
                if "a" in letters:
                    await measurement.pgbench("a by pgbench")
            async with self._services_around(groups["http"]) as http:
                if http:
                    await measurement.closed("e to m and u to x, closed loop", http)
                if groups["one"]:
                    await measurement.closed("one connection", groups["one"])
                if http:
                    await measurement.open("e to m and u to x, open loop", http)
            if letters & {"v", "w"}:
                await self._time_imports()
            if groups["held"]:
                base, held = groups["held"]
                await measurement.held("n, wallets held by a foreign transaction", base, held)
            if service is not None and groups["http"]:  # it has had its 64 connections
                self._results.peak_rss_bytes = peak_rss_bytes(service.process.pid)
            if login is not None:
                with self._failing(groups["rest"]):
                    await self._rest(groups["rest"], login)

    @contextlib.asynccontextmanager
    async def _services_around(self, rows: Sequence[Row]) -> AsyncGenerator[list[Row], None]:
        """More services on what is loaded, as these rows ask for them; the rows that can be measured."""
        places, watches = self._measurement.places, self._measurement.watches
        left = list(rows)
        async with contextlib.AsyncExitStack() as stack:
            for where, around in AROUND.items():
                theirs = [row for row in rows if row.where == where]
                if not theirs:
                    continue
                self._told.begin(f"starting a service ({where})", 1)
                try:
                    settings = await stack.enter_async_context(around())
                    settings = {"WALLET_DATABASE_URL": self._dsns["main"], **settings}
                    service = await stack.enter_async_context(
                        started_service(settings, self._folder / f"{where}.log")
                    )
                    places[where] = replace(
                        places["main"], url=await service.url(), service_pid=service.process.pid
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
        self._told.begin("imports of the client and of httpx", 1)
        self._results.import_ratio = await import_ratio("wallet_client", "httpx", self._plan.import_rounds)

    async def _rest(self, rows: Sequence[Row], login: RestLogin) -> None:
        """Rows over REST, on what is loaded for the others."""
        places, watches = self._measurement.places, self._measurement.watches
        main = places["main"]
        self._told.begin("starting PostgREST, and services on it", 1)
        async with contextlib.AsyncExitStack() as stack:
            project = await stack.enter_async_context(login.project(main.dsn))
            place = replace(main, url=project.url, key=project.key, service_pid=None, rest_pids=project.pids)
            places["project"] = place
            services: dict[Where, Started] = {
                where: await stack.enter_async_context(
                    started_service(project.settings() | more, self._folder / f"{where}.log")
                )
                for where, more in _SERVICES.items()
                if any(row.where == where for row in rows)
            }
            for where, service in services.items():
                places[where] = replace(
                    place, key=main.key, url=await service.url(), service_pid=service.process.pid
                )
            for row in rows:
                watches[row.where] = watches["main"]
            await self._measurement.closed("o to t, over REST, closed loop", rows)
            await self._measurement.open("o to t, over REST, open loop", rows)

    async def _sizes(self, rows: Sequence[Row]) -> None:
        lists = [row for row in rows if row.group == "lists"]
        sizes = [row for row in rows if row.group == "sizes"]
        async with (
            self._place("small", self._plan.small, with_service=bool(lists)) as small,
            self._place("large", self._plan.large, with_service=bool(lists)) as large,
        ):
            await self._serving("small", small)
            await self._serving("large", large)
            if lists:
                await self._measurement.closed("k, closed loop", lists)
                await self._measurement.open("k, open loop", lists)
            if sizes:  # last: they add rows
                await self._measurement.closed("d on few and many rows", sizes)

    @contextlib.asynccontextmanager
    async def _place(
        self, where: Where, size: Size, *, with_service: bool
    ) -> AsyncGenerator[Started | None, None]:
        """A loaded database, and a service on it that may not answer yet."""
        server = self._server
        self._told.begin(f"loading {size.rows:,} rows ({where})", size.rows)
        began = time.monotonic()
        name = await server.create_database(where)
        admin_dsn, service_dsn = server.admin_dsn(name), server.service_dsn(name)
        self._dsns[where] = service_dsn
        key = await _client_key(service_dsn)
        async with contextlib.AsyncExitStack() as stack:
            service = None
            if with_service:  # it starts while rows are loaded
                log = self._folder / f"{where}.log"
                service = await stack.enter_async_context(
                    started_service({"WALLET_DATABASE_URL": service_dsn}, log)
                )
            await load(admin_dsn, size, self._told.advance)
            self._loaded[f"{where} rows"] = size.rows
            self._loaded[f"{where} s"] = round(time.monotonic() - began, 1)
            if not self._results.machine:
                self._results.machine = await describe(admin_dsn, server.data_dir)
            self._measurement.watches[where] = await stack.enter_async_context(watching(admin_dsn))
            self._measurement.places[where] = Place(
                dsn=admin_dsn,
                key=key,
                wallets=min(size.wallets, self._plan.small.wallets),
                zipf_wallets=min(self._plan.zipf_wallets, size.wallets),
                big_wallet=size.wallets,
                postgres_pid=server.pid,
            )
            yield service

    async def _serving(self, where: Where, service: Started | None) -> None:
        """Wait until the service of a place answers, where there is one."""
        if service is not None:
            place = self._measurement.places[where]
            self._measurement.places[where] = replace(
                place, url=await service.url(), service_pid=service.process.pid
            )


async def _client_key(dsn: str) -> str:
    """A key as services have them."""
    database = await PostgresDatabase.connect(dsn, pool_size=1)
    try:
        return await create_key(database, "bench", _SCOPES)
    finally:
        await database.close()


def letters_of(text: str | None) -> frozenset[str]:
    """The letters of ``--rows``: all without it.

    Raises:
        RowFailed: there is no such row.
    """
    letters = (
        frozenset(LETTERS) if text is None else frozenset(text.replace(",", "").replace(" ", "").lower())
    )
    known = {row.letter for row in chosen(frozenset(LETTERS))}
    if text is not None and (not letters or letters - known):
        raise RowFailed(f"rows are {', '.join(sorted(known))}")
    return letters
