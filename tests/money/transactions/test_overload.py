import asyncio

from conftest import FreshApi
from support.api import posted, problem
from support.database_faults import FaultyDatabase
from support.polling import wait_until

from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.metrics import CommitMetrics


async def test_more_than_the_queue_holds_is_refused_with_retry_after(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    admin, faulty, metrics = api.admin, FaultyDatabase(api.app.state.database), CommitMetrics()
    wallet = (await admin.wallet("10"))["wallet_id"]
    api.app.state.ledger = Ledger(faulty, Limits(lanes=1, queue_operations=2), metrics)
    async with faulty.paused():
        first = asyncio.create_task(admin.move("consume", wallet, "1"))
        await faulty.wait_for_calls(1)
        waiting = [asyncio.create_task(admin.move("consume", wallet, "1")) for _ in range(2)]
        await wait_until(lambda: metrics.registry.get_sample_value("wallet_commit_queued_operations") == 2)
        refused = await admin.move("consume", wallet, "1")
        assert problem(refused, "overloaded")["retryable"] is True
        assert refused.headers["Retry-After"] == "1"
    for answer in await asyncio.gather(first, *waiting):
        posted(answer)
    assert await admin.balance(wallet) == "7.000000"


async def test_a_unit_that_waits_too_long_is_refused_with_retry_after(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    admin, faulty = api.admin, FaultyDatabase(api.app.state.database)
    wallet = (await admin.wallet("10"))["wallet_id"]
    api.app.state.ledger = Ledger(faulty, Limits(lanes=1, queue_wait_ms=20))
    async with faulty.paused():
        first = asyncio.create_task(admin.move("consume", wallet, "1"))
        await faulty.wait_for_calls(1)
        refused = await admin.move("consume", wallet, "1")
        problem(refused, "overloaded")
        assert refused.headers["Retry-After"] == "1"
    posted(await first)
    assert await admin.balance(wallet) == "9.000000"


async def test_the_end_answers_what_was_taken(fresh_api: FreshApi) -> None:
    """The application's own ledger is what its lifespan waits for."""
    api = await fresh_api()
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    waiting = [asyncio.create_task(api.admin.move("consume", wallet, "1")) for _ in range(20)]
    await asyncio.gather(*waiting[:1])
    await api.app.state.ledger.close()
    codes = [
        answer.status_code if answer.is_success else answer.json()["code"]
        for answer in await asyncio.gather(*waiting)
    ]
    assert set(codes) <= {201, "insufficient_funds", "unavailable"}
    assert await api.admin.balance(wallet) == f"{10 - codes.count(201)}.000000"
    problem(await api.admin.move("consume", wallet, "1"), "unavailable")
