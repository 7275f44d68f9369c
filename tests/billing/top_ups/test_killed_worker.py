"""A worker is killed between the steps of a top-up: one charge, one deposit.

Each test holds the worker at one place, by an answer that does not come or by a row that another session has locked.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
from asyncpg.transaction import Transaction
from conftest import TestDatabase
from support.worker_process import WorkerProcess

from .conftest import Shop

_USED = """
insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)
values ('wallet-service:top-ups', $1, 'posting', gen_random_uuid(), '', now())
"""


async def started(stack: AsyncExitStack, shop: Shop, made: TestDatabase, folder: Path) -> WorkerProcess:
    """A worker in a process of its own."""
    settings = {"WALLET_PAYMENT_URL": shop.upstreams.url, "WALLET_UPSTREAM_TIMEOUT_MS": "60000"}
    worker = WorkerProcess(made.service_dsn, folder, **settings)
    stack.callback(worker.kill)
    await asyncio.to_thread(worker.wait_until_ready)
    return worker


async def kill(shop: Shop, worker: WorkerProcess) -> None:
    """Kill a worker, and let its leases end now."""
    await asyncio.to_thread(worker.kill)
    await shop.database.execute("update platform.jobs set lease_until = '-infinity' where status = 'running'")


async def check(shop: Shop, wallet_id: str) -> None:
    """One charge and one deposit, and nothing else."""
    (done,) = await shop.until(wallet_id, "completed")
    assert [each["payment_id"] for each in shop.charged()] == [done["payment_id"]]
    assert await shop.admin.balance(wallet_id) == "51.000000"
    events = ["created", "started", "charged", "completed"]
    assert await shop.events(wallet_id) == [f"top_up.{name}" for name in events]


async def test_killed_while_the_charge_is_under_way(
    local_shop: Shop, made: TestDatabase, tmp_path: Path
) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    async with AsyncExitStack() as stack:
        first = await started(stack, shop, made, tmp_path)
        await shop.request(wallet_id, payment_method="slow-1")
        await asyncio.wait_for(shop.upstreams.held.wait(), 60)
        assert len(shop.charged()) == 1
        await kill(shop, first)
        (held,) = await shop.top_ups(wallet_id)
        assert (held["state"], held["payment_id"]) == ("charging", None)
        await started(stack, shop, made, tmp_path)
        await check(shop, wallet_id)


async def held(stack: AsyncExitStack, made: TestDatabase, statement: str, *values: str) -> Transaction:
    """A transaction of another session that holds what this statement locks, until it is rolled back."""
    connection = await asyncpg.connect(made.dsn)
    stack.push_async_callback(connection.close)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(statement, *values)
    return transaction


async def test_killed_between_charge_deposit_and_record(
    local_shop: Shop, made: TestDatabase, tmp_path: Path
) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    top_up_id = (await shop.request(wallet_id))["top_up_id"]
    async with AsyncExitStack() as stack:
        key = await held(stack, made, _USED, f"top_up:{top_up_id}")
        first = await started(stack, shop, made, tmp_path)
        await shop.until(wallet_id, "charged")
        await kill(shop, first)
        assert await shop.admin.balance(wallet_id) == "1.000000"

        second = await started(stack, shop, made, tmp_path)
        await wait_for(shop, "select deposits_sent > 1 from billing.top_ups")
        record = await held(stack, made, "select from billing.top_ups for update")
        await key.rollback()
        await wait_for(shop, "select balance = 51 from wallet.wallets")
        await kill(shop, second)
        (posted,) = await shop.top_ups(wallet_id)
        assert posted["state"] == "charged"
        await record.rollback()
        await started(stack, shop, made, tmp_path)
        await check(shop, wallet_id)


async def wait_for(shop: Shop, query: str) -> None:
    async with asyncio.timeout(60):
        while not await shop.database.fetchval(query):  # noqa: ASYNC110 - of the database, which sends no event
            await asyncio.sleep(0.02)
