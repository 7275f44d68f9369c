"""A job as server-sent events: its present state, then each change, until it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from wallet_service.core.errors import Forbidden, Overloaded, Unauthorized, WalletError
from wallet_service.platform.jobs.problems import JobNotFound
from wallet_service.platform.jobs.repository import JobRepository

POLL_S = 1.0
HEARTBEAT_S = 15.0
RETRY_MS = 2000
RECHECK_S = 15.0
"""How often the caller of an open stream is checked again, in seconds."""
MOST_STREAMS = 100
"""Open streams of one instance: each reads its job every second."""

_ENDED = frozenset({"succeeded", "dead", "cancelled"})
_VOLATILE = "updated_at"


class JobStreams:
    """The open streams of this instance."""

    def __init__(self) -> None:
        self.open = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all streams, because the service stops."""
        self._stopping.set()

    def require_room(self) -> None:
        """Refuse one more stream if there are too many.

        Raises:
            Overloaded: there are.
        """
        if self.open >= MOST_STREAMS:
            raise Overloaded("Too many streams are open: read the job again and again instead")

    async def count(self, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """The stream, counted while it is open."""
        self.open += 1
        try:
            async for piece in stream:
                yield piece
        finally:
            self.open -= 1
            await stream.aclose()

    async def stops_within(self, seconds: float) -> bool:
        """Wait for some seconds; whether the service stops, at once when it does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()


async def events(
    jobs: JobRepository,
    first: bytes,
    client_id: str | None,
    streams: JobStreams,
    recheck: Callable[[], Awaitable[object]],
    *,
    poll_s: float = POLL_S,
) -> AsyncGenerator[bytes]:
    """The events of a job. The last one is ``end``; then the stream ends.

    It also ends, without that event, when the service stops and when the caller may no longer read jobs.

    Args:
        jobs: is read every second.
        first: the job as it was read for this request.
        client_id: as ``JobRepository.get``.
        streams: which end when the service stops.
        recheck: checks the caller again; raises ``Unauthorized`` or ``Forbidden``.
        poll_s: seconds between two reads.
    """
    document, sent = first, b""
    quiet_s = 0.0
    loop = asyncio.get_running_loop()
    checked_at = loop.time()
    while True:
        job: dict[str, Any] = json.loads(document)
        has_ended = job["status"] in _ENDED
        if has_ended or _without_time(job) != sent:
            sent = _without_time(job)
            quiet_s = loop.time()
            yield format_sse_event(
                data_str=document.decode(), event="end" if has_ended else "job", retry=RETRY_MS
            )
        elif loop.time() - quiet_s >= HEARTBEAT_S:
            quiet_s = loop.time()
            yield KEEPALIVE_COMMENT
        if has_ended:
            return
        if await streams.stops_within(poll_s):
            return
        try:
            if loop.time() - checked_at >= RECHECK_S:
                await recheck()
                checked_at = loop.time()
            document = await jobs.get(job["job_id"], client_id)
        except (JobNotFound, Unauthorized, Forbidden):
            return
        except WalletError:
            continue  # the database is unavailable for a while; heartbeats go on


def _without_time(job: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in job.items() if name != _VOLATILE}).encode()
