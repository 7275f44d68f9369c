"""Many debits over a network that cuts, delays and doubles requests: each is done once. ``scripts/soak`` sends more."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import FreshDatabase
from support.api import new_user
from support.network_faults import KINDS, faulty_network
from support.service import Service, serving
from support.soak import FACTOR
from wallet_client import AsyncWalletClient, WalletClient

KEY = "client-test-key-" + "k" * 32
PART = 0.05
HOLD_S = 1.5
TIMEOUT_S = 1.2
"""Shorter than what is held back, longer than a busy machine needs."""

WALLETS = 8
CLIENTS = 8
TASKS = 4


@pytest.fixture
async def service(fresh_database: FreshDatabase, own_folder: Path) -> AsyncIterator[Service]:
    settings = {
        "WALLET_DATABASE_URL": (await fresh_database()).service_dsn,
        "WALLET_MIGRATE_ON_START": "false",
        "WALLET_ADMIN_KEY": KEY,
        "WALLET_LOG_LEVEL": "warning",
    }
    with ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, serving(own_folder, **settings))


def amounts(debits: int) -> list[Decimal]:
    return [Decimal(number % 97 + 1) / 100 for number in range(debits)]


@pytest.mark.soak
async def test_debits_through_a_network_with_5_percent_faults(service: Service) -> None:
    debits = amounts(1_500 * FACTOR)
    async with (
        faulty_network(service.url, PART, delay_s=HOLD_S) as line,
        AsyncWalletClient(service.url, api_key=KEY) as direct,
        AsyncExitStack() as stack,
    ):
        wallets = [
            (await direct.create_wallet(user_id=new_user(), initial_balance=1000 * FACTOR)).wallet_id
            for _ in range(WALLETS)
        ]
        # Of several processes, say: httpx looks through all connections of a pool at every request.
        clients = [
            await stack.enter_async_context(
                AsyncWalletClient(line.url, api_key=KEY, timeout_s=TIMEOUT_S, max_retries=30)
            )
            for _ in range(CLIENTS)
        ]
        waiting = iter(enumerate(debits))

        async def debit(client: AsyncWalletClient) -> None:
            for number, amount in waiting:
                await client.consume(wallets[number % WALLETS], amount)

        await asyncio.gather(*(debit(client) for client in clients for _ in range(TASKS)))
        await line.wait_for_late_requests()

        left = [(await direct.get_balance(wallet)).balance for wallet in wallets]
        sums = await direct.statistics.service()
        assert left == [1000 * FACTOR - sum(debits[place::WALLETS]) for place in range(WALLETS)]
        # One row each for what was paid in, and one for each debit.
        assert sums.currencies[0].ledger_entries == WALLETS + len(debits)
        counted = [client.metrics.snapshot() for client in clients]
        assert sum(each.calls for each in counted) == len(debits)
        assert not any(each.errors for each in counted)
        assert sum(each.retries for each in counted) > PART * len(debits) / 2
        assert line.counts.keys() == set(KINDS)


@pytest.mark.soak
async def test_debits_of_threads_through_such_a_network(service: Service) -> None:
    debits = amounts(200 * FACTOR)
    async with faulty_network(service.url, 3 * PART, seed=2, delay_s=HOLD_S) as line:

        def debit_all() -> tuple[Decimal, int]:
            with (
                WalletClient(service.url, api_key=KEY) as direct,
                WalletClient(line.url, api_key=KEY, timeout_s=TIMEOUT_S, max_retries=30) as client,
                ThreadPoolExecutor(8) as threads,
            ):
                wallet = direct.create_wallet(user_id=new_user(), initial_balance=1000 * FACTOR).wallet_id
                posted = list(threads.map(lambda amount: client.consume(wallet, amount), debits))
                assert [each.amount for each in posted] == debits
                assert client.metrics.snapshot().retries > 0
                return direct.get_balance(wallet).balance, len(
                    list(direct.list_transactions(wallet_id=wallet))
                )

        left, rows = await asyncio.to_thread(debit_all)
        await line.wait_for_late_requests()

        assert left == 1000 * FACTOR - sum(debits)
        assert rows == 1 + len(debits)
        assert line.counts.keys() == set(KINDS)
