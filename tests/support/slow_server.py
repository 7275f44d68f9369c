"""A server that sends its responses in parts, with pauses."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CREDITS = {
    "user_id": "u",
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "currency": "CREDIT",
    "balance": "1",
    "available_balance": "1",
}
RESPONSE = json.dumps(CREDITS).encode().ljust(2000)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n"


@asynccontextmanager
async def slow_server(head: bytes, part: bytes, parts: int, pause_s: float) -> AsyncIterator[str]:
    """Respond to each request with a head and then this many parts, each after a pause."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head)
                for number in range(parts):
                    await asyncio.sleep(pause_s)
                    writer.write(part[number * 200 : (number + 1) * 200] or b"a")
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
