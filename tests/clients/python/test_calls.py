"""Every call of the SDK against the real application, in process."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import wallet_client
from support.api import Api, new_user, open_api
from support.sdk import in_process
from support.webhook_receiver import open_receiver
from wallet_client import (
    AlertNotFound,
    AsyncWalletClient,
    BalanceUnchanged,
    BookExists,
    BookNotFound,
    BudgetNotFound,
    DeliveryNotFound,
    EntriesUnbalanced,
    FileNotFound,
    Forbidden,
    GrantEnded,
    GrantNotFound,
    GrantScheduleNotFound,
    IdempotencyKeyReused,
    InsufficientFunds,
    JobNotFound,
    LabelCycle,
    LabelExists,
    LabelFixed,
    LabelInUse,
    LabelNotFound,
    LimitExceeded,
    MeterExists,
    MeterNotFound,
    NewEntry,
    Operation,
    Posted,
    PriceNotFound,
    RateCardEnded,
    RateCardNotFound,
    RateCardOverlap,
    RateVersionOverlap,
    RefundExceeds,
    Refused,
    TopUpNotFound,
    TopUpRuleNotFound,
    TopUpUnderWay,
    Unauthorized,
    UsageEventConflict,
    UsageNotFound,
    ValidationFailed,
    VaultUnavailable,
    VersionMismatch,
    Wallet,
    WalletClosed,
    WalletExists,
    WalletMirrored,
    WalletNotFound,
    WebhookNotFound,
    key_from,
    new_key,
)
from wallet_client._decoding import decoder
from wallet_client.budgets import NewBudgetItem
from wallet_client.limits import NewLimit
from wallet_client.rates import NewRatePrice, NewRateTier
from wallet_client.testing import FakeWallet
from wallet_client.usage import NewUsage, Usage

from wallet_service.core.identifiers import new_id
from wallet_service.platform.vault.keys import generate_key

pytestmark = pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")


@pytest.fixture
async def client(api: Api) -> AsyncIterator[AsyncWalletClient]:
    async with in_process(api) as made:
        yield made


async def funded(client: AsyncWalletClient, balance: int = 100, **members: Any) -> Wallet:
    return await client.wallets.create(**{"user_id": new_user(), "initial_balance": balance} | members)


async def test_the_calls_of_the_issue(client: AsyncWalletClient) -> None:
    wallet = await client.create_wallet(user_id=new_user(), initial_balance=1000, currency="CREDIT")
    spent = await client.consume(wallet.wallet_id, amount=50, description="API usage")

    assert (wallet.balance, wallet.currency, wallet.status) == (Decimal(1000), "CREDIT", "active")
    assert wallet.created_at.utcoffset() == timedelta(0)
    assert (spent.amount, spent.balance_after, spent.description) == (Decimal(50), Decimal(950), "API usage")
    assert await client.transactions.get(spent.transaction_id) == spent
    assert (await client.get_wallet(wallet.wallet_id)).balance == Decimal(950)


async def test_a_wallet_from_its_making_to_its_closing(client: AsyncWalletClient) -> None:
    metadata = {"rate": Decimal("0.10"), "team": {"name": "blue"}, "old": 1}
    made = await client.wallets.create(user_id=new_user(), currency="USD", name="travel", metadata=metadata)
    read = await client.wallets.get(made.wallet_id)
    changed = await client.wallets.update(
        made.wallet_id, name="trips", metadata={"old": None}, credit_limit="5", if_version=made.version
    )

    assert read == made
    assert made.metadata == metadata
    assert changed.metadata == {"rate": Decimal("0.10"), "team": {"name": "blue"}}
    assert (changed.name, changed.credit_limit, changed.version) == ("trips", Decimal(5), made.version + 1)
    with pytest.raises(VersionMismatch) as refused:
        await client.wallets.update(made.wallet_id, name="late", if_version=made.version)
    assert refused.value.version == changed.version
    emptied = await client.wallets.update(made.wallet_id, metadata=None)
    assert emptied.metadata == {}
    closed = await client.wallets.close(made.wallet_id, if_version=emptied.version)
    assert closed.status == "closed"
    with pytest.raises(WalletClosed):
        await client.deposit(made.wallet_id, 1)


async def test_every_movement(client: AsyncWalletClient) -> None:
    wallet, other = await funded(client), await funded(client, 0)
    to = other.wallet_id

    moved = [
        await client.transactions.deposit(wallet.wallet_id, "10.5", reference="a"),
        await client.transactions.withdraw(wallet.wallet_id, Decimal("0.5")),
        await client.transactions.consume(wallet.wallet_id, 10, counter_account="revenue:usage:small"),
        await client.transactions.reward(wallet.wallet_id, 1),
        await client.transactions.fee(wallet.wallet_id, 1, metadata={"kind": "late"}),
        await client.transactions.transfer(wallet.wallet_id, to, 20),
    ]
    part = await client.transactions.refund(moved[2].transaction_id, 4)
    rest = await client.refund(moved[2].transaction_id)

    kinds = ["deposit", "withdraw", "consume", "reward", "fee", "transfer"]
    assert [each.transaction_type for each in moved] == kinds
    assert (part.amount, rest.amount, rest.original_transaction_id) == (4, 6, moved[2].transaction_id)
    assert [leg.wallet_id for leg in moved[5].legs or ()] == [wallet.wallet_id, to]
    assert (await client.get_balance(wallet.wallet_id)).balance == 90
    assert (await client.get_balance(to)).available_balance == 20
    with pytest.raises(RefundExceeds) as refused:
        await client.refund(moved[0].transaction_id, 11)
    assert refused.value.refundable == Decimal("10.5")


async def test_entries_and_adjustments(client: AsyncWalletClient) -> None:
    user = new_user()
    euros, dollars = [
        (await funded(client, 10, user_id=user, currency=currency)).wallet_id for currency in ("EUR", "USD")
    ]
    exchange = [
        NewEntry.debit(euros, "10", "fx:EUR-USD"),
        NewEntry.credit(dollars, 11, "fx:EUR-USD"),
        NewEntry.debit(dollars, Decimal("0.5"), "revenue:fees"),
    ]

    posted = await client.transactions.post("exchange", exchange, reference="x-1")
    counted = await client.transactions.adjust(dollars, balance=21, reason="count of 31 March")
    taken = await client.transactions.adjust(dollars, amount=1, direction="debit", reason="charged twice")

    assert [leg.balance_after for leg in posted.legs or ()] == [0, 21, Decimal("20.5")]
    assert (counted.direction, counted.amount, counted.description) == (
        "credit",
        Decimal("0.5"),
        "count of 31 March",
    )
    assert (taken.transaction_type, taken.balance_after) == ("adjustment", 20)
    with pytest.raises(BalanceUnchanged):
        await client.transactions.adjust(dollars, balance=20, reason="again")
    across = [
        NewEntry.debit(dollars, 1, f"wallet:{euros}"),
        NewEntry.credit(euros, 1, f"wallet:{dollars}"),
    ]
    with pytest.raises(EntriesUnbalanced):
        await client.transactions.post("payment", across)
    results = await client.transactions.batch(
        [
            Operation.adjust(dollars, balance=19, reason="count"),
            Operation.post("payment", [NewEntry.debit(dollars, 1, "external:shop")]),
        ]
    )
    assert [isinstance(each, Posted) for each in results] == [True, True]


async def test_a_mirrored_wallet_and_what_is_entered_late(client: AsyncWalletClient) -> None:
    bank = await funded(client, -20, keeping="mirrored", name="bank")
    money = await funded(client, 5, user_id=bank.user_id)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    late = await client.deposit(bank.wallet_id, 7, effective_at=yesterday)

    assert (bank.keeping, bank.balance, money.keeping) == ("mirrored", Decimal(-20), "operating")
    assert late.counter_account == "mirrored:deposits"
    with pytest.raises(WalletMirrored) as refused:
        await client.transfer(money.wallet_id, bank.wallet_id, 1)
    assert refused.value.wallet_id == bank.wallet_id
    at = yesterday + timedelta(seconds=1)
    assert (await client.wallets.balance(bank.wallet_id, at=at)).balance == 0
    assert (await client.wallets.balance(bank.wallet_id, at=at, by="effective")).balance == 7
    by_effect = [
        entry.amount async for entry in client.transactions.list(wallet_id=bank.wallet_id, by="effective")
    ]
    assert by_effect == [20, 7]
    totals = await client.statistics.wallet(bank.wallet_id, to=at, by="effective")
    assert totals.currencies[0].closing_balance == 7
    keeping = {(each.currency, each.keeping) for each in (await client.statistics.service()).currencies}
    assert {("CREDIT", "operating"), ("CREDIT", "mirrored")} <= keeping


def test_a_wallet_of_an_older_service_is_an_operating_one(driver: str) -> None:
    del driver
    with FakeWallet().client() as fake:
        document = asdict(fake.create_wallet(user_id="ada"))
    members = {name: str(value) for name, value in document.items()} | {"metadata": {}}

    assert decoder(Wallet)(members).keeping == "operating"
    assert decoder(Wallet)(members | {"keeping": "mirrored"}).keeping == "mirrored"
    del members["keeping"]
    assert decoder(Wallet)(members).keeping == "operating"


async def test_a_key_is_spent_once(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    key = key_from("invoice", wallet.wallet_id)

    first = await client.consume(wallet.wallet_id, 10, idempotency_key=key)
    again = await client.consume(wallet.wallet_id, 10, idempotency_key=key)

    assert (first.replayed, again.replayed) == (False, True)
    assert first == again
    with pytest.raises(IdempotencyKeyReused) as refused:
        await client.consume(wallet.wallet_id, 11, idempotency_key=key)
    assert refused.value.idempotency_key == key
    assert (await client.get_balance(wallet.wallet_id)).balance == 90


async def test_a_dry_run_keeps_nothing(client: AsyncWalletClient) -> None:
    wallet = await funded(client)

    tried = await client.consume(wallet.wallet_id, 10, dry_run=True)

    assert tried.dry_run
    assert tried.balance_after == 90
    assert (await client.get_balance(wallet.wallet_id)).balance == 100


async def test_errors_tell_what_is_wrong(client: AsyncWalletClient, api: Api) -> None:
    wallet = await funded(client)

    with pytest.raises(InsufficientFunds) as short:
        await client.consume(wallet.wallet_id, "102.5")
    with pytest.raises(WalletExists) as there:
        await client.create_wallet(user_id=wallet.user_id)
    with pytest.raises(WalletNotFound):
        await client.get_wallet(new_id())
    with pytest.raises(ValidationFailed) as invalid:
        await client.create_wallet(user_id=wallet.user_id, name="x" * 300)
    assert (short.value.shortfall, short.value.wallet_id) == (Decimal("2.5"), wallet.wallet_id)
    assert short.value.request_id is not None
    assert short.value.request_id in str(short.value)
    assert there.value.wallet_id == wallet.wallet_id
    assert [each["pointer"] for each in invalid.value.errors] == ["/name"]
    async with in_process(api, "wsk_wrong") as stranger:
        with pytest.raises(Unauthorized):
            await stranger.get_wallet(wallet.wallet_id)


async def test_a_caller_without_the_right_is_forbidden(api: Api, client: AsyncWalletClient) -> None:
    reader_only = await api.service("wallets:read")
    key = reader_only._headers["Authorization"].partition(" ")[2]
    wallet = await funded(client)

    async with in_process(api, key) as other:
        assert (await other.get_wallet(wallet.wallet_id)).balance == 100
        with pytest.raises(Forbidden):
            await other.consume(wallet.wallet_id, 1)


async def test_a_batch_has_a_result_for_each_operation(client: AsyncWalletClient) -> None:
    wallet, other = await funded(client), await funded(client, 0)
    bought = await client.consume(wallet.wallet_id, 10)
    operations = [
        Operation.consume(wallet.wallet_id, "0.5", reference="a", idempotency_key=key_from("own", new_id())),
        Operation.consume(wallet.wallet_id, 1000),
        Operation.transfer(wallet.wallet_id, other.wallet_id, 5),
        Operation.refund(bought.transaction_id, 1),
        Operation.deposit(wallet.wallet_id, 1),
    ]
    key = key_from("batch", new_id())

    results = await client.transactions.batch(operations, idempotency_key=key)

    assert [type(each) for each in results] == [Posted, Refused, Posted, Posted, Posted]
    refused = results[1]
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, InsufficientFunds)
    assert refused.error.shortfall == Decimal("910.5")
    again = await client.transactions.batch(operations, idempotency_key=key)
    assert [each.transaction for each in again if isinstance(each, Posted)] == [
        each.transaction for each in results if isinstance(each, Posted)
    ]


async def test_an_atomic_batch_posts_all_or_raises_the_first_refusal(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    operations = [Operation.consume(wallet.wallet_id, 10), Operation.consume(wallet.wallet_id, 1000)]

    with pytest.raises(InsufficientFunds) as refused:
        await client.transactions.batch(operations, atomic=True)

    assert refused.value.index == 1
    assert (await client.get_balance(wallet.wallet_id)).balance == 100


async def test_lists_go_through_all_pages(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    for number in range(5):
        await client.consume(wallet.wallet_id, number + 1, metadata={"parity": str(number % 2)})

    history = client.transactions.list(wallet_id=wallet.wallet_id, page_size=2)
    pages = [page async for page in history.pages()]
    odd = client.list_transactions(user_id=wallet.user_id, type="consume", metadata={"parity": "1"})

    assert [len(page.items) for page in pages] == [2, 2, 2]
    assert [each.amount async for each in history] == [5, 4, 3, 2, 1, 100]
    assert [each.amount async for each in odd] == [4, 2]
    between = client.list_transactions(wallet_id=wallet.wallet_id, min_amount=2, max_amount="3.5")
    assert [each.amount async for each in between] == [3, 2]
    with pytest.raises(TypeError, match="either a wallet_id or a user_id"):
        client.transactions.list()


async def test_wallets_are_listed(client: AsyncWalletClient) -> None:
    user = new_user()
    made = [await client.create_wallet(user_id=user, name=name, currency="USD") for name in "abc"]

    assert [each async for each in client.wallets.list(user_id=user, currency="USD", page_size=2)] == made
    everybody = client.wallets.list(verified=True, page_size=1)
    async for page in everybody.pages():
        assert len(page.items) == 1
        break


async def test_a_past_balance(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    spent = await client.consume(wallet.wallet_id, 10)
    await client.consume(wallet.wallet_id, 10)

    then = await client.wallets.balance(wallet.wallet_id, at=spent.created_at)

    assert (then.balance, then.available_balance, then.at) == (90, None, spent.created_at)
    with pytest.raises(ValueError, match="time zone"):
        await client.get_balance(wallet.wallet_id, at=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


async def test_credits(client: AsyncWalletClient) -> None:
    user = new_user()
    none = await client.credits.balance(user)
    with pytest.raises(InsufficientFunds):
        await client.credits.consume(user, 1)
    empty = await client.credits.balance(user)
    assert empty.wallet_id is not None
    await client.deposit(empty.wallet_id, 10)
    spent = await client.credits.consume(user, "2.5", description="chat")

    assert (none.balance, none.user_id, none.wallet_id) == (0, user, None)
    assert empty.balance == 0
    assert spent.wallet_id == empty.wallet_id
    assert (await client.get_credits(user)).available_balance == Decimal("7.5")


async def test_sums(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    await client.consume(wallet.wallet_id, 40)
    since = datetime.now(UTC) - timedelta(hours=1)

    of_wallet = await client.statistics.wallet(wallet.wallet_id, from_=since, interval="day")
    await client.wallets.create(
        user_id=wallet.user_id, currency=wallet.currency, name="bank", keeping="mirrored", initial_balance=70
    )
    of_user = await client.statistics.user(wallet.user_id)
    (apart,) = of_user.mirrored
    assert (apart.currency, apart.closing_balance) == (wallet.currency, Decimal(70))
    assert apart.by_type[0].amount == Decimal(70)
    of_service = await client.statistics.service()
    balance = await client.statistics.trial_balance()
    currencies = {each.code: each.exponent for each in await client.statistics.currencies()}

    (flow,) = of_wallet.currencies
    assert (flow.credited, flow.debited, flow.closing_balance) == (100, 40, 60)
    assert of_wallet.interval == "day"
    assert flow.steps is not None
    assert sum(step.transactions for step in flow.steps) == 2
    assert of_user.currencies[0].closing_balance == 60
    assert of_user.user_id == wallet.user_id
    assert of_service.wallets >= 1
    assert all(each.sum == 0 for each in balance.currencies)
    assert (currencies["JPY"], currencies["CREDIT"]) == (0, 6)


async def test_a_float_is_refused_before_anything_is_sent(client: AsyncWalletClient) -> None:
    before = client.metrics.snapshot().calls
    with pytest.raises(TypeError, match=r"never a float"):
        await client.consume(new_id(), 0.1)  # pyright: ignore[reportArgumentType]  # which is shown
    with pytest.raises(TypeError, match=r"never a float"):
        Operation.consume(new_id(), 0.1)  # pyright: ignore[reportArgumentType]  # which is shown
    assert client.metrics.snapshot().calls == before


def test_what_an_answer_has_beside_is_left_out(driver: str) -> None:
    del driver
    document = {
        "user_id": "u",
        "wallet_id": "w",
        "currency": "CREDIT",
        "balance": "1.0",
        "available_balance": "1.0",
        "brand_new": {"a": 1},
    }

    made = decoder(wallet_client.Credits)(document)

    assert made.balance == Decimal("1.0")
    with pytest.raises(AttributeError):
        made.balance = Decimal(2)  # pyright: ignore[reportAttributeAccessIssue]  # which is shown
    assert replace(made, currency="USD").currency == "USD"


async def test_a_redirect_is_not_followed(client: AsyncWalletClient) -> None:
    del client
    asked: list[str] = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(307, headers={"Location": "http://elsewhere/api"})

    async with AsyncWalletClient(
        "http://wallet", api_key="a-key", transport=httpx.MockTransport(elsewhere)
    ) as redirected:
        with pytest.raises(wallet_client.UnexpectedAnswer, match="status 307"):
            await redirected.consume(new_id(), 1)
    assert len(asked) == 1


async def test_the_audit_trail(client: AsyncWalletClient) -> None:
    wallet = await client.wallets.create(user_id=new_user(), metadata={"note": "private"})
    await client.wallets.update(wallet.wallet_id, name="other")
    since = wallet.created_at - timedelta(hours=1)
    found = [each async for each in client.audit.list(object_id=wallet.wallet_id, from_=since, page_size=1)]
    assert [(each.action, each.user_id) for each in found] == [
        ("wallet.updated", wallet.user_id),
        ("wallet.created", wallet.user_id),
    ]
    updated, created = found
    assert updated.changed == ["/name", "/updated_at", "/version"]
    assert (created.before, (created.after or {})["metadata"]) == (None, {"note": "***"})
    assert updated.recorded_at > created.recorded_at > since


async def test_a_file_from_its_upload_to_its_deletion(client: AsyncWalletClient) -> None:
    content = os.urandom(300_000)
    key = new_key()
    sent: dict[str, Any] = {
        "media_type": "text/csv",
        "expires_at": datetime.now(UTC) + timedelta(days=1),
        "idempotency_key": key,
    }
    file = await client.files.upload("a & b.csv", content, **sent)
    assert await client.files.upload("a & b.csv", content, **sent) == file
    assert (file.name, file.media_type, file.size_bytes) == ("a & b.csv", "text/csv", 300_000)
    assert file.expires_at == sent["expires_at"]
    assert await client.files.get(file.file_id) == file
    assert await client.files.download(file.file_id) == content
    other = await client.files.upload("b", b"")
    assert [each async for each in client.files.list(page_size=1)][:2] == [other, file]
    await client.files.delete(file.file_id)
    for call in (client.files.get, client.files.download, client.files.delete):
        with pytest.raises(FileNotFound):
            await call(file.file_id)
    with pytest.raises(VaultUnavailable):
        await client.files.upload("c", b"c", personal=True)


async def test_a_job_is_read_retried_cancelled_and_waited_for(client: AsyncWalletClient, api: Api) -> None:
    far = datetime(2999, 1, 1, tzinfo=UTC)
    document = await api.app.state.jobs.enqueue("delete_finished_jobs", due_at=far)
    job_id = json.loads(document)["job_id"]
    job = await client.jobs.get(job_id)
    assert (job.job_id, job.type, job.status, job.has_ended) == (
        job_id,
        "delete_finished_jobs",
        "queued",
        False,
    )
    assert job.due_at == far
    with pytest.raises(TimeoutError, match="queued"):
        await client.jobs.wait(job_id, timeout_s=0.01, poll_s=0.01)
    cancelled = await client.jobs.cancel(job_id)
    assert await client.jobs.cancel(job_id) == cancelled == await client.jobs.wait(job_id)
    assert job_id in [each.job_id async for each in client.jobs.list(status="cancelled", page_size=1)]
    assert (await client.jobs.retry(job_id)).status == "queued"
    await client.jobs.cancel(job_id)
    with pytest.raises(JobNotFound):
        await client.jobs.retry(new_id())


async def test_limits_are_set_read_and_reached(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    before = await client.limits.get(wallet.wallet_id)
    assert (before.version, before.limits, before.updated_at) == (0, (), None)
    day = NewLimit("day", 10, time_zone="Europe/Berlin", counter_account="revenue:usage*")
    made = await client.limits.set(
        wallet.wallet_id, [day, NewLimit("rolling", "7.5", window_s=60)], if_version=0
    )
    assert [(each.period, each.amount, each.used) for each in made.limits] == [
        ("day", Decimal(10), Decimal(0)),
        ("rolling", Decimal("7.5"), Decimal(0)),
    ]
    await client.transactions.consume(wallet.wallet_id, 5)
    with pytest.raises(LimitExceeded) as refused:
        await client.transactions.consume(wallet.wallet_id, 3)
    assert refused.value.remaining == Decimal("2.5")
    assert refused.value.resets_at is not None
    assert refused.value.facts["limit_id"] == made.limits[1].limit_id
    with pytest.raises(LimitExceeded) as never:
        await client.transactions.consume(wallet.wallet_id, 11)
    assert never.value.resets_at is None
    with pytest.raises(VersionMismatch):
        await client.limits.set(wallet.wallet_id, [], if_version=0)
    assert (await client.limits.set(wallet.wallet_id, [], if_version=1)).limits == ()


async def test_alerts_and_burn_rates(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    made = await client.alerts.create(wallet.wallet_id, percent=20, hysteresis="2.5", name="soon")
    assert (made.percent, made.hysteresis, made.amount, made.state) == (20, Decimal("2.5"), None, "ok")
    assert await client.alerts.get(wallet.wallet_id, made.alert_id) == made
    changed = await client.alerts.update(wallet.wallet_id, made.alert_id, amount=wallet.balance, if_version=1)
    assert (changed.amount, changed.name, changed.state, changed.version) == (
        wallet.balance,
        "soon",
        "low",
        2,
    )
    with pytest.raises(VersionMismatch):
        await client.alerts.update(wallet.wallet_id, made.alert_id, name="x", if_version=1)
    other = await client.alerts.create(wallet.wallet_id, amount="0.5")
    assert [each async for each in client.alerts.list(wallet.wallet_id, page_size=1)] == [other, changed]
    await client.transactions.consume(wallet.wallet_id, 1)
    rate = await client.alerts.burn_rate(wallet.wallet_id)
    assert [(each.window, each.spent) for each in rate.windows] == [("1h", 1), ("24h", 1), ("7d", 1)]
    assert all(each.runs_out_at is not None and each.runs_out_at > rate.at for each in rate.windows)
    await client.alerts.delete(wallet.wallet_id, made.alert_id, if_version=2)
    with pytest.raises(AlertNotFound):
        await client.alerts.get(wallet.wallet_id, made.alert_id)


async def test_grants_from_their_creation_to_their_end(client: AsyncWalletClient) -> None:
    wallet = await client.wallets.create(user_id=new_user(), currency="CREDIT")
    name = wallet.wallet_id
    bought = await client.grants.create(
        name, "100", source="purchase", unit_cost="0.0125", cost_currency="USD", expires_in_s=86_400
    )
    gift = await client.grants.create(name, 20, source="promotion", priority=0, pays=["revenue:usage:gpt"])
    assert (bought.unit_cost, gift.pays, gift.expires_at) == (Decimal("0.0125"), ["revenue:usage:gpt"], None)
    await client.transactions.consume(name, "25.5", counter_account="revenue:usage:gpt")
    left = await client.grants.get(bought.grant_id)
    assert (left.state, left.remaining, left.used) == ("active", Decimal("94.5"), Decimal("5.5"))
    assert [each.grant_id async for each in client.grants.list(name, state="used", page_size=1)] == [
        gift.grant_id
    ]
    assert [each.grant_id async for each in client.grants.list(name, source="purchase")] == [bought.grant_id]

    explained = await client.billing.explain(name)
    assert (explained.balance, explained.granted, explained.not_granted) == (
        Decimal("94.5"),
        Decimal("94.5"),
        0,
    )
    assert [(each.grant_id, each.remaining) for each in explained.grants] == [(left.grant_id, left.remaining)]
    assert [each.amount for each in explained.last_changes[0].grants] == [Decimal(20), Decimal("5.5")]
    summary = await client.billing.summary()
    (sums,) = [each for each in summary.currencies if each.currency == "CREDIT"]
    assert sums.granted >= 120
    assert any(each.cost_currency == "USD" and each.liability for each in sums.costs)

    voided = await client.grants.void(bought.grant_id, description="by mistake")
    assert (voided.state, voided.void_reason, voided.voided) == ("voided", "request", Decimal("94.5"))
    with pytest.raises(GrantEnded):
        await client.grants.void(bought.grant_id)
    with pytest.raises(GrantNotFound):
        await client.grants.get(new_id())


async def test_grant_schedules_are_created_changed_and_deleted(client: AsyncWalletClient) -> None:
    wallet = await client.wallets.create(user_id=new_user(), currency="CREDIT")
    name = wallet.wallet_id
    key = new_id()
    made = await client.grant_schedules.create(
        name, 100, source="plan", day_of_month=31, rollover="cap", rollover_value="12.5", idempotency_key=key
    )
    assert (made.rollover_value, made.time_zone, made.version) == (Decimal("12.5"), "UTC", 1)
    again = await client.grant_schedules.create(
        name, 100, source="plan", day_of_month=31, rollover="cap", rollover_value="12.5", idempotency_key=key
    )
    assert again == made == await client.grant_schedules.get(name, made.schedule_id)
    changed = await client.grant_schedules.update(
        name, made.schedule_id, amount="50", rollover="none", ends_at=None, if_version=1
    )
    assert (changed.amount, changed.rollover_value, changed.version) == (Decimal(50), None, 2)
    with pytest.raises(VersionMismatch):
        await client.grant_schedules.delete(name, made.schedule_id, if_version=1)
    assert await client.grant_schedules.list(name) == (changed,)
    await client.grant_schedules.delete(name, made.schedule_id)
    with pytest.raises(GrantScheduleNotFound):
        await client.grant_schedules.get(name, made.schedule_id)


async def test_a_meter_and_a_rate_card_from_their_creation_to_their_end(client: AsyncWalletClient) -> None:
    name, key = f"m{new_id()}", new_key()
    meter = await client.meters.create(name, unit="token", dimensions=["model"], idempotency_key=key)
    again = await client.meters.create(name, unit="token", dimensions=["model"], idempotency_key=key)
    assert again == meter == await client.meters.get(name)
    assert (meter.dimensions, meter.counter_account) == (["model"], f"revenue:usage:{name}")
    assert meter in [each async for each in client.meters.list()]
    with pytest.raises(MeterExists):
        await client.meters.create(name)
    with pytest.raises(MeterNotFound):
        await client.meters.get(f"m{new_id()}")

    large = NewRatePrice("per_unit", "0.002", {"model": "large"})
    others = NewRatePrice("graduated", included=1000, tiers=[NewRateTier("0.5", 10_000), NewRateTier("0.4")])
    card = await client.rate_cards.create(name, "CREDIT", [large, others], time_zone="Europe/Berlin")
    assert card.prices is not None
    assert (card.state, card.version, card.prices[0].unit_price) == ("active", 1, Decimal("0.002"))
    assert (card.prices[0].tiers, card.prices[1].unit_price, card.prices[1].included) == (None, None, 1000)
    assert [(each.up_to, each.unit_price, each.flat_amount) for each in card.prices[1].tiers or ()] == [
        (Decimal(10_000), Decimal("0.5"), 0),
        (None, Decimal("0.4"), 0),
    ]
    with pytest.raises(RateCardOverlap):
        await client.rate_cards.create(name, "CREDIT", [large])
    begins = datetime.now(UTC) + timedelta(days=365)
    packages = NewRatePrice("package", package_size=100, package_price="0.25")
    newer = await client.rate_cards.add_version(card.rate_card_id, [packages], effective_at=begins)
    assert (newer.version, [each.ends_at for each in newer.versions]) == (2, [begins, None])
    assert newer == await client.rate_cards.get(card.rate_card_id)
    first = await client.rate_cards.version(card.rate_card_id, 1)
    second = await client.rate_cards.version(card.rate_card_id, 2)
    assert (first.prices, first.ends_at, second.prices) == (card.prices, begins, newer.prices)
    assert (second.prices[0].package_size, second.prices[0].package_price) == (100, Decimal("0.25"))
    with pytest.raises(RateVersionOverlap):
        await client.rate_cards.add_version(card.rate_card_id, [packages])

    ended = await client.rate_cards.end(card.rate_card_id)
    assert (ended.state, ended.ends_at is None) == ("ended", False)
    assert ended == await client.rate_cards.end(card.rate_card_id)
    with pytest.raises(RateCardEnded):
        await client.rate_cards.end(card.rate_card_id, ends_at=begins)
    other = await client.rate_cards.create(name, "CREDIT", [packages])
    assert [each async for each in client.rate_cards.list(meter=name, page_size=1)] == [
        replace(other, prices=None),
        replace(ended, prices=None),
    ]
    assert [each async for each in client.rate_cards.list(meter=name, currency="USD")] == []
    with pytest.raises(RateCardNotFound):
        await client.rate_cards.get(new_id())


async def test_usage_is_reported_and_read(client: AsyncWalletClient) -> None:
    wallet, name = await funded(client, currency="CREDIT"), f"m{new_id()}"
    await client.meters.create(name, dimensions=["model"])
    tiers = [NewRateTier("0.5", 10, flat_amount=1), NewRateTier("0.25")]
    card = await client.rate_cards.create(name, "CREDIT", [NewRatePrice("graduated", tiers=tiers)])

    def event(quantity: int, event_id: str, **members: Any) -> NewUsage:
        return NewUsage(event_id, name, quantity, wallet_id=wallet.wallet_id, **members)

    tried = await client.usage.report(event(14, "a"), dry_run=True)
    made = await client.usage.report(event(14, "a", dimensions={"model": "x"}))
    again = await client.usage.report(event(14, "a", dimensions={"model": "x"}))
    assert (tried.dry_run, tried.transaction_id, tried.amount) == (True, None, Decimal(7))
    assert (made.amount, made.dimensions, made.replayed) == (Decimal(7), {"model": "x"}, False)
    assert (made.rating.rate_card_id, made.rating.version) == (card.rate_card_id, 1)
    lines = [(each.quantity, each.up_to, each.unit_price, each.amount) for each in made.rating.lines]
    assert lines == [(10, 10, Decimal("0.5"), 6), (4, None, Decimal("0.25"), 1)]
    assert (made.rating.lines[0].flat_amount, made.rating.lines[0].packages) == (1, None)
    assert again.replayed
    assert again == made == await client.usage.get(made.usage_id)
    with pytest.raises(UsageEventConflict):
        await client.usage.report(event(15, "a"))
    with pytest.raises(UsageNotFound):
        await client.usage.get(new_id())

    accepted, refused = await client.usage.report_batch([event(4, "b"), event(10_000, "c")])
    assert isinstance(accepted, Usage)
    assert (accepted.amount, accepted.rating.quantity_before) == (1, 14)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, InsufficientFunds)
    assert [each async for each in client.usage.events(wallet.wallet_id, meter=name, page_size=1)] == [
        accepted,
        made,
    ]
    assert [each async for each in client.usage.events(wallet.wallet_id, meter="another")] == []
    totals = [each async for each in client.usage.totals(wallet.wallet_id, ["model"], page_size=1)]
    found = {each.group["model"]: (each.quantity, each.amount, each.events) for each in totals}
    assert found == {None: (4, 1, 1), "x": (14, 7, 1)}
    assert (await client.get_balance(wallet.wallet_id)).balance == 92

    await client.rate_cards.end(card.rate_card_id)
    with pytest.raises(PriceNotFound):
        await client.usage.report(event(1, "d"))


async def test_a_wallet_is_topped_up_by_its_rule_and_on_request(client: AsyncWalletClient) -> None:
    wallet = await funded(client)
    with pytest.raises(TopUpRuleNotFound):
        await client.top_ups.rule(wallet.wallet_id)
    rule = await client.top_ups.set_rule(
        wallet.wallet_id, threshold=5, target="20.5", payment_method="pm-1", max_amount=40, if_version=0
    )
    assert (rule.state, rule.threshold, rule.target, rule.amount) == (
        "active",
        Decimal(5),
        Decimal("20.5"),
        None,
    )
    assert await client.top_ups.rule(wallet.wallet_id) == rule
    with pytest.raises(VersionMismatch):
        await client.top_ups.delete_rule(wallet.wallet_id, if_version=0)
    key = new_key()
    made = await client.top_ups.create(wallet.wallet_id, 7, metadata={"a": 1}, idempotency_key=key)
    assert (made.trigger, made.state, made.amount, made.failure) == ("request", "created", Decimal(7), None)
    again = await client.top_ups.create(wallet.wallet_id, 7, metadata={"a": 1}, idempotency_key=key)
    assert again == made
    with pytest.raises(TopUpUnderWay) as busy:
        await client.top_ups.create(wallet.wallet_id, 8)
    assert busy.value.facts["top_up_id"] == made.top_up_id
    assert await client.top_ups.get(made.top_up_id) == made
    assert [each async for each in client.top_ups.list(wallet.wallet_id, state="created")] == [made]
    with pytest.raises(TopUpNotFound):
        await client.top_ups.get(new_id())
    await client.top_ups.delete_rule(wallet.wallet_id, if_version=rule.version)


async def test_a_book_its_wallets_and_its_labels(client: AsyncWalletClient) -> None:
    user_id = new_user()
    book = await client.books.create("EUR", user_id=user_id, time_zone="Europe/Berlin", month_start_day=25)
    assert (book.user_id, book.base_currency, book.week_start) == (user_id, "EUR", "monday")
    with pytest.raises(BookExists) as taken:
        await client.books.create("EUR", user_id=user_id)
    assert taken.value.book_id == book.book_id
    changed = await client.books.update(book.book_id, week_start="sunday", if_version=book.version)
    stored = await client.books.get(book.book_id)
    assert asdict(changed) == asdict(stored) | {"redate_job_id": None}
    assert [each async for each in client.books.list(user_id=user_id)] == [stored]
    with pytest.raises(VersionMismatch):
        await client.books.update(book.book_id, month_start_day=1, if_version=book.version)
    with pytest.raises(BookNotFound):
        await client.books.get(new_id())

    house = await client.wallets.create(user_id=user_id, currency="EUR", keeping="mirrored", name="house")
    member = await client.books.set_wallet(book.book_id, house.wallet_id, "asset")
    assert (member.purpose, member.keeping) == ("asset", "mirrored")
    assert [each async for each in client.books.wallets(book.book_id)] == [member]


async def test_a_budget_is_set_and_read(client: AsyncWalletClient) -> None:
    user_id = new_user()
    await client.books.create("EUR", user_id=user_id)
    categories = {each.system_key: each async for each in client.categories.list(user_id=user_id)}
    groceries = categories["groceries"].label_id
    budget = await client.budgets.create(
        "Food",
        Decimal("100.00"),
        "monthly",
        date(2024, 1, 1),
        user_id=user_id,
        category_ids=[categories["food"].label_id],
        items=[NewBudgetItem(groceries, "60")],
        carry="surplus",
        carry_cap=50,
    )
    assert (budget.start_date, budget.end_date, budget.carry_cap) == (date(2024, 1, 1), None, 50)
    assert [(each.category_id, each.amount) for each in budget.items] == [(groceries, 60)]
    changed = await client.budgets.replace(
        budget.budget_id, "Food", 200, "annual", "2024-01-01", if_version=budget.version
    )
    assert (changed.period, changed.items, changed.tiers) == ("yearly", (), [75, 90, 100])
    assert await client.budgets.get(budget.budget_id) == changed
    assert [each async for each in client.budgets.list(user_id=user_id)] == [changed]
    with pytest.raises(VersionMismatch):
        await client.budgets.delete(budget.budget_id, if_version=budget.version)
    progress = await client.budgets.progress(user_id=user_id, on="2024-06-30")
    (found,) = progress.items
    assert (progress.on, progress.pending_entries) == (date(2024, 6, 30), 0)
    assert (found.from_, found.available, found.spent, found.left) == (date(2024, 1, 1), 200, 0, 200)
    details = await client.budgets.details(budget.budget_id, on=date(2024, 6, 30))
    assert (details.day, details.days, details.on_track, details.history) == (182, 366, True, ())
    await client.budgets.delete(budget.budget_id)
    with pytest.raises(BudgetNotFound):
        await client.budgets.get(budget.budget_id)


async def test_labels_are_created_merged_and_deleted(client: AsyncWalletClient) -> None:
    user_id = new_user()
    await client.books.create("EUR", user_id=user_id)
    categories = {each.system_key: each async for each in client.categories.list(user_id=user_id)}
    assert len(categories) == 60
    bakery = await client.categories.create(
        "Bakery", categories["food"].label_id, user_id=user_id, tax_code="4650"
    )
    assert (bakery.root, bakery.tax_code, bakery.archived_at) == ("expense", "4650", None)
    moved = await client.categories.update(bakery.label_id, parent_id=categories["household"].label_id)
    assert await client.categories.get(bakery.label_id) == moved
    with pytest.raises(LabelFixed):
        await client.categories.update(categories["income"].label_id, name="In")
    with pytest.raises(LabelCycle):
        await client.categories.merge(categories["household"].label_id, bakery.label_id)

    for resource in (client.payees, client.tags):
        one = await resource.create("one", user_id=user_id, color="#102030")
        other = await resource.create("other", user_id=user_id, parent_id=one.label_id)
        with pytest.raises(LabelExists) as taken:
            await resource.create("ONE", user_id=user_id)
        assert taken.value.label_id == one.label_id
        with pytest.raises(LabelInUse) as used:
            await resource.delete(one.label_id)
        assert used.value.uses == {"children": 1, "merges": 0, "parts": 0, "rules": 0, "budgets": 0}
        free = await resource.update(other.label_id, parent_id=None, archived=True)
        assert (free.parent_id, free.archived_at is None) == (None, False)
        merged = await resource.merge(other.label_id, one.label_id, if_version=free.version)
        assert merged.merged_into == one.label_id
        assert [each.name async for each in resource.list(user_id=user_id, merged=True)] == ["other"]
        assert (await resource.unmerge(other.label_id)).merged_into is None
        await resource.delete(other.label_id)
        with pytest.raises(LabelNotFound):
            await resource.get(other.label_id)


async def test_a_webhook_endpoint_from_its_creation_to_its_deletion(service_dsn: str, driver: str) -> None:
    del driver
    settings = {"webhooks_allowed_networks": "127.0.0.0/8", "credential_keys": generate_key("k1")}
    async with (
        open_receiver() as receiver,
        open_api(service_dsn, **settings) as api,
        in_process(api) as client,
    ):
        key = new_key()
        made = await client.webhooks.create(
            receiver.url, event_types=["transaction.posted"], idempotency_key=key
        )
        again = await client.webhooks.create(
            receiver.url, event_types=["transaction.posted"], idempotency_key=key
        )
        assert again == made
        read = await client.webhooks.get(made.endpoint_id)
        assert (read.url, read.event_types, read.status) == (receiver.url, ["transaction.posted"], "active")
        assert [each async for each in client.webhooks.list(page_size=1)][:1] == [read]
        ping = await client.webhooks.ping(made.endpoint_id)
        assert (ping.outcome, ping.status, receiver.ids) == ("delivered", 204, [ping.message_id])
        assert made.secret is not None
        assert len(receiver.verified(made.secret)) == 1
        rotated = await client.webhooks.rotate_secret(made.endpoint_id, overlap_s=60)
        assert rotated.secret not in (None, made.secret)
        changed = await client.webhooks.update(
            made.endpoint_id, event_types=None, status="disabled", if_version=2
        )
        assert (changed.version, changed.event_types, changed.disabled_reason) == (3, None, "request")
        with pytest.raises(VersionMismatch):
            await client.webhooks.update(made.endpoint_id, description="x", if_version=2)
        replayed = await client.webhooks.replay(made.endpoint_id, dead=True)
        assert (replayed.deliveries, replayed.more) == (0, False)
        with pytest.raises(DeliveryNotFound):
            await client.webhooks.replay(made.endpoint_id, number=1)
        with pytest.raises(DeliveryNotFound):
            await client.webhooks.delivery(made.endpoint_id, 1)
        assert [each async for each in client.webhooks.deliveries(made.endpoint_id, state="dead")] == []
        await client.webhooks.delete(made.endpoint_id, if_version=3)
        with pytest.raises(WebhookNotFound):
            await client.webhooks.get(made.endpoint_id)
