"""What a type checker sees of the SDK; pyright reads this file, nobody runs it."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import assert_type

from wallet_client import (
    AsyncWalletClient,
    BatchResult,
    Entry,
    InsufficientFunds,
    Operation,
    Page,
    Transaction,
    UsageMeter,
    Wallet,
    WalletClient,
)
from wallet_client.sums import Currency, WalletStatistics


def waits(client: WalletClient) -> None:
    """The sync client."""
    wallet = client.create_wallet(user_id="u", initial_balance=1000, currency="CREDIT")
    assert_type(wallet, Wallet)
    assert_type(client.wallets.get(wallet.wallet_id), Wallet)
    assert_type(client.consume(wallet.wallet_id, amount=50), Transaction)
    assert_type(client.transactions.batch([Operation.consume("w", "1")], atomic=True), list[BatchResult])
    assert_type(iter(client.transactions.list(wallet_id="w")), Iterator[Entry])
    assert_type(client.wallets.list(user_id="u").pages(), Iterator[Page[Wallet]])
    assert_type(client.statistics.wallet("w"), WalletStatistics)
    assert_type(client.list_currencies(), list[Currency])
    client.consume("w", 0.1)  # pyright: ignore[reportArgumentType]
    client.consume("w", 1, reason="x")  # pyright: ignore[reportCallIssue]
    client.wallets.update("w", status="closed")  # pyright: ignore[reportArgumentType]
    wallet.balance = Decimal(1)  # pyright: ignore[reportAttributeAccessIssue]


async def awaits(client: AsyncWalletClient) -> None:
    """The async client."""
    assert_type(await client.create_wallet(user_id="u", initial_balance=1000, currency="CREDIT"), Wallet)
    assert_type(await client.transactions.deposit("w", "1"), Transaction)
    assert_type(aiter(client.list_transactions(user_id="u")), AsyncIterator[Entry])
    assert_type(client.wallets.list().pages(), AsyncIterator[Page[Wallet]])
    try:
        await client.credits.consume("u", Decimal(1))
    except InsufficientFunds as error:
        assert_type(error.shortfall, Decimal)
    client.get_wallet()  # pyright: ignore[reportCallIssue, reportUnusedCoroutine]


def meters(client: WalletClient, other: AsyncWalletClient) -> None:
    """A meter takes the client of its kind."""
    with UsageMeter(client, on_refused=print, on_unsent=print, max_delay_s=5) as meter:
        assert_type(meter.record("w", 1), str)
    UsageMeter(other, on_refused=print, on_unsent=print)  # pyright: ignore[reportArgumentType]
    UsageMeter(client, on_refused=print, on_unsent=print, max_delay=5)  # pyright: ignore[reportCallIssue]
