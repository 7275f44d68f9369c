"""The types of the SDK, as a type checker sees them. Read by pyright and mypy; never run.

Each mistake has an ignore for each checker. Both report an ignore that is not needed: then the mistake is accepted.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import assert_type

from wallet_client import (
    AsyncPages,
    AsyncUsageMeter,
    AsyncWalletClient,
    Balance,
    BatchResult,
    Credits,
    Decided,
    Entry,
    InsufficientFunds,
    NewEntry,
    Operation,
    Page,
    Pages,
    Posted,
    Refused,
    Transaction,
    UsageMeter,
    Wallet,
    WalletClient,
)
from wallet_client.sums import Currency, ServiceStats, TrialBalance, UserStatistics, WalletStatistics


def threads(client: WalletClient) -> None:
    """Every method of the client for threads."""
    wallet = client.create_wallet(user_id="u", initial_balance=1000, currency="CREDIT")
    assert_type(wallet, Wallet)
    assert_type(client.wallets.create(user_id="u"), Wallet)
    assert_type(client.wallets.get(wallet.wallet_id), Wallet)
    assert_type(client.wallets.update("w", name="n", if_version=1), Wallet)
    assert_type(client.wallets.close("w"), Wallet)
    assert_type(client.wallets.balance("w"), Balance)
    assert_type(client.wallets.list(user_id="u"), Pages[Wallet])
    assert_type(client.wallets.list(user_id="u").pages(), Iterator[Page[Wallet]])
    assert_type(client.transactions.deposit("w", "1"), Transaction)
    assert_type(client.transactions.withdraw("w", 1), Transaction)
    assert_type(client.transactions.consume("w", Decimal(1)), Transaction)
    assert_type(client.transactions.reward("w", 1), Transaction)
    assert_type(client.transactions.fee("w", 1), Transaction)
    assert_type(client.transactions.transfer("w", "v", 1), Transaction)
    assert_type(client.transactions.refund("t"), Transaction)
    assert_type(client.transactions.adjust("w", balance="-1.5", reason="r"), Transaction)
    assert_type(client.transactions.adjust("w", amount=1, direction="debit", reason="r"), Transaction)
    assert_type(NewEntry.credit("w", "1", "fx:EUR-USD"), NewEntry)
    assert_type(client.transactions.post("exchange", [NewEntry.debit("w", 1, "fx:EUR-USD")]), Transaction)
    assert_type(Operation.adjust("w", balance=1, reason="r"), Operation)
    assert_type(Operation.post("payment", [NewEntry.debit("w", 1, "external:shop")]), Operation)
    assert_type(client.wallets.create(user_id="u", keeping="mirrored", initial_balance="-1").keeping, str)
    assert_type(client.wallets.balance("w", at="2026-11-01T00:00:00Z", by="effective"), Balance)
    assert_type(client.transactions.list(wallet_id="w", by="effective", type="adjustment"), Pages[Entry])
    assert_type(client.statistics.user("u", by="posted"), UserStatistics)
    assert_type(client.transactions.batch([Operation.consume("w", "1")], atomic=True), list[BatchResult])
    assert_type(client.transactions.get("t"), Transaction)
    assert_type(iter(client.transactions.list(wallet_id="w")), Iterator[Entry])
    assert_type(client.credits.balance("u"), Credits)
    assert_type(client.credits.consume("u", 1), Transaction)
    assert_type(client.statistics.wallet("w"), WalletStatistics)
    assert_type(client.statistics.user("u"), UserStatistics)
    assert_type(client.statistics.service(), ServiceStats)
    assert_type(client.statistics.trial_balance(), TrialBalance)
    assert_type(client.statistics.currencies(), list[Currency])
    assert_type(client.with_options(max_retries=0), WalletClient)
    assert_type(client.metrics.snapshot().by_name["consume"].calls, int)


def environment() -> None:
    """Address and key of the environment."""
    assert_type(WalletClient(), WalletClient)
    assert_type(AsyncWalletClient(max_retries=0, connect_budget_s=1), AsyncWalletClient)
    assert_type(WalletClient.from_consul(), WalletClient)


def moments(client: WalletClient) -> None:
    """A moment is text or a datetime, and no date and no number."""
    client.transactions.list(wallet_id="w", from_="2026-11-01T00:00:00Z", to=datetime.now(UTC))
    client.consume("w", 1, effective_at="2026-11-01T00:00:00Z")
    client.get_balance("w", at=datetime.now(UTC))
    # Each ignore shows that the line is refused: a checker reports one that is not needed.
    day, seconds = date(2026, 11, 1), 1793491200
    client.statistics.wallet("w", from_=day)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # shown
    client.list_transactions(wallet_id="w", to=seconds)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]  # shown


def flat(client: WalletClient) -> None:
    """The calls of older clients."""
    assert_type(client.get_wallet("w"), Wallet)
    assert_type(client.list_wallets(), Pages[Wallet])
    assert_type(client.get_balance("w"), Balance)
    assert_type(client.deposit("w", 1), Transaction)
    assert_type(client.withdraw("w", 1), Transaction)
    assert_type(client.consume("w", amount=50), Transaction)
    assert_type(client.transfer("w", "v", 1), Transaction)
    assert_type(client.refund("t", "1"), Transaction)
    assert_type(client.list_transactions(user_id="u"), Pages[Entry])
    assert_type(client.get_credits("u"), Credits)
    assert_type(client.consume_credits("u", 1), Transaction)


def mistakes(client: WalletClient, wallet: Wallet) -> None:
    """A wrong call is an error for the checker: a signature of Any would accept all of these."""
    client.consume("w", 0.1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.consume("w", 1, reason="x")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.consume("w", amuont=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.transactions.deposit("w", 0.1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.transactions.withdraw(1, 1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.transactions.consume("w", "1", metadata="m")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.transactions.reward("w")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.transactions.fee("w", 1, dry=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Operation.withdraw("w", 0.1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Operation.refund("t", dry_run=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.transactions.adjust("w", balance=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.transactions.adjust("w", balance=0.1, reason="r")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.transactions.post("transfer", [])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.wallets.create(user_id="u", keeping="house")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.wallets.balance("w", by="now")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.wallets.update("w", status="closed")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.with_options(timeout=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    wallet.balance = Decimal(1)  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


async def asyncio_code(client: AsyncWalletClient) -> None:
    """The client for asyncio."""
    assert_type(await client.create_wallet(user_id="u", initial_balance=1000, currency="CREDIT"), Wallet)
    assert_type(await client.transactions.reward("w", "1"), Transaction)
    assert_type(await client.transactions.batch([Operation.fee("w", 1)]), list[BatchResult])
    assert_type(client.transactions.list(user_id="u"), AsyncPages[Entry])
    assert_type(aiter(client.list_transactions(user_id="u")), AsyncIterator[Entry])
    assert_type(client.wallets.list().pages(), AsyncIterator[Page[Wallet]])
    try:
        await client.credits.consume("u", Decimal(1))
    except InsufficientFunds as error:
        assert_type(error.shortfall, Decimal)
    await client.get_wallet()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def batches(results: list[BatchResult]) -> None:
    """A result of a batch is one of three."""
    for result in results:
        if isinstance(result, Refused):
            assert_type(result.error.index, int | None)
        elif isinstance(result, Posted):
            assert_type(result.transaction, Transaction)
        else:
            assert_type(result, Decided)
            assert_type(result.transaction, Transaction | None)


def meters(client: WalletClient, other: AsyncWalletClient) -> None:
    """A meter takes the client of its kind."""
    with UsageMeter(client, on_refused=print, on_unsent=print, max_delay_s=5) as meter:
        assert_type(meter.record("w", 1), str)
    AsyncUsageMeter(other, on_refused=print, on_unsent=print)
    UsageMeter(other, on_refused=print, on_unsent=print)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    UsageMeter(client, on_refused=print, on_unsent=print, max_delay=5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


CONSUME: Callable[[WalletClient, str, int], Transaction] = WalletClient.consume
