"""What is counted when nobody waits for it any more, or when the call itself fails."""

import asyncio
import contextlib

from prometheus_client import CollectorRegistry
from support.database_faults import FaultyDatabase
from support.ledger import consume, new_wallet

from wallet_service.core.errors import Unavailable
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Unit
from wallet_service.platform.database.gateway import Database


def counted(metrics: CommitMetrics) -> dict[str, float]:
    (metric,) = [each for each in metrics.registry.collect() if each.name == "wallet_postings"]
    return {
        sample.labels["outcome"]: sample.value
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.value
    }


async def test_a_caller_who_is_gone(database: Database) -> None:
    wallet, metrics = await new_wallet(database), CommitMetrics(CollectorRegistry())
    faulty = FaultyDatabase(database)
    ledger = Ledger(faulty, metrics=metrics)
    async with faulty.paused():
        caller = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        caller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await caller
    await ledger.close()
    assert counted(metrics) == {"posted": 1}


async def test_too_much_and_too_late(database: Database) -> None:
    wallet, metrics = await new_wallet(database), CommitMetrics(CollectorRegistry())
    faulty = FaultyDatabase(database)
    ledger = Ledger(faulty, Limits(queue_operations=1), metrics)
    async with faulty.paused():
        first = asyncio.create_task(ledger.post_one(consume(wallet)))
        await faulty.wait_for_calls(1)
        second = asyncio.create_task(ledger.post_one(consume(wallet)))
        await asyncio.sleep(0)
        too_much = Unit((consume(wallet), consume(wallet)))
        assert isinstance((await asyncio.gather(ledger.post(too_much), return_exceptions=True))[0], Exception)
    await asyncio.gather(first, second)
    await ledger.close()
    late = await asyncio.gather(ledger.post_one(consume(wallet)), return_exceptions=True)
    assert isinstance(late[0], Unavailable)
    assert counted(metrics) == {"posted": 2, "overloaded": 2, "unavailable": 1}
