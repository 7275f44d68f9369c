"""A reader of server-sent events of the application in process."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.types import Message

from support.api import ROOT, Client

WAIT_S = 60
"""More than any of it takes on a busy machine."""


@dataclass(frozen=True)
class Block:
    """A server-sent event.

    Attributes:
        data: None for a block that names a place only.
    """

    event: str | None
    id: str | None
    data: Any
    comment: str | None


class StreamReader:
    """An open stream. What has arrived is read with ``next``, ``event`` and ``end``."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.last_id: str | None = None
        self.paused = asyncio.Event()
        self.paused.set()
        self._blocks: asyncio.Queue[Block | None] = asyncio.Queue()
        self._rest = b""
        self.started = asyncio.Event()

    async def send(self, message: Message) -> None:
        """Take what the application sends; while paused, not at all."""
        await self.paused.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.started.set()
            return
        self.body += message.get("body", b"")
        *blocks, self._rest = (self._rest + message.get("body", b"")).split(b"\n\n")
        for block in blocks:
            self._blocks.put_nowait(_parsed(block.decode()))
        if not message.get("more_body", False):
            self._blocks.put_nowait(None)

    async def next(self) -> Block | None:
        """The next block; None at the end of the stream."""
        async with asyncio.timeout(WAIT_S):
            block = await self._blocks.get()
        if block is not None and block.id is not None:
            self.last_id = block.id
        return block

    async def event(self) -> dict[str, Any]:
        """The next CloudEvent."""
        while (block := await self.next()) is not None:
            if block.data is not None:
                assert block.event == block.data["type"]
                return block.data
        raise AssertionError("the stream has ended")

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The next CloudEvents."""
        return [await self.event() for _ in range(count)]

    async def end(self) -> None:
        """Return when the stream has ended, whatever comes before."""
        while await self.next() is not None:
            pass


def _parsed(text: str) -> Block:
    fields: dict[str, str] = {}
    comment = None
    for line in text.split("\n"):
        if line.startswith(":"):
            comment = line[1:].strip()
        else:
            name, _, value = line.partition(": ")
            fields[name] = value
    data = fields.get("data")
    return Block(fields.get("event"), fields.get("id"), None if data is None else json.loads(data), comment)


@asynccontextmanager
async def streaming(
    client: Client, *, last_id: str | None = None, headers: Mapping[str, str] | None = None, **query: Any
) -> AsyncIterator[StreamReader]:
    """A stream of this caller, closed by it at the end. Its first block, which names the place, has arrived."""
    reader = StreamReader()
    left = asyncio.Event()
    is_asked = False
    sent = {**client.headers, **(headers or {})}
    if last_id is not None:
        sent["Last-Event-ID"] = last_id

    async def receive() -> Message:
        nonlocal is_asked
        if not is_asked:
            is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": f"{ROOT}/events/stream",
        "query_string": urlencode(query, doseq=True).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }
    task = asyncio.create_task(client.app(scope, receive, reader.send))
    try:
        async with asyncio.timeout(WAIT_S):
            await reader.started.wait()
        if reader.status == 200:
            place = await reader.next()
            assert place is not None
            assert place.data is None
        yield reader
    finally:
        left.set()
        reader.paused.set()
        await asyncio.wait_for(task, WAIT_S)
