"""Both clients over a real socket; what they count, tell, trace and log."""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.api import ADMIN_KEY, Api, new_user
from support.sdk import listening
from wallet_client import (
    AsyncWalletClient,
    InsufficientFunds,
    NoAnswer,
    Operation,
    Posted,
    RequestEvent,
    ResponseEvent,
    RetryEvent,
    WalletClient,
    WalletNotFound,
)
from wallet_client.metrics import Metrics

from wallet_service.core.identifiers import new_id

ID = "0199d0a8-0000-7000-8000-0000000000aa"
BUSY = {"code": "wallet_busy", "status": 503, "detail": "of-the-detail", "retryable": True, "request_id": "r"}
BALANCE = {
    **dict.fromkeys(("balance", "locked_balance", "available_balance", "credit_limit"), "1.000000"),
    "wallet_id": ID,
    "currency": "CREDIT",
    "wallet_version": 1,
    "at": None,
}


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with listening(api.app) as address:
        yield address


def answers(*given: tuple[int, Any]) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """What stands for the service answers so, one after the other."""
    left, requests = list(given), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        status, document = left.pop(0)
        return httpx.Response(status, json=document)

    return httpx.MockTransport(answer), requests


@pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")
async def test_the_sync_client(url: str) -> None:
    def use() -> None:
        with WalletClient(url, api_key=ADMIN_KEY) as client:
            wallet = client.wallets.create(user_id=new_user(), initial_balance="100")
            spent = client.consume(wallet.wallet_id, Decimal("2.5"), description="API usage")
            results = client.transactions.batch([Operation.consume(wallet.wallet_id, 1) for _ in range(3)])
            history = client.transactions.list(wallet_id=wallet.wallet_id, page_size=2)
            assert spent.balance_after == Decimal("97.5")
            assert all(isinstance(each, Posted) for each in results)
            assert [each.amount for each in history] == [1, 1, 1, Decimal("2.5"), 100]
            assert [len(page.items) for page in history.pages()] == [2, 2, 1]
            assert client.credits.balance(wallet.user_id).balance == Decimal("94.5")
            assert client.statistics.wallet(wallet.wallet_id).currencies[0].debited == Decimal("5.5")
            with pytest.raises(InsufficientFunds):
                client.consume(wallet.wallet_id, 1000)
            counted = client.metrics.snapshot()
            assert counted.errors == {"InsufficientFunds": 1}
            assert counted.by_name["list_transactions"].calls == 6

    await asyncio.to_thread(use)


@pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")
async def test_the_async_client(url: str) -> None:
    async with AsyncWalletClient(url, api_key=ADMIN_KEY) as client:
        wallet = await client.wallets.create(user_id=new_user(), initial_balance="100")
        await asyncio.gather(*(client.consume(wallet.wallet_id, 1) for _ in range(20)))
        assert (await client.get_balance(wallet.wallet_id)).balance == 80
        with pytest.raises(WalletNotFound):
            await client.get_wallet(new_id())


async def test_hooks_are_told_of_every_try_and_break_nothing() -> None:
    told: list[Any] = []

    def tell(event: Any) -> None:
        told.append(event)
        raise RuntimeError("a hook of somebody's")

    transport, requests = answers((503, BUSY), (200, BALANCE))
    async with AsyncWalletClient(
        "http://wallet",
        api_key="a-key",
        transport=transport,
        on_request=tell,
        on_response=tell,
        on_retry=tell,
    ) as client:
        assert (await client.get_balance(ID)).balance == 1

    assert [type(event) for event in told] == [
        *(RequestEvent, ResponseEvent, RetryEvent),
        *(RequestEvent, ResponseEvent),
    ]
    assert [event.attempt for event in told] == [1, 1, 1, 2, 2]
    assert {event.route for event in told} == {"/api/v1/wallets/{wallet_id}/balance"}
    assert (told[1].status, told[4].status, told[2].error.code) == (503, 200, "wallet_busy")
    assert len(requests) == 2


def test_what_is_sent_with_every_request() -> None:
    transport, requests = answers((200, BALANCE))
    with WalletClient(
        "http://wallet/", api_key="a-key", transport=transport, user_agent="billing/2"
    ) as client:
        client.get_balance(ID)

    assert str(requests[0].url) == f"http://wallet/api/v1/wallets/{ID}/balance"
    assert requests[0].headers["Authorization"] == "Bearer a-key"
    assert requests[0].headers["User-Agent"].startswith("billing/2 wallet-client/")
    assert "a-key" not in repr(client) + repr(vars(client))


