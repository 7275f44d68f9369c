"""New events for all streams of this process: one task reads them, however many readers there are."""

import asyncio
import contextlib
from collections.abc import Generator

import structlog

from wallet_service.core.errors import ValidationFailed, WalletError
from wallet_service.delivery.events.cloud_events import Event
from wallet_service.delivery.events.problems import CursorExpired
from wallet_service.delivery.events.service import EventLog

READ_AT_ONCE = 500

MOST_KEPT = 4000
"""Newest events in memory. A reader that is further behind reads pages of its own."""

MOST_KEPT_BYTES = 4 * 2**20

_PAUSE_S = 1.0
"""After a failed read."""

_log = structlog.get_logger(__name__)


class EventFeed:
    """The newest events, while there are readers.

    Args:
        events: is read for all of them.
        poll_s: seconds between two reads at the end.
    """

    def __init__(self, events: EventLog, poll_s: float) -> None:
        self._events = events
        self._poll_s = poll_s
        self._kept: list[Event] = []
        self._kept_bytes = 0
        self._position: int | None = None
        self._news = asyncio.Event()
        self._readers = 0
        self._task: asyncio.Task[None] | None = None
        self._is_doubtful = False
        self.turns: list[int] = []
        """After a failover that lost events: the number to go back to, for streams that are beyond it."""
        self.is_stopping = False
        """Whether streams must end."""

    @property
    def readers(self) -> int:
        """How many there are."""
        return self._readers

    @contextlib.contextmanager
    def reading(self) -> Generator[None]:
        """Inside, new events are read."""
        self._readers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._readers -= 1
            if self._readers == 0:
                self._end()

    def since(self, number: int) -> list[Event] | None:
        """The events after a number that are in memory, all types; None if some of them are not."""
        if self._position is None or number < self._position - len(self._kept):
            return None
        return self._kept[len(self._kept) - (self._position - number) :] if number < self._position else []

    async def wait(self, number: int, longest_s: float) -> None:
        """Return when there may be events after a number, or after some seconds."""
        if self.is_stopping or (self._position is not None and self._position > number):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._news.wait()

    def stop(self) -> None:
        """End all streams, because the service stops."""
        self.is_stopping = True
        self._tell()

    async def close(self) -> None:
        """End the task."""
        self.stop()
        if (ended := self._end()) is not None:
            await asyncio.wait([ended])

    def _end(self) -> "asyncio.Task[None] | None":
        ended, self._task = self._task, None
        if ended is not None:
            ended.cancel()
            self._forget(None)
        return ended

    async def _run(self) -> None:
        is_logged = False
        while True:
            try:
                more = await self._read()
                is_logged = False
            except Exception as error:  # noqa: BLE001 - without this task all streams would wait for ever
                if not is_logged:
                    reason = error.code if isinstance(error, WalletError) else None
                    cause = None if reason else error
                    meaning = "streams wait until they are"
                    _log.warning("events_not_read", reason=reason, meaning=meaning, exc_info=cause)
                is_logged, more, self._is_doubtful = True, False, True
                await asyncio.sleep(_PAUSE_S)
            if not more:
                await asyncio.sleep(self._poll_s)

    async def _read(self) -> bool:
        """Read the next events. Returns whether there are more."""
        if self._position is None:
            latest = (await self._events.read(None, 1)).latest
            self._forget(latest)
            if latest > 0:
                await self._keep_last(latest)
            self._tell()
            return False
        if self._is_doubtful:
            await self._compare(self._position)
            self._is_doubtful = False
        try:
            page = await self._events.read(self._position, READ_AT_ONCE)
        except CursorExpired:  # after an outage that was longer than events are kept
            self._forget(None)
            return True
        if page.events:
            self._kept += page.events
            self._kept_bytes += sum(len(event.data) for event in page.events)
            self._position = page.after
            while len(self._kept) > MOST_KEPT or self._kept_bytes > MOST_KEPT_BYTES:
                dropped, self._kept = self._kept[:READ_AT_ONCE], self._kept[READ_AT_ONCE:]
                self._kept_bytes -= sum(len(event.data) for event in dropped)
            self._tell()
        return page.more

    async def _keep_last(self, latest: int) -> None:
        """Keep the newest event, by which a failover is noticed that loses it."""
        with contextlib.suppress(CursorExpired):
            page = await self._events.read(latest - 1, 1)
            if page.events and page.events[0].number == latest:
                self._kept, self._kept_bytes = page.events, len(page.events[0].data)

    async def _compare(self, position: int) -> None:
        """After failed reads: go back to the newest event that the database still has.

        A standby that becomes the primary may lack the last events. Others have got their numbers then.
        """
        if self._kept and await self._has(self._kept[-1]):
            return
        latest = (await self._events.read(None, 1)).latest
        low, high = 0, len(self._kept)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if await self._has(self._kept[middle]) else (low, middle)
        common = min(position - len(self._kept) + low, latest)
        if common < position:
            _log.warning(
                "events_lost", meaning="the database lacks events that it had", streams_go_back_to=common
            )
            kept = self._kept[:low]
            self._forget(common)
            self._kept, self._kept_bytes = kept, sum(len(event.data) for event in kept)
            self.turns.append(common)
            self._tell()

    async def _has(self, event: Event) -> bool:
        """Whether the database has this event in its place."""
        try:
            page = await self._events.read(event.number - 1, 1)
        except (ValidationFailed, CursorExpired):  # there is no such number
            return False
        return bool(page.events) and page.events[0].event_id == event.event_id

    def _forget(self, position: int | None) -> None:
        self._kept, self._kept_bytes, self._position = [], 0, position

    def _tell(self) -> None:
        """Wake the readers that wait now."""
        self._news.set()
        self._news = asyncio.Event()
