# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""The load generator: a process of its own, so that its CPU time is measured separately. It speaks JSON lines."""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict
from typing import Any

import asyncpg
import httpx
import postgrest
import uvloop
from wallet_client import WalletError as ClientError

from bench import load_calls, load_http
from bench.cpu import snapshot
from bench.hostile import hostile_clients
from bench.http_client import connected
from bench.job import Job, RowFailed, Sample, System
from bench.load_http import HttpTraffic
from bench.rows_client import CLIENT_TRAFFIC, Program, calling_program
from bench.rows_http import HTTP_TRAFFIC
from bench.rows_rest import REST_TRAFFIC, Caller, rest_caller
from bench.rows_sql import SQL_TRAFFIC, CallTraffic, Link, SqlTraffic
from wallet_service.core.errors import WalletError

LIMIT_BYTES = 64 * 1024 * 1024
"""The longest line between the two processes: latencies of the longest job."""

_LOCKED_CONNECTIONS = 256
"""For requests that may wait for a locked wallet, each on a connection of its own."""


class Generator:
    """Runs jobs; traffic and connections to the database are kept from job to job."""

    def __init__(self) -> None:
        self._sql: dict[str, list[asyncpg.Connection[Any]]] = {}
        self._sql_traffic: dict[tuple[str, str], SqlTraffic] = {}
        self._http_traffic: dict[tuple[str, str], HttpTraffic] = {}
        self._callers: dict[tuple[str, int], Caller] = {}
        self._programs: dict[tuple[str, int], Program] = {}
        self._opened = AsyncExitStack()

    async def run(self, job: Job) -> Sample:
        """Run one job.

        Raises:
            RowFailed: a response was not the expected one.
        """
        if job.traffic in SQL_TRAFFIC:
            return await self._run_sql(job)
        if job.traffic in REST_TRAFFIC:
            traffic = REST_TRAFFIC[job.traffic](job.system)
            return await self._run_calls(job, traffic, await self._kept(job, self._callers, rest_caller))
        if job.traffic in CLIENT_TRAFFIC:
            traffic = CLIENT_TRAFFIC[job.traffic](job.system)
            return await self._run_calls(job, traffic, await self._kept(job, self._programs, calling_program))
        return await self._run_http(job)

    async def close(self) -> None:
        """Close every connection that is kept."""
        await self._opened.aclose()
        for pool in self._sql.values():
            for connection in pool:
                await connection.close(timeout=5)

    async def _run_sql(self, job: Job) -> Sample:
        key = (job.system.dsn, job.traffic)
        if key not in self._sql_traffic:
            self._sql_traffic[key] = SQL_TRAFFIC[job.traffic](job.system)
        traffic = self._sql_traffic[key]
        pool = self._sql.setdefault(job.system.dsn, [])
        while len(pool) < job.connections:
            pool.append(await asyncpg.connect(job.system.dsn))
        loop = load_calls.closed_loop if job.mode == "closed" else load_calls.open_loop
        try:
            return await loop(traffic, pool[: job.connections], job, _cpu_reader(job.system))
        except* (RowFailed, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as errors:
            for connection in self._sql.pop(job.system.dsn):
                connection.terminate()
            first = errors.exceptions[0]
            raise RowFailed(f"{type(first).__name__}: {first}") from first

    async def _kept(
        self,
        job: Job,
        kept: dict[tuple[str, int], Link],
        opened: Callable[[System, int], AbstractAsyncContextManager[Link]],
    ) -> Link:
        """One client for all calls of a system. Its connections are kept from job to job."""
        key = (job.system.url, job.connections)
        if key not in kept:
            kept[key] = await self._opened.enter_async_context(opened(job.system, job.connections))
        return kept[key]

    async def _run_calls(self, job: Job, traffic: CallTraffic[Link], client: Link) -> Sample:
        loop = load_calls.closed_loop if job.mode == "closed" else load_calls.open_loop
        try:
            return await loop(traffic, [client] * job.connections, job, _cpu_reader(job.system))
        except* (RowFailed, WalletError, ClientError, postgrest.APIError, httpx.HTTPError) as errors:
            first = errors.exceptions[0]
            raise RowFailed(f"{type(first).__name__}: {first}") from first

    async def _run_http(self, job: Job) -> Sample:
        """On new connections: the service closes idle ones after a while."""
        traffic = self._traffic(job.system, job.traffic)
        read_cpu = _cpu_reader(job.system)
        async with connected(job.system.url, job.connections) as connections:
            if job.mode == "open":
                return await load_http.open_loop(traffic, connections, job.rate, job.seconds, read_cpu)
            if traffic.is_among_hostile:
                async with hostile_clients(job.system.url, job.warm_s + job.seconds / 4):
                    return await load_http.closed_loop(traffic, connections, job, read_cpu)
            if not job.locked_rate:
                return await load_http.closed_loop(traffic, connections, job, read_cpu)
            async with connected(job.system.url, _LOCKED_CONNECTIONS) as others:
                sample, locked = await asyncio.gather(
                    load_http.closed_loop(traffic, connections, job, read_cpu),
                    load_http.open_loop(
                        self._traffic(job.system, "locked"),
                        others,
                        job.locked_rate,
                        job.warm_s + job.seconds,
                        read_cpu,
                    ),
                )
        sample.notes |= locked.notes
        return sample

    def _traffic(self, system: System, name: str) -> HttpTraffic:
        key = (system.url, name)
        if key not in self._http_traffic:
            self._http_traffic[key] = HTTP_TRAFFIC[name](system)
        return self._http_traffic[key]


def _cpu_reader(system: System) -> Callable[[], dict[str, float]]:
    return lambda: snapshot(system.service_pid, system.postgres_pid, system.rest_pids)


async def _serve() -> None:
    """Run the jobs from stdin until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    generator = Generator()
    try:
        while line := await reader.readline():
            try:
                answer: dict[str, Any] = {"sample": asdict(await generator.run(Job.read(json.loads(line))))}
            except RowFailed as error:
                answer = {"failed": str(error)}
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                answer = {"failed": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        await generator.close()


def main() -> None:
    """The process: ``python -m bench.generator``."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()