def test_logs_are_off_and_hold_neither_bodies_nor_keys(caplog: pytest.LogCaptureFixture) -> None:
    def call() -> str:
        caplog.clear()
        transport, _ = answers((503, BUSY), (402, {"code": "insufficient_funds", "detail": "Too low"}))
        with (
            WalletClient("http://wallet", api_key="the-secret", transport=transport) as client,
            pytest.raises(InsufficientFunds),
        ):
            client.consume(ID, "47.11", description="of-somebody", idempotency_key="the-name")
        return "".join(f"{record.getMessage()} {vars(record)}" for record in ours(caplog))

    assert call() == ""
    with caplog.at_level(logging.DEBUG, "wallet_client"):
        said = call()
    assert "consume: wallet_busy, request r; attempt 2 follows in 0." in said
    assert "WalletBusy" in said
    assert "/api/v1/wallets/{wallet_id}/consume" in said
    for secret in ("the-secret", "the-name", "47.11", "of-somebody", "of-the-detail", ID):
        assert secret not in said


def test_each_retry_is_logged_at_info_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with (
        caplog.at_level(logging.INFO, "wallet_client"),
        WalletClient(url, api_key="a-key", max_retries=1) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        client.get_balance(ID)
    (record,) = ours(caplog)
    assert record.levelno == logging.INFO
    why = f"(ConnectError at {url}: Connection refused)"
    assert record.getMessage().startswith(f"get_balance: no response {why}; attempt 2 follows in 0.")
    assert str(caught.value) == f"get_balance: no response in 2 attempts {why}"


async def test_an_async_client_names_the_cause_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    async with AsyncWalletClient(url, api_key="a-key", max_retries=0) as client:
        with pytest.raises(NoAnswer) as caught:
            await client.get_balance(ID)
    assert str(caught.value) == f"get_balance: no response (ConnectError at {url}: Connection refused)"


@pytest.mark.parametrize("kind", [WalletClient, AsyncWalletClient])
def test_address_and_key_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    monkeypatch.delenv("WALLET_URL", raising=False)
    monkeypatch.setenv("WALLET_API_KEY", "of-the-environment")
    with pytest.raises(
        ValueError, match="base_url is missing: give it, or set the environment variable WALLET_URL"
    ):
        kind()
    monkeypatch.setenv("WALLET_URL", "http://of-the-environment/")
    for client, url, key in (
        (kind(), "http://of-the-environment", "of-the-environment"),
        (kind("http://given"), "http://given", "of-the-environment"),
        (kind(api_key="given"), "http://of-the-environment", "given"),
    ):
        context = client._runner.context
        assert context.endpoints.choose() == url
        assert ("Authorization", f"Bearer {key}") in context.headers
    monkeypatch.delenv("WALLET_API_KEY")
    for make in (kind, kind.from_consul):
        with pytest.raises(
            ValueError, match="api_key is missing: give it, or set the environment variable WALLET_API_KEY"
        ):
            make()


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "wallet_client"]


def test_a_call_is_a_span_where_a_provider_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    transport, requests = answers((503, BUSY), (200, BALANCE), (402, {"code": "insufficient_funds"}))
    with WalletClient("http://wallet", api_key="a-key", transport=transport) as client:
        with provider.get_tracer("caller").start_as_current_span("outside"):
            client.get_balance(ID)
        with pytest.raises(InsufficientFunds):
            client.consume(ID, 1)

    read, outside, refused = seen.get_finished_spans()
    assert (read.name, refused.name) == ("wallet get_balance", "wallet consume")
    assert read.parent is not None
    assert read.parent.span_id == outside.context.span_id
    assert dict(read.attributes or {}) == {
        "http.request.method": "GET",
        "url.template": "/api/v1/wallets/{wallet_id}/balance",
        "wallet.call": "get_balance",
        "http.response.status_code": 200,
        "http.request.resend_count": 1,
    }
    assert (refused.attributes or {})["error.type"] == "InsufficientFunds"
    assert f"{read.context.trace_id:032x}-{read.context.span_id:016x}" in requests[0].headers["traceparent"]


@pytest.mark.parametrize("loaded", [True, False])
def test_without_a_provider_nothing_is_traced(monkeypatch: pytest.MonkeyPatch, loaded: bool) -> None:
    if loaded:
        monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    else:
        monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    transport, requests = answers((200, BALANCE))
    with WalletClient("http://wallet", api_key="a-key", transport=transport) as client:
        client.get_balance(ID)
    assert "traceparent" not in requests[0].headers
    assert ("opentelemetry.trace" in sys.modules) is loaded


def test_percentiles_are_at_most_a_fifth_too_long() -> None:
    metrics = Metrics()
    for number in range(1, 1001):
        metrics.add("consume", number / 1000, retries=0, error=None)
    metrics.add("get_wallet", 1e9, retries=3, error="NoAnswer")

    counted = metrics.snapshot()
    latency = counted.by_name["consume"].latency

    for found, exact in ((latency.p50_s, 0.5), (latency.p90_s, 0.9), (latency.p99_s, 0.99)):
        assert exact <= found <= exact * 1.2
    assert (latency.max_s, counted.latency.max_s) == (1.0, 1e9)
    assert (counted.calls, counted.retries, counted.errors) == (1001, 3, {"NoAnswer": 1})
    assert Metrics().snapshot().latency.p99_s == 0
