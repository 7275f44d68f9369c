"""Closed and open loops of awaited calls, each on a connection to PostgreSQL or by a client."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence

from bench.job import Job, Sample
from bench.load_http import ReadCpu, due_at
from bench.rows_sql import CallTraffic, Link
from bench.window import Span, latencies_us, requests_within


async def closed_loop(
    traffic: CallTraffic[Link], connections: Sequence[Link], job: Job, read_cpu: ReadCpu
) -> Sample:
    """Run requests on every connection one after the other; a window is measured.

    Raises:
        RowFailed: a request did not have its effect.
    """
    start = time.perf_counter() + job.warm_s
    end = start + job.seconds
    spans: list[Span] = []

    async def work(connection: Link) -> None:
        began = time.perf_counter()
        while began < end:
            await traffic.run(connection)
            now = time.perf_counter()
            spans.append((began, now))
            began = now

    async with asyncio.TaskGroup() as tasks:
        cpu = tasks.create_task(_cpu_of_window(job.warm_s, job.seconds, read_cpu))
        for connection in connections:
            tasks.create_task(work(connection))
    requests = requests_within(spans, start, end)
    return Sample(
        requests=requests,
        operations=requests * traffic.operations,
        seconds=job.seconds,
        all_operations=len(spans) * traffic.operations,
        latencies_us=latencies_us(spans, start, end),
        cpu_s=cpu.result(),
    )


async def open_loop(
    traffic: CallTraffic[Link], connections: Sequence[Link], job: Job, read_cpu: ReadCpu
) -> Sample:
    """Run requests when they are due. The wait for a free connection counts as latency.

    Raises:
        RowFailed: a request did not have its effect.
    """
    requests = max(1, round(job.rate * job.seconds))
    start = time.perf_counter()
    numbers = itertools.islice(itertools.count(), requests)
    latencies: list[int] = []
    before = read_cpu()

    async def work(connection: Link, numbers: Iterator[int]) -> None:
        for number in numbers:
            due = due_at(start, job.rate, number)
            if (wait_s := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            await traffic.run(connection)
            latencies.append(round((time.perf_counter() - due) * 1e6))

    async with asyncio.TaskGroup() as tasks:
        for connection in connections:
            tasks.create_task(work(connection, numbers))
    after = read_cpu()
    return Sample(
        requests=requests,
        operations=requests * traffic.operations,
        seconds=time.perf_counter() - start,
        all_operations=requests * traffic.operations,
        latencies_us=latencies,
        cpu_s={name: after[name] - before[name] for name in after},
    )


async def _cpu_of_window(warm_s: float, seconds: float, read_cpu: ReadCpu) -> dict[str, float]:
    await asyncio.sleep(warm_s)
    before = read_cpu()
    await asyncio.sleep(seconds)
    after = read_cpu()
    return {name: after[name] - before[name] for name in after}
