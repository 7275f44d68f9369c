"""Measures rows: the rounds of a group are interleaved, so that what disturbs the machine disturbs them all."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from bench import pgbench
from bench.database import Used, Watch
from bench.driver import Driver
from bench.job import Job, Place, RowFailed, Sample
from bench.percentiles import median
from bench.plan import PGBENCH, Plan, Row, Where
from bench.progress import Told
from bench.results import Result, Results
from bench.rows_http import AROUND_HELD, HELD

OPEN_SHARE = 0.6
"""An open loop's rate, of what the closed loop reached."""

_UNHELD_SHARE = HELD / AROUND_HELD


class _Sums:
    """What adds up over the rounds of a row."""

    def __init__(self) -> None:
        self.operations = 0.0
        self.all_operations = 0
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self.wal = 0
        self.disk = 0
        self.requests_per_s: list[float] = []

    def add(self, sample: Sample, before: Used, after: Used) -> None:
        self.operations += sample.operations
        self.all_operations += sample.all_operations
        self.wal += after.wal - before.wal
        self.disk += after.disk - before.disk
        self.requests_per_s.append(sample.requests / sample.seconds)
        for process, seconds in sample.cpu_s.items():
            self.cpu_s[process] += seconds


class Measurement:
    """Measures rows with one load generator, on the places that are known so far."""

    def __init__(self, plan: Plan, driver: Driver, told: Told, results: Results) -> None:
        self.places: dict[Where, Place] = {}
        self.watches: dict[Where, Watch] = {}
        self._plan = plan
        self._driver = driver
        self._told = told
        self._results = results
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)

    async def closed(self, title: str, rows: Sequence[Row]) -> None:
        """Rounds of closed loops over these rows, after one that is not counted."""
        self._told.begin(title, len(rows) * (self._plan.rounds + 1))
        for row in rows:
            self._begin(row)
            await self._guarded(row, lambda row=row: self._choose_connections(row))
            self._told.advance()
        for _ in range(self._plan.rounds):
            for row in rows:
                await self._guarded(row, lambda row=row: self._round(row))
                self._told.advance()
        for row in rows:
            self._conclude(row)

    async def open(self, title: str, rows: Sequence[Row]) -> None:
        """Open loops over those of these rows whose closed loops went well."""
        chosen = [row for row in rows if row.open_loop]
        self._told.begin(title, len(chosen) * self._plan.open_parts)
        for _ in range(self._plan.open_parts):
            for row in chosen:
                await self._guarded(row, lambda row=row: self._open_part(row))
                self._told.advance()

    async def held(self, title: str, base: Row, held: Row) -> None:
        """Rounds without and with wallets that a foreign transaction holds."""
        self._told.begin(title, 2 * self._plan.held_rounds)
        self._begin(base)
        self._begin(held)
        for _ in range(self._plan.held_rounds):
            await self._guarded(base, lambda: self._held_round(base, 0))
            self._told.advance()
            await self._guarded(held, lambda: self._held_round(held, HELD))
            self._told.advance()
        for row in (base, held):
            self._conclude(row)

    async def pgbench(self, title: str) -> None:
        """The floor by pgbench, where it is there."""
        program = pgbench.available()
        if program is None or not self._plan.pgbench_s:
            return
        self._told.begin(title, len(PGBENCH))
        place = self.places["main"]
        for key, name, hot in PGBENCH:
            result = self._results.rows[key] = Result(key=key, title=name, beside="a")
            result.connections = pgbench.CLIENTS
            try:
                result.rounds.append(
                    await pgbench.tps(program, place.dsn, place.wallets, self._plan.pgbench_s, hot=hot)
                )
            except RowFailed as error:
                result.error = str(error)
            self._told.advance()

    def _begin(self, row: Row) -> None:
        self._results.rows[row.key] = Result(key=row.key, title=row.title, beside=row.beside)

    async def _guarded(self, row: Row, work: Callable[[], Awaitable[None]]) -> None:
        """A row that has failed is not tried again, and stops no other."""
        result = self._results.rows[row.key]
        if result.error is None:
            try:
                await work()
            except RowFailed as error:
                result.error = str(error)

    async def _choose_connections(self, row: Row) -> None:
        """Try each number of connections, and keep the best. Before that, all are warmed up: plans, caches."""
        await self._driver.run(self._job(row, max(row.connections), self._plan.try_s))
        if len(row.connections) == 1:
            (self._results.rows[row.key].connections,) = row.connections
            return
        best = 0.0
        for count in row.connections:
            sample = await self._driver.run(self._job(row, count, self._plan.try_s))
            rate = sample.requests / sample.seconds
            if rate > best or not self._results.rows[row.key].connections:
                best = rate
                self._results.rows[row.key].connections = count

    async def _round(self, row: Row) -> None:
        job = self._job(row, self._results.rows[row.key].connections, self._plan.round_s)
        await self._sampled(row, job)

    async def _held_round(self, row: Row, count: int) -> None:
        rate = self._results.rows["f"].requests_per_s if "f" in self._results.rows else None
        if not rate:
            raise RowFailed("row f was not measured, and its rate is needed")
        (connections,) = row.connections
        self._results.rows[row.key].connections = connections
        job = self._job(
            row, connections, self._plan.held_s - self._plan.warm_s, beside_rate=rate * _UNHELD_SHARE
        )
        watch = self.watches[row.where]
        before = await watch.used()
        async with asyncio.TaskGroup() as tasks, watch.held(count):
            load = tasks.create_task(self._attempt(job))
            await asyncio.sleep(self._plan.held_s)
        sample = load.result()
        if isinstance(sample, RowFailed):
            raise sample
        self._take(row, sample, before, await watch.used())

    async def _attempt(self, job: Job) -> Sample | RowFailed:
        try:
            return await self._driver.run(job)
        except RowFailed as error:
            return error

    async def _sampled(self, row: Row, job: Job) -> None:
        watch = self.watches[row.where]
        before = await watch.used()
        sample = await self._driver.run(job)
        self._take(row, sample, before, await watch.used())

    def _take(self, row: Row, sample: Sample, before: Used, after: Used) -> None:
        result = self._results.rows[row.key]
        result.rounds.append(sample.operations / sample.seconds)
        result.closed_us += sample.latencies_us
        for name, count in sample.notes.items():
            result.notes[name] = result.notes.get(name, 0) + count
        self._sums[row.key].add(sample, before, after)

    async def _open_part(self, row: Row) -> None:
        result = self._results.rows[row.key]
        if not result.requests_per_s:
            raise RowFailed("nothing was answered in time")
        result.open_rate = OPEN_SHARE * result.requests_per_s
        seconds = self._plan.open_s / self._plan.open_parts
        job = self._job(row, result.connections, seconds, rate=result.open_rate)
        result.open_us += (await self._driver.run(job)).latencies_us

    def _job(
        self, row: Row, connections: int, seconds: float, *, rate: float = 0.0, beside_rate: float = 0.0
    ) -> Job:
        factor = self._plan.rest_factor if row.group == "rest" else 1.0
        return Job(
            traffic=row.traffic,
            place=self.places[row.where],
            mode="open" if rate else "closed",
            connections=connections,
            seconds=seconds * factor,
            warm_s=self._plan.warm_s * factor,
            rate=rate,
            beside_rate=beside_rate,
        )

    def _conclude(self, row: Row) -> None:
        result, sums = self._results.rows[row.key], self._sums[row.key]
        result.requests_per_s = median(sums.requests_per_s)
        if sums.operations:
            result.cpu_us = {name: used / sums.operations * 1e6 for name, used in sums.cpu_s.items()}
        if sums.all_operations:
            result.wal_bytes = sums.wal / sums.all_operations
            result.disk_bytes = sums.disk / sums.all_operations
