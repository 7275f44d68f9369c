"""A job as server-sent events: its present state, then each change, until it ends."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from wallet_service.core.errors import WalletError
from wallet_service.platform.jobs.problems import JobNotFound
from wallet_service.platform.jobs.repository import JobRepository

POLL_S = 1.0
HEARTBEAT_S = 15.0
RETRY_MS = 2000

_ENDED = frozenset({"succeeded", "dead", "cancelled"})
_VOLATILE = "updated_at"


async def events(
    jobs: JobRepository, first: bytes, client_id: str | None, *, poll_s: float = POLL_S
) -> AsyncGenerator[bytes]:
    """The events of a job. The last one is ``end``; then the stream ends.

    Args:
        jobs: is read every second.
        first: the job as it was read for this request.
        client_id: as ``JobRepository.get``.
        poll_s: seconds between two reads.
    """
    document, sent = first, b""
    quiet_s = 0.0
    loop = asyncio.get_running_loop()
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
        await asyncio.sleep(poll_s)
        try:
            document = await jobs.get(job["job_id"], client_id)
        except JobNotFound:
            return
        except WalletError:
            continue  # the database is unavailable for a while; heartbeats go on


def _without_time(job: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in job.items() if name != _VOLATILE}).encode()
