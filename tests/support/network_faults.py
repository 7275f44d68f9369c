"""A TCP proxy before a service with the faults of networks: some requests are cut, delayed or doubled."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

CUT_BEFORE, CUT_AFTER, CUT_WITHIN, TWICE, LATE, HELD = KINDS = (
    "cut before the request was passed on",
    "cut after the request was passed on",
    "cut within the response",
    "passed on twice",
    "cut, and passed on later",
    "response delayed",
)

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FaultyNetwork:
    """Passes each connection on through a connection of its own.

    Attributes:
        url: the address of the service through this proxy.
        share: of the requests that meet a fault.
        counts: how often each kind of fault happened.
        delay_s: how long a response is delayed, and a request is late.
    """

    def __init__(self, url: str, share: float, seed: int, delay_s: float) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self.url = ""
        self.share = share
        self.delay_s = delay_s
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311 - the same faults in every run
        self._later: set[asyncio.Task[None]] = set()

    async def wait_for_late_requests(self) -> None:
        """Return when no request is under way."""
        await asyncio.gather(*self._later)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        upstream = await asyncio.open_connection(*self._target)
        try:
            while (request := await _message(reader)) is not None:
                kind = self._random.choice(KINDS) if self._random.random() < self.share else None
                answer = await self._passed(request, upstream, kind)
                writer.write(answer)
                await writer.drain()
                if kind in {CUT_BEFORE, CUT_AFTER, CUT_WITHIN, LATE}:
                    return
        except ConnectionError:
            pass  # the client closed the connection
        finally:
            writer.close()
            upstream[1].close()

    async def _passed(self, request: bytes, upstream: Streams, kind: str | None) -> bytes:
        if kind is not None:
            self.counts[kind] += 1
        if kind == CUT_BEFORE:
            return b""
        if kind == LATE:
            task = asyncio.create_task(self._send_later(request))
            self._later.add(task)
            return b""
        answer = await _ask(request, upstream)
        if kind == TWICE:
            answer = await _ask(request, upstream)
        elif kind == HELD:
            await asyncio.sleep(self.delay_s)
        return {CUT_AFTER: b"", CUT_WITHIN: answer[: len(answer) // 2]}.get(kind or "", answer)

    async def _send_later(self, request: bytes) -> None:
        await asyncio.sleep(self.delay_s)
        upstream = await asyncio.open_connection(*self._target)
        await _ask(request, upstream)
        upstream[1].close()


@asynccontextmanager
async def faulty_network(
    url: str, share: float, *, seed: int = 1, delay_s: float
) -> AsyncIterator[FaultyNetwork]:
    """A proxy before the service at this address."""
    network = FaultyNetwork(url, share, seed, delay_s)
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    network.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield network
        await network.wait_for_late_requests()


async def _ask(request: bytes, upstream: Streams) -> bytes:
    upstream[1].write(request)
    answer = await _message(upstream[0])
    if answer is None:
        raise ConnectionResetError("the service closed the connection")
    return answer


async def _message(reader: asyncio.StreamReader) -> bytes | None:
    """A request or a response that states its length; None: the connection has ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = _LENGTH.search(head)
    return head + await reader.readexactly(int(length[1]) if length else 0)
