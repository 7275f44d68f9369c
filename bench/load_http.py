"""Closed and open loops over HTTP, by callbacks: a request needs no task and no future."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

from bench.http_client import Connection
from bench.job import Job, RowFailed, Sample
from bench.window import Span, latencies_us, requests_within

_LAST_RESPONSES_S = 15.0
"""How long after the end of a loop the last responses may come."""


class HttpTraffic(ABC):
    """Creates requests and checks responses.

    Attributes:
        operations: number of operations of a request.
        is_among_hostile: whether hostile clients are connected at the same time.
    """

    operations = 1
    is_among_hostile = False

    @abstractmethod
    def request(self) -> bytes:
        """The next request."""

    @abstractmethod
    def check(self, request: bytes, status: int, answer: bytes) -> None:
        """Check the response.

        Raises:
            RowFailed: it is not the expected one.
        """

    def take_notes(self) -> dict[str, int]:
        """Further counts of the row since the last call."""
        return {}


class _Loop(ABC):
    """The common part of both loops: checks, counts, and the end."""

    def __init__(self, traffic: HttpTraffic, connections: Sequence[Connection], read_cpu: "ReadCpu") -> None:
        self.traffic = traffic
        self.connections = connections
        self.sample = Sample()
        self.spans: list[Span] = []
        self.done = asyncio.get_running_loop().create_future()
        self._read_cpu = read_cpu
        self._cpu_before: dict[str, float] = {}
        for connection in connections:
            connection.answered = self.take
            connection.lost = self.fail

    def take(self, connection: Connection, request: bytes, status: int, answer: bytes) -> None:
        """Handle a response."""
        now = time.perf_counter()
        try:
            self.traffic.check(request, status, answer)
            self.spans.append((connection.since, now))
            self.go_on(connection, now)
        except RowFailed as error:
            self.fail(str(error))

    @abstractmethod
    def go_on(self, connection: Connection, now: float) -> None:
        """Use the connection for the next request."""

    def fail(self, reason: str) -> None:
        """End the loop with an error."""
        if not self.done.done():
            self.done.set_exception(RowFailed(reason))

    def finish(self) -> None:
        """End the loop."""
        if not self.done.done():
            self.done.set_result(None)

    def begin_measuring(self) -> None:
        """Read the CPU times of the processes."""
        self._cpu_before = self._read_cpu()

    def end_measuring(self) -> None:
        """Read the CPU times of the processes again."""
        after = self._read_cpu()
        self.sample.cpu_s = {name: after[name] - self._cpu_before[name] for name in after}

    async def ended(self, seconds: float) -> Sample:
        """The sample, once every response was received."""
        try:
            await asyncio.wait_for(self.done, seconds + _LAST_RESPONSES_S)
        except TimeoutError:
            raise RowFailed(f"responses are missing {_LAST_RESPONSES_S:.0f} s after the end") from None
        self.sample.requests = self.requests()
        self.sample.operations = self.sample.requests * self.traffic.operations
        self.sample.all_operations = len(self.spans) * self.traffic.operations
        self.sample.notes = self.traffic.take_notes()
        return self.sample

    @abstractmethod
    def requests(self) -> float:
        """The number of requests in the measured time."""


class _ClosedLoop(_Loop):
    """Each connection sends again after each response. A window of time is measured."""

    def start(self, warm_s: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._stopping = False
        self._under_way = len(self.connections)
        self._began = 0.0
        loop.call_later(warm_s, self._begin)
        loop.call_later(warm_s + seconds, self._end)
        for connection in self.connections:
            self._send(connection)

    def go_on(self, connection: Connection, now: float) -> None:
        del now
        if not self._stopping:
            self._send(connection)
            return
        self._under_way -= 1
        if not self._under_way:
            self.finish()

    def requests(self) -> float:
        end = self._began + self.sample.seconds
        self.sample.latencies_us = latencies_us(self.spans, self._began, end)
        return requests_within(self.spans, self._began, end)

    def _send(self, connection: Connection) -> None:
        request = self.traffic.request()
        connection.since = time.perf_counter()
        connection.send(request)

    def _begin(self) -> None:
        self.begin_measuring()
        self._began = time.perf_counter()

    def _end(self) -> None:
        self._stopping = True
        self.sample.seconds = time.perf_counter() - self._began
        self.end_measuring()


class _OpenLoop(_Loop):
    """Requests are due at fixed times. The wait for a free connection counts as latency."""

    def start(self, rate: float, seconds: float) -> None:
        self._rate = rate
        self._requests = max(1, round(rate * seconds))
        self._sent = 0
        self._idle = list(self.connections)
        self._waiting: deque[float] = deque()
        self._start = time.perf_counter()
        self.begin_measuring()
        self._tick()

    def go_on(self, connection: Connection, now: float) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)
        if len(self.spans) == self._requests:
            self.sample.seconds = now - self._start
            self.end_measuring()
            self.finish()

    def requests(self) -> float:
        self.sample.latencies_us = [round((answered - due) * 1e6) for due, answered in self.spans]
        return len(self.spans)

    def _tick(self) -> None:
        now = time.perf_counter()
        while self._sent < self._requests and (due := due_at(self._start, self._rate, self._sent)) <= now:
            self._sent += 1
            while self._idle and not self._idle[-1].is_open:
                self._idle.pop()
            if self._idle:
                self._send(self._idle.pop(), due)
            else:
                self._waiting.append(due)
        if self._sent < self._requests and not self.done.done():
            wait_s = max(0.0, due_at(self._start, self._rate, self._sent) - time.perf_counter())
            asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _send(self, connection: Connection, due: float) -> None:
        connection.since = due
        connection.send(self.traffic.request())


ReadCpu = Callable[[], dict[str, float]]
"""Reads the CPU seconds so far by process."""


def due_at(start: float, rate: float, number: int) -> float:
    """When request ``number``, from 0, of an open loop is due. Counted from the start, so that delays do not add up."""
    return start + number / rate


async def closed_loop(
    traffic: HttpTraffic, connections: Sequence[Connection], job: Job, read_cpu: ReadCpu
) -> Sample:
    """Send on every connection again and again.

    Raises:
        RowFailed: a response was not the expected one.
    """
    loop = _ClosedLoop(traffic, connections, read_cpu)
    loop.start(job.warm_s, job.seconds)
    return await loop.ended(job.warm_s + job.seconds)


async def open_loop(
    traffic: HttpTraffic, connections: Sequence[Connection], rate: float, seconds: float, read_cpu: ReadCpu
) -> Sample:
    """Send at a fixed rate, however late the responses are.

    Raises:
        RowFailed: a response was not the expected one.
    """
    loop = _OpenLoop(traffic, connections, read_cpu)
    loop.start(rate, seconds)
    return await loop.ended(seconds)
