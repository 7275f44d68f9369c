"""A proxy before an HTTP API: responses can be lost, cut, delayed or replaced as a test wants."""

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
    """An HTTP response."""

    status: int
    body: bytes = b""
    content_type: str = "text/html"
    more: str = ""

    @property
    def head(self) -> bytes:
        """Everything before the body, without a length."""
        return f"HTTP/1.1 {self.status} -\r\nContent-Type: {self.content_type}\r\n{self.more}".encode()

    @property
    def whole(self) -> bytes:
        """All bytes, with the length."""
        return self.head + b"Content-Length: %d\r\n\r\n%s" % (len(self.body), self.body)


Forward: TypeAlias = Callable[[], Awaitable[Response]]
"""Passes the request on and returns the response."""

Fault: TypeAlias = Callable[[Forward], Awaitable[bytes | None]]
"""Handles a request: returns the bytes for its sender, or None; then the connection is closed."""

DRIP = b"Content-Length: 1000000\r\n\r\n"
"""The end of a response head after which the proxy sends a blank every 50 ms."""

HTML = b"<!DOCTYPE html><html><body>Something is wrong here</body></html>"


async def lost_before(forward: Forward) -> None:
    """The connection breaks before the request is passed on."""
    del forward


async def lost_after(forward: Forward) -> None:
    """The request is passed on, the response is lost."""
    await forward()


async def cut(forward: Forward) -> bytes:
    """Half the response."""
    whole = (response := await forward()).whole
    return whole[: -len(response.body) // 2]


async def cut_unseen(forward: Forward) -> bytes:
    """Half a response without a length: for HTTP it ends with the connection."""
    response = await forward()
    return response.head + b"Connection: close\r\n\r\n" + response.body[: len(response.body) // 2]


async def html_instead(forward: Forward) -> bytes:
    """The request is passed on; the response is 200 with an HTML page."""
    await forward()
    return Response(200, HTML).whole


async def html_as_json(forward: Forward) -> bytes:
    """The same, with the content type of JSON."""
    await forward()
    return Response(200, HTML, "application/json").whole


async def garbled(forward: Forward) -> bytes:
    """The request is passed on; the response has the head of another protocol."""
    await forward()
    return b"HTTP/9 two hundred\r\nContent-Length: many\r\n\r\n"


async def packed_wrongly(forward: Forward) -> bytes:
    """The request is passed on; the response claims to be compressed and is not."""
    response = await forward()
    return Response(200, response.body, response.content_type, "Content-Encoding: gzip\r\n").whole


async def chunked_wrongly(forward: Forward) -> bytes:
    """The request is passed on; a chunk of the response has no valid size."""
    response = await forward()
    return response.head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + response.body


async def control_character(forward: Forward) -> bytes:
    """The request is passed on; the response contains a byte that JSON does not allow."""
    response = await forward()
    return Response(200, response.body[:5] + b"\x01" + response.body[5:], response.content_type).whole


async def cut_refusal(forward: Forward) -> bytes:
    """The request is passed on; the response is a refusal that is cut."""
    await forward()
    return Response(400, b'{"code":"WL001","mess', "application/json").whole


async def with_cookie(forward: Forward) -> bytes:
    """The response sets a cookie, as a gateway does that wants to recognize its caller."""
    return replace(await forward(), more="Set-Cookie: caller=7; Path=/\r\nConnection: close\r\n").whole


async def dripping(forward: Forward) -> bytes:
    """The response comes byte by byte without an end: no single wait is long."""
    return (await forward()).head + DRIP


def refuse_with(status: int, body: bytes = HTML, content_type: str = "text/html", more: str = "") -> Fault:
    """A gateway refuses the request and does not pass it on."""

    async def fault(forward: Forward) -> bytes:
        del forward
        return Response(status, body, content_type, more).whole

    return fault


def fail_with(status: int) -> Fault:
    """A gateway reports a failure although the request was passed on."""

    async def fault(forward: Forward) -> bytes:
        await forward()
        return Response(status, HTML).whole

    return fault


class DelayedResponse:
    """A response that is sent when the test calls ``release()``; ``forwarded`` is set once the request was passed on."""

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


_BACKGROUND = b"/rpc/list_books_of_wallets"
"""What the service asks some time after postings. It is passed on, not counted, and gets no fault."""


class FaultyProxy:
    """Passes requests on, with the faults that the test sets.

    Attributes:
        url: the address of the API through this proxy.
        always: the fault of each request for which ``next`` set none.
        requests: how many were received.
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
        """The faults of the next requests, in order; None: no fault."""
        self._next = list(faults)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while (request := await _request(reader)) is not None:
                fault = None
                if _BACKGROUND not in request.partition(b"\r\n")[0]:
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
            pass  # the service closed the connection
        finally:
            writer.close()

    async def _pass_on(self, request: bytes) -> Response:
        """As HTTP/1.0, whose responses end with the connection: no chunks to put together."""
        reader, writer = await asyncio.open_connection(*self._target)
        writer.write(request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
        kind = re.search(rb"\r\ncontent-type: *([^\r]+)", head, re.IGNORECASE)
        assert kind is not None
        return Response(int(head.split()[1]), body, kind[1].decode())


@asynccontextmanager
async def faulty_proxy(url: str) -> AsyncIterator[FaultyProxy]:
    """A proxy before the API at this address."""
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
