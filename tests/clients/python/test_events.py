"""client.events against the real service: pages, and a stream that resumes by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from conftest import FreshApi
from support.api import ADMIN_KEY, Api
from support.sdk import listening
from wallet_client import AsyncWalletClient, Event, Unauthorized, ValidationFailed, WalletClient
from wallet_client._sse import LineReader


@pytest.fixture
async def own(fresh_api: FreshApi) -> Api:
    return await fresh_api(events_poll_ms=20)


class Wire:
    """Passes connections on to the service, and cuts them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ends = {writer, upstream_writer}
        self._writers |= ends
        try:
            await asyncio.gather(_pass(reader, upstream_writer), _pass(upstream_reader, writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.close()

    def cut(self) -> None:
        """End every connection, in the middle of whatever it carries."""
        for writer in self._writers:
            writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    wire = Wire(int(url.rpartition(":")[2]))
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    async with server:
        yield wire, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        wire.cut()


async def test_a_stream_goes_on_after_lost_connections(own: Api) -> None:
    wallet = await own.admin.wallet("100", currency="USD")
    async with (
        listening(own.app) as url,
        wire_to(url) as (wire, address),
        AsyncWalletClient(address, api_key=ADMIN_KEY) as client,
    ):
        begun = client.events.list(types=["transaction.posted"])
        assert [event.data["amount"] async for event in begun] == ["100.00"]
        stream = client.events.stream(types=["transaction.posted"], after=begun.cursor)
        seen: list[Event] = []
        for amount in range(1, 11):
            await own.admin.move("consume", wallet["wallet_id"], amount)
            seen.append(await anext(stream))
            if amount % 3 == 0:
                wire.cut()
        assert [Decimal(event.data["amount"]) for event in seen] == list(range(1, 11))
        assert [event.sequence for event in seen] == sorted({event.sequence for event in seen})
        assert [event.wallet_version for event in seen] == list(range(2, 12))
        assert wire.connections > 3
        again = client.events.stream(types=["transaction.posted"], after=seen[4].cursor)
        assert await anext(again) == seen[5]
        await again.aclose()
        await stream.aclose()


async def test_a_thread_reads_a_stream(own: Api) -> None:
    wallet = await own.admin.wallet("100", currency="USD")
    arrived = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()
    async with listening(own.app) as url, wire_to(url) as (wire, address):

        def read() -> list[Event]:
            seen: list[Event] = []
            with WalletClient(address, api_key=ADMIN_KEY) as client:
                begun = client.events.list(wallet_id=wallet["wallet_id"], types=["transaction.posted"])
                assert len(list(begun)) == 1
                loop.call_soon_threadsafe(arrived.release)
                stream = client.events.stream(
                    wallet_id=wallet["wallet_id"], types=["transaction.posted"], after=begun.cursor
                )
                for event in stream:
                    seen.append(event)
                    loop.call_soon_threadsafe(arrived.release)
                    if len(seen) == 3:
                        break
            return seen

        reading = asyncio.create_task(asyncio.to_thread(read))
        for amount in ("1", "2", "3"):
            await arrived.acquire()
            wire.cut()
            await own.admin.move("consume", wallet["wallet_id"], amount)
        seen = await reading
    assert [event.data["amount"] for event in seen] == ["1.00", "2.00", "3.00"]
    assert [event.wallet_version for event in seen] == [2, 3, 4]


async def test_separators_of_unicode_do_not_end_a_line(own: Api) -> None:
    wallet = await own.admin.wallet("100", currency="USD")
    metadata = {"text": "a\x85b\u2028c\u2029de"}
    async with listening(own.app) as url, AsyncWalletClient(url, api_key=ADMIN_KEY) as client:
        stream = client.events.stream(types=["transaction.posted"], after=await _newest(client))
        answer = await own.admin.move("consume", wallet["wallet_id"], "1", metadata=metadata)
        assert answer.status_code == 201, answer.text
        event = await anext(stream)
        assert event.data["metadata"] == metadata
        await stream.aclose()

        def read() -> Event:
            with WalletClient(url, api_key=ADMIN_KEY) as blocking:
                begun = blocking.events.list(types=["transaction.posted"], page_size=1)
                first = next(iter(begun.pages()))
                return next(blocking.events.stream(types=["transaction.posted"], after=first.next_cursor))

        assert await asyncio.to_thread(read) == event


async def _newest(client: AsyncWalletClient) -> str | None:
    begun = client.events.list(types=["transaction.posted"])
    async for _ in begun.pages():
        pass
    return begun.cursor


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_found_wherever_the_bytes_are_cut(size: int) -> None:
    text = "a\r\n\r\nb\n\nc\r\rd\u2028é\n\r\ne\r\n"
    data = text.encode()
    reader = LineReader()
    found = [line for at in range(0, len(data), size) for line in reader.add(data[at : at + size])]
    assert found == ["a", "", "b", "", "c", "", "d\u2028é", "", "e"]


async def test_what_the_service_refuses_ends_the_call(own: Api) -> None:
    await own.admin.wallet("1")
    await own.admin.wallet("1")
    async with listening(own.app) as url, AsyncWalletClient(url, api_key=ADMIN_KEY) as client:
        types = [entry.type for entry in await client.events.types()]
        assert "transaction.posted" in types
        with pytest.raises(ValidationFailed):
            await anext(client.events.stream(types=["wallet.eaten"]))
        with pytest.raises(ValidationFailed):
            [event async for event in client.events.list(after="nowhere")]
        with pytest.raises(TypeError):
            client.events.list(types="transaction.posted")
        pages = [page async for page in client.events.list(page_size=1).pages()]
        assert [len(page.items) for page in pages[:2]] == [1, 1]
        assert [page.has_more for page in pages] == [True] * (len(pages) - 1) + [False]
        async with AsyncWalletClient(url, api_key="wsk_" + "0" * 32 + "_" + "A" * 43) as stranger:
            with pytest.raises(Unauthorized):
                await anext(stranger.events.stream(after=pages[0].next_cursor))
