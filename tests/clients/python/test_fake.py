"""FakeWallet as its users have it: the real clients, failures on request, a clock, and where it ends."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_type_hints

import httpx
import pytest
import wallet_client
from wallet_client import (
    InsufficientFunds,
    NewEntry,
    Operation,
    OutcomeUnknown,
    Posted,
    RateLimited,
    WalletClient,
)
from wallet_client.testing import FakeWallet, NotInFakeWallet

ID = "0199d0a8-0000-7000-8000-0000000000aa"


@pytest.fixture
def fake() -> FakeWallet:
    return FakeWallet()


def test_the_sync_client_works_on_it_unmodified(fake: FakeWallet) -> None:
    with WalletClient("http://wallet", api_key="x", transport=fake) as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=100)
        spent = client.consume(wallet.wallet_id, "2.5", reference="invoice-1", metadata={"n": Decimal("1.0")})
        assert (spent.balance_after, spent.client_id) == (Decimal("97.5"), "fake")
        with pytest.raises(InsufficientFunds) as refused:
            client.consume(wallet.wallet_id, amount=1000)
        assert refused.value.shortfall == Decimal("902.5")
        client.transactions.refund(spent.transaction_id)
        kinds = [row.transaction_type for row in client.transactions.list(user_id="ada", page_size=1)]
        assert kinds == ["refund", "consume", "deposit"]
    # Closing the client leaves the wallet as it is.
    with fake.client() as another:
        assert another.wallets.get(wallet.wallet_id).balance == fake.balance("ada") == 100


def test_the_types_of_its_parameters_can_be_asked_for() -> None:
    assert get_type_hints(FakeWallet.client)["return"] is WalletClient
    assert get_type_hints(FakeWallet.async_client)["return"] is wallet_client.AsyncWalletClient


async def test_the_async_client_works_on_it_unmodified(fake: FakeWallet) -> None:
    async with fake.async_client() as client:
        wallet = await client.create_wallet(user_id="ada/with:a slash", initial_balance=1000, currency="JPY")
        await asyncio.gather(*(client.consume(wallet.wallet_id, amount=1) for _ in range(50)))
        assert (await client.get_balance(wallet.wallet_id)).balance == 950
        named = [each.wallet_id async for each in client.wallets.list(user_id="ada")]
        assert named == []
    assert fake.balance("ada/with:a slash", "JPY") == 950
    assert fake.balance("ada/with:a slash") == 0


def test_threads_share_it(fake: FakeWallet) -> None:
    with fake.client() as client, ThreadPoolExecutor(8) as threads:
        wallet_id = client.create_wallet(user_id="ada", initial_balance=100).wallet_id

        def spend(number: int) -> int:
            del number
            results = client.transactions.batch([Operation.consume(wallet_id, 1)] * 2)
            return sum(isinstance(result, Posted) for result in results)

        assert sum(threads.map(spend, range(80))) == 100
    assert fake.balance("ada") == 0


@pytest.mark.parametrize("what", [503, 429, 502, httpx.ConnectError, httpx.ReadTimeout("slow")])
def test_the_next_requests_fail(fake: FakeWallet, what: int | type[Exception] | Exception) -> None:
    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=10)
        fake.fail_next(what, times=2)
        client.consume(wallet.wallet_id, amount=1)
        tries = fake.calls[1:]
        assert [call.status == 201 for call in tries] == [False, False, True]
        assert len({call.idempotency_key for call in tries}) == 1
        assert fake.balance("ada") == 9


def test_an_answer_is_lost_after_the_request_was_done(fake: FakeWallet) -> None:
    with fake.client(max_retries=0) as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=10)
        fake.fail_next(httpx.ReadTimeout, after=True)
        with pytest.raises(OutcomeUnknown) as unknown:
            client.consume(wallet.wallet_id, amount=1)
        assert fake.balance("ada") == 9
        again = client.consume(wallet.wallet_id, amount=1, idempotency_key=unknown.value.idempotency_key)
        assert again.replayed
        assert fake.balance("ada") == 9


def test_a_made_up_refusal_says_when_to_come_back(fake: FakeWallet) -> None:
    fake.fail_next(429, retry_after_s=7)
    with fake.client(max_retries=0) as client, pytest.raises(RateLimited) as refused:
        client.wallets.get(wallet_client.new_key())
    assert (refused.value.retry_after_s, refused.value.scope) == (7, "client")
    with pytest.raises(ValueError, match="418"):
        fake.fail_next(418)


def test_the_clock_is_the_tests() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with FakeWallet(clock=lambda: moment).client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=10)
        assert wallet.created_at == moment
        moment += timedelta(days=1)
        assert client.consume(wallet.wallet_id, amount=1).created_at == moment
        moment -= timedelta(days=2)
        # The rows of a wallet never go back in time.
        assert client.consume(wallet.wallet_id, amount=1).created_at == moment + timedelta(days=2)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.wallets.balance(ID, at=datetime(2026, 1, 1, tzinfo=UTC)),
        lambda client: client.wallets.balance(ID, by="effective"),
        lambda client: client.wallets.create(user_id="ada", keeping="mirrored"),
        lambda client: client.wallets.create(user_id="ada", keeping="mirrored", initial_balance="-5"),
        lambda client: client.transactions.adjust(ID, balance=5, reason="count"),
        lambda client: client.transactions.post("payment", [NewEntry.debit(ID, 1, "external:shop")]),
        lambda client: client.transactions.batch([Operation.adjust(ID, balance=5, reason="count")]),
        lambda client: client.transactions.batch(
            [Operation.post("payment", [NewEntry.debit(ID, 1, "external:shop")])]
        ),
        lambda client: list(client.transactions.list(wallet_id=ID, by="effective")),
        lambda client: list(client.wallets.list()),
        lambda client: list(client.wallets.list(user_id="ada", currency="CREDIT")),
        lambda client: list(client.transactions.list(wallet_id=ID, reference="r")),
        lambda client: client.credits.balance("ada"),
        lambda client: client.credits.consume("ada", 1),
        lambda client: client.statistics.wallet(ID),
        lambda client: client.statistics.user("ada"),
        lambda client: client.statistics.service(),
        lambda client: client.statistics.trial_balance(),
        lambda client: client.statistics.currencies(),
        lambda client: list(client.audit.list()),
        lambda client: client.transactions.batch([Operation({"type": "gift"})]),
        lambda client: client.transactions.batch(
            [Operation({**Operation.consume(ID, 1).members, "rating": 5})]
        ),
    ],
)
def test_it_names_the_real_service_where_it_ends(
    fake: FakeWallet, call: Callable[[WalletClient], object]
) -> None:
    with fake.client() as client:
        with pytest.raises(
            NotInFakeWallet, match=r"fixture `real_wallet` of wallet_client\.testing\.pytest_plugin"
        ):
            call(client)
        assert len(fake.calls) == 1  # and not sent again


def test_a_users_token_is_no_key_that_may_do_everything(fake: FakeWallet) -> None:
    token = "e30.eyJzdWIiOiAiYWRhIn0.signature"
    with (
        WalletClient("http://wallet", api_key=token, transport=fake) as client,
        pytest.raises(NotInFakeWallet, match="tokens of users"),
    ):
        client.create_wallet(user_id="ada")
