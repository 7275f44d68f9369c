"""Measures rows. The rounds of a group are interleaved, so that other load on the machine disturbs all of them."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from bench import pgbench
from bench.database import Used, Watch
from bench.driver import Driver
from bench.job import Job, RowFailed, Sample, System
from bench.percentiles import median
from bench.plan import CONSUME, PGBENCH, Plan, Row, Where
from bench.progress import Progress
from bench.results import Result, Results
from bench.rows_http import LOCKED, LOCKED_AMONG

OPEN_SHARE = 0.6
"""The rate of an open loop, as a share of the rate of the closed loop."""

_LOCKED_SHARE = LOCKED / LOCKED_AMONG


class _Sums:
    """Sums over the rounds of a row."""

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
    """Measures rows with one load generator, on the systems that are set up so far."""

    def __init__(self, plan: Plan, driver: Driver, progress: Progress, results: Results) -> None:
        self.systems: dict[Where, System] = {}
        self.watches: dict[Where, Watch] = {}
        self._plan = plan
        self._driver = driver
        self._progress = progress
        self._results = results
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)

    async def closed(self, title: str, rows: Sequence[Row]) -> None:
        """Rounds of closed loops over these rows, after a first round that is not counted."""
        self._progress.begin(title, len(rows) * (self._plan.rounds + 1))
        for row in rows:
            self._begin(row)
            await self._record_failure(row, lambda row=row: self._choose_connections(row))
            self._progress.advance()
        for _ in range(self._plan.rounds):
            for row in rows:
                await self._record_failure(row, lambda row=row: self._round(row))
                self._progress.advance()
        for row in rows:
            self._conclude(row)

    async def open(self, title: str, rows: Sequence[Row]) -> None:
        """Open loops over the rows with open loops whose closed loops succeeded."""
        chosen = [row for row in rows if row.open_loop]
        self._progress.begin(title, len(chosen) * self._plan.open_parts)
        for _ in range(self._plan.open_parts):
            for row in chosen:
                await self._record_failure(row, lambda row=row: self._open_part(row))
                self._progress.advance()

    async def locked(self, title: str, base: Row, locked: Row) -> None:
        """Rounds without and with wallets that another session locks."""
        self._progress.begin(title, 2 * self._plan.locked_rounds)
        self._begin(base)
        self._begin(locked)
        for _ in range(self._plan.locked_rounds):
            await self._record_failure(base, lambda: self._locked_round(base, 0))
            self._progress.advance()
            await self._record_failure(locked, lambda: self._locked_round(locked, LOCKED))
            self._progress.advance()
        for row in (base, locked):
            self._conclude(row)

    async def pgbench(self, title: str) -> None:
        """The floor by pgbench, where pgbench exists."""
        program = pgbench.available()
        if program is None or not self._plan.pgbench_s:
            return
        self._progress.begin(title, len(PGBENCH))
        system = self.systems["main"]
        for key, name, hot in PGBENCH:
            result = self._results.rows[key] = Result(key=key, title=name, baseline="floor")
            result.connections = pgbench.CLIENTS
            try:
                result.rounds.append(
                    await pgbench.tps(program, system.dsn, system.wallets, self._plan.pgbench_s, hot=hot)
                )
            except RowFailed as error:
                result.error = str(error)
            self._progress.advance()

    def _begin(self, row: Row) -> None:
        self._results.rows[row.key] = Result(key=row.key, title=row.title, baseline=row.baseline)

    async def _record_failure(self, row: Row, work: Callable[[], Awaitable[None]]) -> None:
        """Record a failure of the row. A failed row is not measured again and stops no other."""
        result = self._results.rows[row.key]
        if result.error is None:
            try:
                await work()
            except RowFailed as error:
                result.error = str(error)

    async def _choose_connections(self, row: Row) -> None:
        """Measure each number of connections and choose the best. Before that, plans and caches are warmed up."""
        await self._driver.run(self._job(row, max(row.connections), self._plan.probe_s))
        if len(row.connections) == 1:
            (self._results.rows[row.key].connections,) = row.connections
            return
        best = 0.0
        for count in row.connections:
            sample = await self._driver.run(self._job(row, count, self._plan.probe_s))
            rate = sample.requests / sample.seconds
            if rate > best or not self._results.rows[row.key].connections:
                best = rate
                self._results.rows[row.key].connections = count

    async def _round(self, row: Row) -> None:
        job = self._job(row, self._results.rows[row.key].connections, self._plan.round_s)
        await self._sampled(row, job)

    async def _locked_round(self, row: Row, count: int) -> None:
        consume = self._results.rows.get(CONSUME)
        rate = consume.requests_per_s if consume is not None else None
        if not rate:
            raise RowFailed(f"the rate of the row {CONSUME} is needed, and it was not measured")
        (connections,) = row.connections
        self._results.rows[row.key].connections = connections
        job = self._job(
            row, connections, self._plan.locked_s - self._plan.warm_s, locked_rate=rate * _LOCKED_SHARE
        )
        watch = self.watches[row.where]
        before = await watch.used()
        async with asyncio.TaskGroup() as tasks, watch.locked(count):
            load = tasks.create_task(self._attempt(job))
            await asyncio.sleep(self._plan.locked_s)
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
            raise RowFailed("no response came in time")
        result.open_rate = OPEN_SHARE * result.requests_per_s
        seconds = self._plan.open_s / self._plan.open_parts
        job = self._job(row, result.connections, seconds, rate=result.open_rate)
        result.open_us += (await self._driver.run(job)).latencies_us

    def _job(
        self, row: Row, connections: int, seconds: float, *, rate: float = 0.0, locked_rate: float = 0.0
    ) -> Job:
        factor = self._plan.rest_factor if row.group == "rest" else 1.0
        return Job(
            traffic=row.traffic,
            system=self.systems[row.where],
            mode="open" if rate else "closed",
            connections=connections,
            seconds=seconds * factor,
            warm_s=self._plan.warm_s * factor,
            rate=rate,
            locked_rate=locked_rate,
        )

    def _conclude(self, row: Row) -> None:
        result, sums = self._results.rows[row.key], self._sums[row.key]
        result.requests_per_s = median(sums.requests_per_s)
        if sums.operations:
            result.cpu_us = {name: used / sums.operations * 1e6 for name, used in sums.cpu_s.items()}
        if sums.all_operations:
            result.wal_bytes = sums.wal / sums.all_operations
            result.disk_bytes = sums.disk / sums.all_operations
