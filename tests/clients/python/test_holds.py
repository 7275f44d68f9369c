"""Holds by the SDK, and the hold that is metered, against the real service."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from conftest import Locate, TestDatabase
from support.api import Api, new_user, open_api
from support.clock import SettableClock
from support.sdk import in_process, listening
from wallet_client import (
    AsyncWalletClient,
    Decided,
    HoldEnded,
    HoldExceeded,
    HoldLimit,
    HoldNotFound,
    InsufficientFunds,
    Operation,
    OutcomeUnknown,
    Refused,
    WalletClient,
)
from wallet_client.grants import Grant
from wallet_client.holds import Hold

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify

pytestmark = pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")

NOON = datetime(2031, 6, 2, 12, tzinfo=UTC)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[AsyncWalletClient]:
    async with in_process(api) as made:
        yield made


async def funded(client: AsyncWalletClient, balance: int = 10) -> str:
    wallet = await client.wallets.create(user_id=new_user(), currency="CREDIT", initial_balance=balance)
    return wallet.wallet_id


async def money(client: AsyncWalletClient, wallet_id: str) -> tuple[Decimal, Decimal]:
    wallet = await client.wallets.get(wallet_id)
    return wallet.balance, wallet.locked_balance


async def test_a_hold_is_placed_changed_and_captured(client: AsyncWalletClient) -> None:
    wallet_id = await funded(client)
    end = datetime.now(UTC) + timedelta(hours=2)
    hold = await client.holds.create(
        wallet_id, 4, expires_at=end, reference="job", metadata={"n": 1}, idempotency_key=new_id()
    )
    assert (hold.state, hold.amount, hold.remaining, hold.reference) == ("open", 4, 4, "job")
    assert hold.expires_at == end
    assert (await client.holds.increase(hold.hold_id, "1.5")).authorised == Decimal("5.5")
    assert (await client.holds.extend(hold.hold_id, expires_in_s=10_000)).expires_at > end
    with pytest.raises(HoldExceeded) as refused:
        await client.holds.capture(hold.hold_id, 6)
    assert (refused.value.remaining, refused.value.excess) == (Decimal("5.5"), Decimal("0.5"))
    assert refused.value.facts["available"] == "4.500000"
    dry = await client.holds.capture(hold.hold_id, 1, dry_run=True)
    assert dry.transaction.dry_run
    made = await client.holds.capture(hold.hold_id, 1, metadata={"m": 2}, idempotency_key="one")
    again = await client.holds.capture(hold.hold_id, 1, metadata={"m": 2}, idempotency_key="one")
    assert again == made
    assert again.transaction.replayed
    assert made.hold.captured == made.transaction.amount == 1
    assert made.transaction.metadata == {"m": 2, "hold_id": hold.hold_id}
    listed = [each async for each in client.holds.list(wallet_id, state="open", page_size=1)]
    assert listed == [await client.holds.get(hold.hold_id)]
    voided = await client.holds.void(hold.hold_id)
    assert (voided.state, voided.voided) == ("voided", Decimal("4.5"))
    with pytest.raises(HoldEnded):
        await client.holds.void(hold.hold_id)
    with pytest.raises(HoldNotFound):
        await client.holds.get(new_id())
    assert [each async for each in client.holds.list(wallet_id, from_=end)] == []


async def test_too_many_holds(service_dsn: str, driver: str) -> None:
    del driver
    async with open_api(service_dsn, holds_most_open=1) as api, in_process(api) as client:
        wallet_id = await funded(client)
        await client.holds.create(wallet_id, 1)
        with pytest.raises(HoldLimit):
            await client.holds.create(wallet_id, 1)


async def test_a_stream_is_metered(client: AsyncWalletClient) -> None:
    wallet_id = await funded(client)
    async with client.metered_hold(wallet_id, "1", reference="answer") as meter:
        assert await money(client, wallet_id) == (10, 1)
        for _ in range(1000):
            await meter.add("0.0025000001")
        assert meter.hold.authorised > 1, "the estimate was too low"
        assert meter.uncollected < Decimal("0.1"), "captured on the way"
    assert (meter.cost, meter.captured) == (Decimal("2.5000001"), Decimal("2.5"))
    assert await money(client, wallet_id) == (Decimal("7.5"), 0)
    entries = [each async for each in client.transactions.list(wallet_id=wallet_id, type="consume")]
    assert sum(each.amount for each in entries) == Decimal("2.5")
    assert len(entries) > 10
    assert {each.metadata["hold_id"] for each in entries} == {meter.hold.hold_id}
    async with client.metered_hold(wallet_id, 1) as unused:
        pass
    assert (unused.hold.state, unused.captured) == ("voided", 0)
    with pytest.raises(RuntimeError, match="begins with its block"):
        _ = client.metered_hold(wallet_id, 1).hold
    with pytest.raises(ValueError, match="never below 0"):
        await unused.add("-1")


async def test_an_error_releases_what_is_left(client: AsyncWalletClient) -> None:
    wallet_id = await funded(client)
    meter = client.metered_hold(wallet_id, 2)

    async def fail() -> None:
        async with meter:
            await meter.add("0.5")
            await meter.add("0.01")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (meter.hold.state, meter.captured) == ("voided", Decimal("0.5"))
    assert await money(client, wallet_id) == (Decimal("9.5"), 0)


async def test_a_wallet_that_can_not_pay_for_more(client: AsyncWalletClient) -> None:
    wallet_id = await funded(client, 3)
    meter = client.metered_hold(wallet_id, 2)

    async def spend() -> None:
        async with meter:
            for _ in range(100):
                await meter.add("0.3")

    with pytest.raises(InsufficientFunds):
        await spend()
    assert await money(client, wallet_id) == (0, 0), "it grows by less before it gives up"
    assert meter.captured == meter.cost == 3, "what came is captured"
    await client.deposit(wallet_id, "1.2")
    async with client.metered_hold(wallet_id, 1, step=10) as late:
        await late.add("1.5")
    assert late.captured == Decimal("1.2"), "the hold, and what was available beside it"
    assert late.uncollected == Decimal("0.3")


async def test_a_hold_that_another_caller_ended(client: AsyncWalletClient) -> None:
    wallet_id = await funded(client)
    meter = client.metered_hold(wallet_id, 1)

    async def spend() -> None:
        async with meter:
            await client.holds.void(meter.hold.hold_id)
            await meter.add("0.5")

    with pytest.raises(HoldEnded):
        await spend()
    assert meter.hold.state == "voided"
    assert meter.uncollected == Decimal("0.5")


class Losing(httpx.AsyncBaseTransport):
    """Carries requests out, and loses the response to one whose path ends so."""

    def __init__(self, api: Api) -> None:
        self._inner = httpx.ASGITransport(api.app)
        self.lost: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if self.lost is not None and request.url.path.endswith(self.lost):
            self.lost = None
            raise httpx.ReadError("lost", request=request)
        return response


async def test_a_capture_whose_response_was_lost_is_sent_again(api: Api) -> None:
    transport = Losing(api)
    async with AsyncWalletClient(
        "http://wallet", api_key=api.admin.headers["Authorization"][7:], transport=transport, max_retries=0
    ) as client:
        wallet_id = await funded(client)
        async with client.metered_hold(wallet_id, 1) as meter:
            transport.lost = "/capture"
            with pytest.raises(OutcomeUnknown):
                await meter.add("0.5")
            await meter.add("0.2")
        assert meter.captured == Decimal("0.7")
        assert await money(client, wallet_id) == (Decimal("9.3"), 0)

        async def fail() -> None:
            async with client.metered_hold(wallet_id, 1):
                transport.lost = "/void"
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as failed:
            await fail()
        (note,) = failed.value.__notes__
        assert "expires by itself" in note


async def test_the_hold_is_extended_on_the_way(
    client: AsyncWalletClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet_id = await funded(client)
    async with client.metered_hold(wallet_id, 1, expires_in_s=60) as meter:
        first, begun = meter.hold.expires_at, time.monotonic()
        await meter.add("0.01")
        assert meter.hold.expires_at == first
        monkeypatch.setattr(time, "monotonic", lambda: begun + 31)
        await meter.add("0.01")
        assert meter.hold.expires_at > first
        monkeypatch.undo()


async def test_grants_and_holds_in_a_batch(client: AsyncWalletClient) -> None:
    wallet_id = await funded(client, 2)
    granted, held, refused = await client.transactions.batch(
        [
            Operation.grant(
                wallet_id, "3.5", source="promotion", priority=1, expires_in_s=600, reference="a"
            ),
            Operation.hold(wallet_id, 4, reference="job", expires_in_s=60),
            Operation.hold(wallet_id, 100),
        ]
    )
    assert isinstance(granted, Decided)
    assert isinstance(held, Decided)
    assert isinstance(granted.result, Grant)
    assert isinstance(held.result, Hold)
    assert (granted.result.remaining, granted.result.reference) == (Decimal("3.5"), "a")
    assert granted.transaction is not None
    assert granted.transaction.transaction_id == granted.result.transaction_id
    assert (held.result.remaining, held.result.reference, held.transaction) == (4, "job", None)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, InsufficientFunds)

    hold_id, end = held.result.hold_id, datetime.now(UTC) + timedelta(hours=3)
    results = await client.transactions.batch(
        [
            Operation.increase_hold(wallet_id, hold_id, "0.5"),
            Operation.extend_hold(wallet_id, hold_id, expires_at=end),
            Operation.capture_hold(wallet_id, hold_id, "1.25", description="first"),
            Operation.void_hold(wallet_id, hold_id),
        ],
        atomic=True,
    )
    made = [each.result for each in results if isinstance(each, Decided) and isinstance(each.result, Hold)]
    assert [(each.authorised, each.remaining, each.state) for each in made] == [
        (Decimal("4.5"), Decimal("4.5"), "open"),
        (Decimal("4.5"), Decimal("4.5"), "open"),
        (Decimal("4.5"), Decimal("3.25"), "open"),
        (Decimal("4.5"), 0, "voided"),
    ]
    assert made[1].expires_at == end
    captured = results[2]
    assert isinstance(captured, Decided)
    assert captured.transaction is not None
    assert (captured.transaction.transaction_type, captured.transaction.amount) == (
        "consume",
        Decimal("1.25"),
    )
    assert await money(client, wallet_id) == (Decimal("4.25"), 0)


async def tokens(count: int) -> AsyncIterator[Decimal]:
    """The costs of the tokens of an answer, as a language model would stream them."""
    for _ in range(count):
        yield Decimal("0.1")


async def test_a_stream_over_two_grants_of_which_one_ends_meanwhile(
    timed_postgres: TestDatabase, clock: SettableClock, locate_database: Locate, driver: str
) -> None:
    """What the hold reserved of the grant that ends stays good for it; the rest of this grant goes to breakage.

    ``verify``, the explanation, the summary and the trial balance agree about it to the last digit.
    """
    del driver
    await clock.set(NOON)
    async with open_api(await locate_database(timed_postgres)) as api, in_process(api) as client:
        wallet_id = await funded(client, 0)
        ending = await client.grants.create(
            wallet_id, 3, source="purchase", expires_in_s=1800, unit_cost="0.03", cost_currency="USD"
        )
        lasting = await client.grants.create(
            wallet_id, 4, source="purchase", priority=200, unit_cost="0.0123", cost_currency="USD"
        )
        # A process that dies: nothing ends its hold.
        lost = client.metered_hold(wallet_id, "0.5", expires_in_s=1800)
        await lost.__aenter__()
        await lost.add("0.05")
        async with client.metered_hold(wallet_id, 2, expires_in_s=7200, reference="answer") as meter:
            await meter.add("0.5")
            await clock.advance(timedelta(minutes=30))
            async for cost in tokens(20):
                await meter.add(cost)
        assert meter.captured == meter.cost == Decimal("2.5")
        assert (await client.holds.get(lost.hold.hold_id)).state == "expired"
        first, second = [await client.grants.get(each.grant_id) for each in (ending, lasting)]
        assert (first.used, first.expired, first.remaining) == (Decimal("2.05"), Decimal("0.95"), 0)
        assert (second.used, second.remaining) == (Decimal("0.5"), Decimal("3.5"))
        assert await money(client, wallet_id) == (Decimal("3.5"), 0)
        await agrees(client, wallet_id, [first, second])

        lines: list[str] = []
        assert await verify(api.app.state.database, lines.append), lines


async def agrees(client: AsyncWalletClient, wallet_id: str, grants: list[Grant]) -> None:
    """The explanation, the summary and the trial balance agree with the wallet and its grants."""
    wallet = await client.wallets.get(wallet_id)
    used = sum((each.used for each in grants), Decimal(0))
    expired = sum((each.expired for each in grants), Decimal(0))
    left = sum((each.remaining for each in grants), Decimal(0))

    found = await client.billing.explain(wallet_id)
    moved = sum(
        (each.amount if each.direction == "credit" else -each.amount for each in found.movements), Decimal(0)
    )
    assert found.opening_balance + moved == found.balance == wallet.balance
    assert (found.granted, found.not_granted) == (left, wallet.balance - left)
    assert {each.grant_id: each.remaining for each in found.grants} == {
        each.grant_id: each.remaining for each in grants if each.remaining
    }
    assert (found.locked_balance, found.holds) == (wallet.locked_balance, ())

    summary = await client.billing.summary()
    (credit,) = [each for each in summary.currencies if each.currency == "CREDIT"]
    assert (credit.granted, credit.purchased) == (used + expired + left, used + expired + left)
    assert (credit.consumed, credit.expired, credit.refunded) == (used, expired, 0)
    assert (credit.closing_balance, credit.outstanding_granted) == (wallet.balance, left)
    (cost,) = credit.costs
    assert (cost.used, cost.expired, cost.outstanding) == (used, expired, left)
    # 2.05 * 0.03 + 0.5 * 0.0123 = 0.06765; 0.95 * 0.03 = 0.0285; 3.5 * 0.0123 = 0.04305
    assert (cost.earned, cost.earned_by_expiry, cost.liability) == (
        Decimal("0.07"),
        Decimal("0.03"),
        Decimal("0.04"),
    )
    trial = await client.statistics.trial_balance()
    (of_credit,) = [each for each in trial.currencies if each.currency == "CREDIT"]
    balances = {each.account: each.balance for each in of_credit.lines if each.balance}
    assert balances.pop("wallets") == wallet.balance
    assert balances == {each.account: each.amount for each in credit.accounts if each.amount}


async def test_the_client_for_threads_has_the_same(api: Api) -> None:
    async with listening(api.app) as url:

        def meter() -> tuple[str, Decimal, Decimal]:
            key = api.admin.headers["Authorization"][7:]
            with WalletClient(url, api_key=key) as client:
                wallet = client.wallets.create(user_id=new_user(), currency="CREDIT", initial_balance=5)
                with client.metered_hold(wallet.wallet_id, 1) as made:
                    for _ in range(30):
                        made.add("0.1")
                held = [each.hold_id for each in client.holds.list(wallet.wallet_id)]
                assert held == [made.hold.hold_id]
                return made.hold.state, made.captured, client.wallets.get(wallet.wallet_id).balance

        assert await asyncio.to_thread(meter) == ("voided", 3, 2)
