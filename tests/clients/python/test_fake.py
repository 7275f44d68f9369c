"""FakeWallet in the hands of those who test with it: the real clients, made-up failures, a clock."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_type_hints

import httpx
import jwt
import pytest
import wallet_client
from wallet_client import (
    Forbidden,
    InsufficientFunds,
    Operation,
    OutcomeUnknown,
    Posted,
    RateLimited,
    Unauthorized,
    WalletClient,
    WalletNotFound,
)
from wallet_client.testing import FakeWallet


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
    fake.check()


def test_the_types_of_its_parameters_can_be_asked_for() -> None:
    assert get_type_hints(FakeWallet.client)["return"] is WalletClient
    assert get_type_hints(FakeWallet.async_client)["return"] is wallet_client.AsyncWalletClient


async def test_a_user_sees_and_spends_what_is_theirs(fake: FakeWallet) -> None:
    with fake.client() as service, fake.client(user_id="ada") as ada:
        wallet = ada.create_wallet(user_id="ada")
        service.deposit(wallet.wallet_id, 10)
        assert ada.consume(wallet.wallet_id, 4).client_id == "user:|ada"
        with pytest.raises(Forbidden):
            ada.deposit(wallet.wallet_id, 10)
        async with fake.async_client(user_id="bob") as bob:
            with pytest.raises(WalletNotFound):
                await bob.get_wallet(wallet.wallet_id)
    token = jwt.encode({"sub": "ada", "exp": fake.now() + timedelta(minutes=5)}, "whoever signs it" * 2)
    with WalletClient("http://wallet", api_key=token, transport=fake) as ada:
        assert ada.get_credits("ada").balance == 6
        fake.advance(timedelta(minutes=6))
        with pytest.raises(Unauthorized, match="expired"):
            ada.get_credits("ada")


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
    fake.check()


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


def test_the_clock_is_the_tests(fake: FakeWallet) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    fake.set_time(start)
    with fake.client() as client:
        wallet = client.create_wallet(user_id="ada", initial_balance=10)
        fake.advance(timedelta(days=1))
        spent = client.consume(wallet.wallet_id, amount=1)
        fake.advance(timedelta(days=1))
        assert (wallet.created_at, spent.created_at) == (start, start + timedelta(days=1))
        assert client.wallets.balance(wallet.wallet_id, at=start).balance == 10
    with pytest.raises(ValueError, match="offset"):
        fake.set_time(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the fault
    fake.set_time(None)
    assert fake.now() > start


@pytest.mark.parametrize(
    "call",
    [
        lambda http: http.get("/api/v1/users/ada/transactions", headers={"Accept": "text/csv"}),
        lambda http: http.post("/api/v1/wallets/import"),
    ],
)
def test_what_is_not_there_is_no_silent_success(
    fake: FakeWallet, call: Callable[[httpx.Client], httpx.Response]
) -> None:
    http = httpx.Client(transport=fake, base_url="http://wallet", headers={"Authorization": "Bearer x"})
    with pytest.raises(NotImplementedError):
        call(http)
