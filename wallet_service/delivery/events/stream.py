"""An open stream: server-sent events for one reader, as long as it may read them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import structlog
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from wallet_service.core.errors import Forbidden, Overloaded, Unauthorized, WalletError, WalletNotFound
from wallet_service.delivery.events.cloud_events import CloudEvents, Event
from wallet_service.delivery.events.feed import EventFeed
from wallet_service.delivery.events.metrics import EventsMetrics
from wallet_service.delivery.events.problems import CursorExpired
from wallet_service.delivery.events.repository import EventFilter
from wallet_service.delivery.events.service import EventLog, Viewer

HEARTBEAT_S = 15.0
RETRY_MS = 2000
RECHECK_S = 1.0
"""Seconds between two checks of the caller's rights."""

PAGE_EVENTS = 200
_PAUSE_S = 1.0
_ENDS = (Unauthorized, Forbidden, WalletNotFound, CursorExpired)
"""Problems that end a stream: the caller may no longer read, or can't go on at this place."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamParts:
    """What all streams of the process share.

    Attributes:
        events: for readers that are behind.
        feed: new events.
        cloud_events: writes them.
        metrics: counts them.
        most_streams: that may be open.
    """

    events: EventLog
    feed: EventFeed
    cloud_events: CloudEvents
    metrics: EventsMetrics
    most_streams: int

    def require_place(self) -> None:
        """Refuse another stream if as many are open as may be.

        Raises:
            Overloaded: they are.
        """
        if self.feed.readers >= self.most_streams:
            raise Overloaded("This instance has as many open streams as it may have")


class EventStream:
    """The stream of one reader.

    Args:
        parts: what all streams share.
        wanted: the reader's filter.
        after: the number to continue after; None: only new events.
        cursor_of: the cursor that names a number, for the reader's filter.
        check: who reads, checked again now; raises one of ``_ENDS`` if the caller may no longer read.
    """

    def __init__(
        self,
        parts: StreamParts,
        wanted: EventFilter,
        after: int | None,
        cursor_of: Callable[[int], str],
        check: Callable[[], Awaitable[Viewer]],
    ) -> None:
        self._parts = parts
        self._wanted = wanted
        self._after = after
        self._cursor_of = cursor_of
        self._check = check
        self._checked_at = float("-inf")
        self._viewer: Viewer | None = None

    def response(self) -> EventSourceResponse:
        """The response, whose body is the stream."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return _StreamResponse(self._parts, self._body(), headers)

    async def _body(self) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        try:
            async for piece in self._pieces(loop):
                yield piece
        except _ENDS as ended:
            # The response has begun, so it ends; the client gets the problem when it connects again.
            _log.info("stream_ended", reason=ended.code)

    async def _pieces(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[bytes]:
        feed = self._parts.feed
        turns = len(feed.turns)
        position = await self._begin()
        if position is None:
            return
        # A block without data names the place only: a client that is cut off now resumes here.
        yield format_sse_event(id=self._cursor_of(position), retry=RETRY_MS)
        sent_at = loop.time()
        while not feed.is_stopping:
            if turns < len(feed.turns):
                position, turns = min(position, *feed.turns[turns:]), len(feed.turns)
                yield format_sse_event(id=self._cursor_of(position))
            before = position
            blocks: list[bytes] = []
            try:
                position, blocks = await self._read(position, loop.time())
            except _ENDS:
                raise
            except WalletError:  # the database or a service is unavailable for a while
                await asyncio.sleep(_PAUSE_S)
            for block in blocks:
                yield block
            if blocks:
                self._parts.metrics.streamed(len(blocks))
                sent_at = loop.time()
            elif loop.time() - sent_at >= HEARTBEAT_S:
                sent_at = loop.time()
                yield format_sse_event(id=self._cursor_of(position), comment="heartbeat")
            if position == before:
                await feed.wait(position, RECHECK_S)

    async def _begin(self) -> int | None:
        """The number to continue after; None: the service stops."""
        while self._after is None and not self._parts.feed.is_stopping:
            try:
                return (await self._parts.events.read(None, 1)).latest
            except WalletError:
                await asyncio.sleep(_PAUSE_S)
        return self._after

    async def _read(self, position: int, now: float) -> tuple[int, list[bytes]]:
        """The number to continue after, and the next events as the reader gets them."""
        viewer = await self._recheck(now)
        events, position = await self._next(position, viewer)
        return position, [self._block(event, viewer) for event in events if await viewer.sees(event)]

    async def _next(self, position: int, viewer: Viewer) -> tuple[list[Event], int]:
        """The next events that are wanted, and the number to continue after."""
        found = self._parts.feed.since(position)
        if found is not None:
            types, wallet_id = self._wanted.types, self._wanted.wallet_id
            wanted = [
                event
                for event in found
                if (not types or event.type in types) and wallet_id in (None, event.wallet_id)
            ]
            return wanted, found[-1].number if found else position
        page = await self._parts.events.read(position, PAGE_EVENTS, viewer.narrowed(self._wanted))
        return page.events, page.after

    async def _recheck(self, now: float) -> Viewer:
        if self._viewer is None or now - self._checked_at >= RECHECK_S:
            self._viewer = await self._check()
            self._checked_at = now
        return self._viewer

    def _block(self, event: Event, viewer: Viewer) -> bytes:
        document = self._parts.cloud_events.document(event, for_owner=viewer.caller.is_user)
        return format_sse_event(
            data_str=document.decode(), event=event.type, id=self._cursor_of(event.number)
        )


class _StreamResponse(EventSourceResponse):
    """Counts the stream while it is open. It has its place from here on, so none is taken that no stream gives back."""

    def __init__(self, parts: StreamParts, body: AsyncGenerator[bytes], headers: dict[str, str]) -> None:
        super().__init__(body, headers=headers)
        self._parts = parts
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._parts.require_place()  # others may have opened streams since the route looked
        with self._parts.feed.reading(), self._parts.metrics.streams.track_inprogress():
            try:
                await super().__call__(scope, receive, send)
            finally:
                await self._body.aclose()
