"""Clients that are no use to the service: silent connections, and a header without an end."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from bench.job import RowFailed

SILENT = 500
"""Connections that never send a byte."""

HEADER_BYTES = 80_000_000

_PIECE = b"x" * 1_000_000
_LONGEST_S = 60.0


@contextlib.asynccontextmanager
async def hostile_clients(url: str, header_after_s: float) -> AsyncGenerator[None, None]:
    """Silent connections, and one client that sends a large header once.

    Args:
        url: of the service.
        header_after_s: seconds from the start of the block until the header is sent.

    Raises:
        RowFailed: the header was not sent, and the connection is still open.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    loop = asyncio.get_running_loop()
    silent: list[asyncio.Transport] = []
    header: asyncio.Task[None] | None = None
    try:
        for _ in range(SILENT):
            transport, _ = await loop.create_connection(asyncio.Protocol, host, port)
            silent.append(transport)
        header = asyncio.create_task(_send_header(host, port, header_after_s))
        yield
        try:
            await asyncio.wait_for(header, _LONGEST_S)
        except TimeoutError:
            raise RowFailed(f"a header of {HEADER_BYTES} bytes takes more than {_LONGEST_S:.0f} s") from None
    finally:
        if header is not None:
            header.cancel()
        for transport in silent:
            transport.abort()


async def _send_header(host: str, port: int, after_s: float) -> None:
    """Send it until it is whole, or the service has closed the connection."""
    await asyncio.sleep(after_s)
    reader, writer = await asyncio.open_connection(host, port)
    del reader
    try:
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: bench\r\nX-Large: ")
        for _ in range(HEADER_BYTES // len(_PIECE)):
            writer.write(_PIECE)
            await writer.drain()
    except ConnectionError:
        pass  # it was refused
    finally:
        writer.close()
