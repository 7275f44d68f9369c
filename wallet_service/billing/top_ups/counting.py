"""The worker's loop that shows the state of top-ups as metrics."""

import asyncio
import contextlib
from typing import Any

from wallet_service.billing.top_ups.repository import TopUpSteps

COUNT_S = 15.0
"""Seconds between two counts."""


async def show_top_ups(state: Any, stopping: asyncio.Event) -> None:
    """Count the top-ups under way and the rules that have stopped, until the worker stops."""
    steps = TopUpSteps(state.database)
    while not stopping.is_set():
        state.top_up_metrics.counted(await steps.counts())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COUNT_S):
                await stopping.wait()
