import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bench.http_client import connected, content_length
from bench.job import Job, RowFailed, Sample, System
from bench.load_http import HttpTraffic, closed_loop, due_at, open_loop

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
SYSTEM = System(dsn="", wallets=1, zipf_wallets=1, big_wallet=1)


class Plain(HttpTraffic):
    operations = 3

    def request(self) -> bytes:
        return REQUEST

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        assert request == REQUEST
        if status != 200:
            raise RowFailed(f"{status} {answer[-4:].decode()}")


class Server:
    """Responds in pieces, late, or wrongly, as a test wants it."""

    def __init__(self) -> None:
        self.delay: Callable[[int], float] = lambda _: 0.0
        self.status = 200
        self.pieces = 1
        self.close_after: int | None = None
        self.seen = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                number, self.seen = self.seen, self.seen + 1
                if self.close_after is not None and number >= self.close_after:
                    return
                await asyncio.sleep(self.delay(number))
                answer = b"HTTP/1.1 %d Any\r\nContent-Length: 4\r\n\r\nbody" % self.status
                size = -(-len(answer) // self.pieces)
                for start in range(0, len(answer), size):
                    writer.write(answer[start : start + size])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed the connection
        finally:
            writer.close()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def no_cpu() -> dict[str, float]:
    return {"client": 0.0}


async def closed(server: Server, connections: int = 2, seconds: float = 0.1) -> Sample:
    job = Job(traffic="", system=SYSTEM, mode="closed", connections=connections, seconds=seconds)
    async with serving(server) as url, connected(url, connections) as made:
        return await closed_loop(Plain(), made, job, no_cpu)


async def opened(server: Server, rate: float, seconds: float, connections: int = 1) -> Sample:
    async with serving(server) as url, connected(url, connections) as made:
        return await open_loop(Plain(), made, rate, seconds, no_cpu)


async def test_a_closed_loop_counts_what_the_server_answered() -> None:
    server = Server()
    sample = await closed(server)
    assert sample.all_operations == 3 * server.seen
    assert 0 < sample.requests <= server.seen
    assert sample.operations == pytest.approx(3 * sample.requests)


async def test_a_closed_loop_has_one_request_a_connection_under_way() -> None:
    server = Server()
    server.delay = lambda _: 0.02
    sample = await closed(server, connections=2, seconds=0.2)
    assert 0 < sample.requests <= 2 * 0.2 / 0.02
    assert min(sample.latencies_us) >= 20_000 - 1000


async def test_answers_may_come_in_pieces() -> None:
    server = Server()
    server.pieces = 7
    assert (await closed(server)).requests > 0


async def test_an_unexpected_status_fails_the_row() -> None:
    server = Server()
    server.status = 500
    with pytest.raises(RowFailed, match="500 body"):
        await closed(server)


async def test_a_closed_connection_fails_the_row() -> None:
    server = Server()
    server.close_after = 3
    with pytest.raises(RowFailed, match="closed a connection with a request under way"):
        await closed(server)


def test_requests_are_due_at_a_fixed_rate() -> None:
    assert [due_at(10.0, 4.0, number) for number in range(3)] == [10.0, 10.25, 10.5]


async def test_an_open_loop_sends_at_its_rate() -> None:
    sample = await opened(Server(), rate=200, seconds=0.2)
    assert sample.requests == 40
    assert sample.seconds >= 39 / 200


async def test_the_wait_for_a_free_connection_is_latency() -> None:
    """The first answer takes 0.2 s; those that were due meanwhile waited, though they were answered at once."""
    server = Server()
    server.delay = lambda number: 0.2 if number == 0 else 0.0
    sample = await opened(server, rate=100, seconds=0.1)
    assert len(sample.latencies_us) == 10
    for number, latency in enumerate(sample.latencies_us):
        assert latency >= 200_000 - number * 10_000 - 2000


def test_the_length_of_an_answer() -> None:
    answer = b"HTTP/1.1 200 OK\r\nCONTENT-Length: 12\r\nX: y\r\n\r\n"
    assert content_length(answer, answer.index(b"\r\n\r\n")) == 12
    with pytest.raises(RowFailed, match="without a length"):
        content_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 44)
