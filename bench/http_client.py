"""A small HTTP client: it must cost far less CPU than the service that it measures."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TypeAlias, cast
from urllib.parse import urlsplit

from bench.job import RowFailed

Answered: TypeAlias = "Callable[[Connection, bytes, int, bytes], None]"
"""Receives the connection, the request, the status, and the whole response with its headers."""


class Connection(asyncio.Protocol):
    """A connection that stays open, for one request at a time.

    Attributes:
        since: when its request was sent or due; set by the sender.
        request: the request under way; empty without one.
    """

    def __init__(self) -> None:
        self.since = 0.0
        self.request = b""
        self.answered: Answered = _unexpected
        self.lost: Callable[[str], None] = _ignore
        self._transport: asyncio.Transport | None = None
        self._buffer: bytes = b""
        self._needs: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of the protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of the protocol."""
        self._transport = None
        if self.request:
            self.lost(f"the service closed a connection with a request under way: {exc or 'no error'}")

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent: a service closes idle connections after a while."""
        return self._transport is not None

    def send(self, request: bytes) -> None:
        """Send a request. There must be none under way."""
        if self._transport is None:
            self.lost("the service has closed a connection")
            return
        self.request = request
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Part of the protocol."""
        if self._buffer:
            data = self._buffer + data
        if not self._needs:
            head = data.find(b"\r\n\r\n")
            if head < 0:
                self._buffer = data
                return
            self._needs = head + 4 + content_length(data, head)
        if len(data) < self._needs:
            self._buffer = data
            return
        self._buffer, self._needs = b"", 0
        request, self.request = self.request, b""
        self.answered(self, request, int(data[9:12]), data)

    def close(self) -> None:
        """Close it without a call of ``lost``."""
        self.lost, self.answered = _ignore, _unexpected
        if self._transport is not None:
            self._transport.close()


def content_length(answer: bytes, head: int) -> int:
    """The length of the body.

    Args:
        answer: the response from its first byte.
        head: where the headers end.

    Raises:
        RowFailed: the response states no length.
    """
    start = answer.find(b"content-length: ", 0, head)
    if start < 0:
        start = answer.lower().find(b"content-length: ", 0, head)
    if start < 0:
        raise RowFailed(f"a response without a length: {answer[:head].decode(errors='replace')}")
    start += len(b"content-length: ")
    end = answer.find(b"\r", start)
    return int(answer[start:end])


@contextlib.asynccontextmanager
async def connected(url: str, count: int) -> AsyncGenerator[Sequence[Connection], None]:
    """This number of connections to the service."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    loop = asyncio.get_running_loop()
    made: list[Connection] = []
    try:
        for _ in range(count):
            _, connection = await loop.create_connection(Connection, host, port)
            made.append(connection)
        yield made
    finally:
        for connection in made:
            connection.close()


def _unexpected(connection: Connection, request: bytes, status: int, answer: bytes) -> None:
    del request, status
    connection.lost(f"a response without a request: {answer[:200].decode(errors='replace')}")


def _ignore(reason: str) -> None:
    del reason
