"""What an operator sees of top-ups: what is under way, which rules have stopped, and each change by its type."""

import asyncio
import math
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from prometheus_client import CollectorRegistry
from support.api import ADMIN_KEY, posted
from support.clock import SettableClock

from wallet_service.billing.top_ups.counting import show_top_ups
from wallet_service.billing.top_ups.metrics import STOPPED_BY, UNDER_WAY, TopUpMetrics
from wallet_service.platform.jobs.lifespan import running_worker

from .conftest import Shop

NOON = datetime(2031, 6, 2, 12, tzinfo=UTC)


async def shown(shop: Shop) -> dict[str, float]:
    """The samples after one count by the worker's loop."""
    stopping = asyncio.Event()
    metrics = shop.api.app.state.top_up_metrics

    def counted(counts: object) -> None:
        metrics.counted(counts)
        stopping.set()

    state = SimpleNamespace(
        database=shop.api.app.state.database, top_up_metrics=SimpleNamespace(counted=counted)
    )
    await show_top_ups(state, stopping)
    await shop.api.app.state.events.events.keep()
    answer = await shop.api.http.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    found = re.findall(r'^(wallet_(?:top_up|changes)\w*)\{\w+="([\w.]+)"\} (\S+)$', answer.text, re.MULTILINE)
    return {f"{name} {label}": float(value) for name, label, value in found}


async def test_metrics_show_what_is_under_way_what_stopped_and_what_changed(
    timed_shop: Shop, clock: SettableClock
) -> None:
    shop = timed_shop
    await clock.set(NOON)
    before = await shown(shop)
    assert not any(value for name, value in before.items() if name.startswith("wallet_top_up")), before
    declined, pending, waiting = [(await shop.admin.wallet("10"))["wallet_id"] for _ in range(3)]
    app = shop.api.app
    async with running_worker(app.state, app.state.settings):
        await shop.set_rule(declined, payment_method="declined-1", max_declines=1)
        await shop.request(pending, payment_method="pending-1")
        await shop.until(declined, "declined")
        await shop.until(pending, "pending")
    await clock.advance(timedelta(seconds=600))
    await shop.request(waiting)
    posted(await shop.admin.move("consume", declined, "1"))

    after = await shown(shop)
    assert after["wallet_top_up_rules_stopped too_many_declines"] == 1
    assert after["wallet_top_up_rules_stopped rights_lost"] == 0
    assert (after["wallet_top_ups pending"], after["wallet_top_ups_oldest_seconds pending"]) == (1, 600)
    assert (after["wallet_top_ups created"], after["wallet_top_ups charging"]) == (1, 0)
    counted = {
        name: after[f"wallet_changes_total {name}"] - before[f"wallet_changes_total {name}"]
        for name in (
            "top_up.created",
            "top_up.declined",
            "top_up.pending",
            "top_up_rule.paused",
            "top_up.failed",
        )
    }
    assert counted == {
        "top_up.created": 3,
        "top_up.declined": 1,
        "top_up.pending": 1,
        "top_up_rule.paused": 1,
        "top_up.failed": 0,
    }


def test_every_series_is_there_from_the_start_and_says_that_it_was_not_read() -> None:
    registry = CollectorRegistry()
    metrics = TopUpMetrics(registry)
    series = [("wallet_top_ups", {"state": each}) for each in UNDER_WAY]
    series += [("wallet_top_up_rules_stopped", {"reason": each}) for each in STOPPED_BY]
    assert all(math.isnan(registry.get_sample_value(*each) or 0) for each in series)
    metrics.counted({"states": {}, "stopped": {}})
    assert {registry.get_sample_value(*each) for each in series} == {0}
