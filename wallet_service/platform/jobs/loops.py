"""The loops of rooms in a worker: work that goes on as long as the worker runs."""

import asyncio
import contextlib
import contextvars
from collections.abc import Sequence
from typing import Any

import structlog

from wallet_service.core.errors import WalletError
from wallet_service.core.room import Room, WorkerLoop

FIRST_PAUSE_S = 0.5
"""After a failure; the pause doubles with each further one in a row."""
_LONGEST_PAUSE_S = 10.0
_HEALTHY_S = 30.0
"""A loop that ran for so long before it failed begins again with the first pause."""

_log = structlog.get_logger(__name__)


class Loops:
    """Runs the loops of rooms from now on, until they are stopped.

    Args:
        state: of the application.
        rooms: that declare loops.
    """

    def __init__(self, state: Any, rooms: Sequence[Room]) -> None:
        self._state = state
        self._stopping = asyncio.Event()
        # In a context of its own: it belongs to no request.
        self._tasks = [
            asyncio.create_task(self._run(reference, room.load(reference)), context=contextvars.Context())
            for room in rooms
            for reference in room.worker_loops
        ]

    async def stop(self, grace_s: float) -> None:
        """Let the loops end, and cancel those that have not after some seconds."""
        self._stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _run(self, name: str, loop: WorkerLoop) -> None:
        clock = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = clock.time()
            try:
                await loop(self._state, self._stopping)
            except Exception as error:  # noqa: BLE001 - the worker must go on
                is_expected = isinstance(error, WalletError) and error.retryable
                log = _log.warning if is_expected else _log.error
                log(
                    "worker_loop_failed",
                    loop=name,
                    reason=str(error),
                    pause_s=pause_s,
                    exc_info=None if is_expected else error,
                )
            else:
                break
            if clock.time() - began > _HEALTHY_S:
                pause_s = FIRST_PAUSE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
