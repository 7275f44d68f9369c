"""What each worker does for exchange rates beside the jobs."""

import asyncio
import contextlib
from datetime import date
from typing import Any

from wallet_service.finance.fx.repository import RateRepository
from wallet_service.finance.fx.settings import FxSettings

_PAUSE_S = 300.0


async def keep_rates(state: Any, stopping: asyncio.Event) -> None:
    """Hand the settings to the database, enqueue the loading of the history if it is missing, show how old rates are.

    The history is not loaded by ``migrate``: two seconds and 28 MB for each database, also for those that never convert
    (``WALLET_FX_HISTORY``). A worker loads it in the background at its first start, so a new installation can convert
    seconds later.
    """
    settings: FxSettings = state.settings[FxSettings]
    rates = RateRepository(state.database)
    await rates.set_ages(settings.max_age_days, settings.stale_age_days)
    if settings.history and not (await rates.state()).has_history:
        # One job, however many workers start. If it dies, the daily job or a request does it.
        await state.jobs.enqueue("refresh_rates", key="history")
    while not stopping.is_set():
        if settings.url is not None:
            found = await rates.state()
            newest = date.fromisoformat(found.newest) if found.newest is not None else date.min
            state.fx_metrics.aged((date.fromisoformat(found.today) - newest).days)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PAUSE_S):
                await stopping.wait()
