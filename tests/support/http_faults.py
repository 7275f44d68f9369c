"""A line to a REST API in the hands of a test: answers can be lost, cut, held back, or given by somebody else."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urlsplit, urlunsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Response:
    """An answer of HTTP."""

    status: int
    body: bytes = b""
    content_type: str = "text/html"
    more: str = ""

    @property
    def head(self) -> bytes:
        """All before the body, without a length."""
        return f"HTTP/1.1 {self.status} -\r\nContent-Type: {self.content_type}\r\n{self.more}".encode()

    @property
    def whole(self) -> bytes:
        """What is sent, with its length."""
        return self.head + b"Content-Length: %d\r\n\r\n%s" % (len(self.body), self.body)


Forward: TypeAlias = Callable[[], Awaitable[Response]]
"""Lets the request get through, and returns the answer."""

Fault: TypeAlias = Callable[[Forward], Awaitable[bytes | None]]
"""What becomes of a request: the bytes that its sender gets, and None or the end of them ends the connection."""

DRIP = b"Content-Length: 1000000\r\n\r\n"
"""The end of an answer after which the line goes on with a blank every 50 ms."""

HTML = b"<!DOCTYPE html><html><body>Something is wrong here</body></html>"


async def lost_before(forward: Forward) -> None:
    """The line breaks before the request gets through."""
    del forward


async def lost_after(forward: Forward) -> None:
    """The request gets through, the answer does not."""
    await forward()


async def cut(forward: Forward) -> bytes:
    """Half the answer."""
    whole = (response := await forward()).whole
    return whole[: -len(response.body) // 2]


async def cut_unseen(forward: Forward) -> bytes:
    """Half an answer that does not say how long it is: HTTP takes the end of the connection for its end."""
    response = await forward()
    return response.head + b"Connection: close\r\n\r\n" + response.body[: len(response.body) // 2]


async def html_instead(forward: Forward) -> bytes:
    """The request gets through, and success is claimed with a page."""
    await forward()
    return Response(200, HTML).whole


async def html_as_json(forward: Forward) -> bytes:
    """The same, and the page is called JSON."""
    await forward()
    return Response(200, HTML, "application/json").whole


async def garbled(forward: Forward) -> bytes:
    """The request gets through, and the answer has the head of another protocol."""
    await forward()
    return b"HTTP/9 two hundred\r\nContent-Length: many\r\n\r\n"


async def packed_wrongly(forward: Forward) -> bytes:
    """The request gets through, and the answer says that it is packed, and is not."""
    response = await forward()
    return Response(200, response.body, response.content_type, "Content-Encoding: gzip\r\n").whole


async def chunked_wrongly(forward: Forward) -> bytes:
    """The request gets through, and a chunk of the answer has no size."""
    response = await forward()
    return response.head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + response.body


async def control_character(forward: Forward) -> bytes:
    """The request gets through, and a byte that JSON doesn't allow gets into the answer."""
    response = await forward()
    return Response(200, response.body[:5] + b"\x01" + response.body[5:], response.content_type).whole


async def cut_refusal(forward: Forward) -> bytes:
    """The request gets through, and what says so is not whole."""
    await forward()
    return Response(400, b'{"code":"WL001","mess', "application/json").whole


async def with_cookie(forward: Forward) -> bytes:
    """A gateway would know its caller again."""
    return replace(await forward(), more="Set-Cookie: caller=7; Path=/\r\nConnection: close\r\n").whole


async def dripping(forward: Forward) -> bytes:
    """The answer comes byte by byte, for ever: no single wait is long."""
    return (await forward()).head + DRIP


def refuse_with(status: int, body: bytes = HTML, content_type: str = "text/html", more: str = "") -> Fault:
    """A gateway refuses, and does not let the request through."""

    async def fault(forward: Forward) -> bytes:
        del forward
        return Response(status, body, content_type, more).whole

    return fault


def fail_with(status: int) -> Fault:
    """A gateway says that it failed, and the request got through all the same."""

    async def fault(forward: Forward) -> bytes:
        await forward()
        return Response(status, HTML).whole

    return fault


class DelayedResponse:
    """An answer that comes when the test lets it: ``held.fault``, ``await held.through``, ``held.let_go()``."""

    def __init__(self) -> None:
        self.forwarded = asyncio.Event()
        self._released = asyncio.Event()

    async def fault(self, forward: Forward) -> bytes:
        response = await forward()
        self.forwarded.set()
        await self._released.wait()
        return response.whole

    def release(self) -> None:
        self._released.set()


class FaultyProxy:
    """Passes requests on, and does to the next ones what the test asks for.

    Attributes:
        url: what stands for the API's address.
        always: what is done to every request, when nothing is asked for the next one.
        requests: how many came.
        heads: their first lines and headers.
    """

    def __init__(self, url: str, port: int) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
        self.always: Fault | None = None
        self.requests = 0
        self.heads: list[str] = []
        self._next: list[Fault | None] = []

    def next(self, *faults: Fault | None) -> None:
        """What becomes of the next requests, in their order; None: nothing."""
        self._next = list(faults)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while (request := await _request(reader)) is not None:
                self.requests += 1
                self.heads.append(request.partition(b"\r\n\r\n")[0].decode())
                fault = self._next.pop(0) if self._next else self.always

                async def forward(sent: bytes = request) -> Response:
                    return await self._pass_on(sent)

                response = (await forward()).whole if fault is None else await fault(forward)
                writer.write(response or b"")
                await writer.drain()
                while response is not None and response.endswith(DRIP):
                    await asyncio.sleep(0.05)
                    writer.write(b" ")
                    await writer.drain()
                if fault is not None:
                    return
        except ConnectionError:
            pass  # the service gave up
        finally:
            writer.close()

    async def _pass_on(self, request: bytes) -> Response:
        """As HTTP/1.0, whose answers end with the connection: nothing has to be put together again."""
        reader, writer = await asyncio.open_connection(*self._target)
        writer.write(request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
        kind = re.search(rb"\r\ncontent-type: *([^\r]+)", head, re.IGNORECASE)
        assert kind is not None
        return Response(int(head.split()[1]), body, kind[1].decode())


@asynccontextmanager
async def faulty_proxy(url: str) -> AsyncIterator[FaultyProxy]:
    """A line to the API at this address."""
    proxy: FaultyProxy | None = None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert proxy is not None
        await proxy.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = FaultyProxy(url, server.sockets[0].getsockname()[1])
    async with server:
        yield proxy


async def _request(reader: asyncio.StreamReader) -> bytes | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = _LENGTH.search(head)
    return head + await reader.readexactly(int(length[1]) if length else 0)
