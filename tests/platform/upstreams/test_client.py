"""One question, whatever is at the other end."""

import asyncio
import contextlib
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import respx
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from support.stand_in import UNAVAILABLE, UNUSABLE, StandIn, stand_in
from support.upstreams import ListedInstances, ManualClock, account_client

from wallet_service.platform.upstreams import client as module
from wallet_service.platform.upstreams.breaker import FAILURES, PAUSE_S
from wallet_service.platform.upstreams.client import (
    ATTEMPTS,
    BACKOFF_S,
    CONNECTIONS,
    LARGEST_BYTES,
    UpstreamClient,
    path_of,
)
from wallet_service.platform.upstreams.metrics import UpstreamMetrics
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import ResponseUnusable

URL = "http://accounts.example"
PATH = "/api/v1/accounts/ann"
GOOD = {"user_id": "ann"}


def read(status: int, document: dict[str, Any]) -> dict[str, Any]:
    if status != 200 or document != GOOD:
        raise ValueError(f"status {status}")
    return document


@pytest.fixture
def account() -> Any:
    with respx.mock(assert_all_called=False, using="httpx") as router:
        yield router.get(URL + PATH)


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    async with account_client(ListedInstances(URL)) as opened:
        yield opened


async def test_an_answer_is_read(account: respx.Route, client: UpstreamClient) -> None:
    account.respond(json=GOOD)
    assert await client.ask("GET", PATH, read) == GOOD
    assert account.call_count == 1


async def test_the_request_id_is_passed_on(account: respx.Route, client: UpstreamClient) -> None:
    account.respond(json=GOOD)
    with structlog.contextvars.bound_contextvars(request_id="req-7"):
        await client.ask("GET", PATH, read)
    await client.ask("GET", PATH, read)
    first, second = (call.request.headers["X-Request-Id"] for call in account.calls)
    assert first == "req-7"
    assert second != "req-7"
    assert len(second) == 36  # of its own, so that both logs can name it


async def test_a_failure_is_tried_again(account: respx.Route, client: UpstreamClient) -> None:
    account.side_effect = [httpx.ConnectError("refused"), httpx.Response(502), httpx.Response(200, json=GOOD)]
    assert await client.ask("GET", PATH, read) == GOOD
    assert account.call_count == 3 == ATTEMPTS


async def test_but_not_for_ever(account: respx.Route, client: UpstreamClient) -> None:
    account.side_effect = httpx.ConnectError("refused")
    with capture_logs() as log, pytest.raises(UpstreamUnavailable) as refused:
        await client.ask("GET", PATH, read)
    assert account.call_count == ATTEMPTS
    assert refused.value.facts == {"upstream": "account"}
    assert [(line["event"], line["reason"]) for line in log] == [
        ("upstream_unavailable", "ConnectError: refused")
    ]


async def test_a_failed_instance_is_reported_and_another_responds() -> None:
    instances = ListedInstances("http://one", "http://two")
    with respx.mock(using="httpx") as router:
        router.get("http://one" + PATH).mock(side_effect=httpx.ConnectError("refused"))
        router.get("http://two" + PATH).respond(json=GOOD)
        async with account_client(instances) as client:
            for _ in range(3 * FAILURES):  # one of two that works keeps the breaker closed
                assert await client.ask("GET", PATH, read) == GOOD
    assert set(instances.failures) == {("account", "http://one")}


async def test_no_instance_to_call() -> None:
    instances = ListedInstances()
    registry = CollectorRegistry()
    with capture_logs() as log:
        async with account_client(instances, metrics=UpstreamMetrics(registry)) as client:
            for _ in range(2 * FAILURES):
                with pytest.raises(UpstreamUnavailable) as refused:
                    await client.ask("GET", PATH, read)
            instances.urls.append(URL)
            with respx.mock(using="httpx") as router:
                router.get(URL + PATH).respond(json=GOOD)
                assert await client.ask("GET", PATH, read) == GOOD
            instances.urls.clear()
            with pytest.raises(UpstreamUnavailable):
                await client.ask("GET", PATH, read)
    missing = "The account service can't be found: no healthy instance and no WALLET_ACCOUNT_URL"
    assert refused.value.detail == missing
    assert [(line["event"], line["log_level"]) for line in log] == [
        ("upstream_no_instance", "warning"),  # once until it is found
        ("upstream_no_instance", "warning"),
    ]
    assert (log[0]["upstream"], log[0]["setting"]) == ("account", "WALLET_ACCOUNT_URL")
    labels = {"upstream": "account", "outcome": "no_instance"}
    assert registry.get_sample_value("wallet_upstream_calls_total", labels) == 2 * FAILURES + 1


@pytest.mark.parametrize("fault", UNAVAILABLE)
async def test_an_unavailable_upstream_is_one_refusal(upstreams: StandIn, fault: str) -> None:
    upstreams.fault = fault
    instances = ListedInstances(upstreams.url)
    hangs = fault in {"hang", "trickle"}
    async with account_client(instances, timeout_s=0.4 if hangs else 5) as client:
        with pytest.raises(UpstreamUnavailable) as refused:
            await client.ask("GET", PATH, read)
        assert (refused.value.status, refused.value.retryable) == (503, True)
        if hangs:  # on a slow machine the time may be over before a question has left
            assert set(upstreams.paths()) <= {PATH}
        else:
            attempts = 1 if fault == "429" else ATTEMPTS
            assert instances.failures == [("account", upstreams.url)] * attempts
            # aiohttp asks again itself when a connection is cut.
            assert upstreams.paths() == [PATH] * attempts * (2 if fault == "drop" else 1), (
                "nothing is followed"
            )
        upstreams.fault = None
        assert (await client.ask("GET", PATH, lambda _, found: found))["user_id"] == "ann"


@pytest.mark.parametrize("fault", UNUSABLE)
async def test_an_unusable_response_is_no_failure_of_an_instance(upstreams: StandIn, fault: str) -> None:
    upstreams.fault = fault
    instances = ListedInstances(upstreams.url)
    async with account_client(instances) as client:
        with capture_logs() as log:
            for _ in range(2 * FAILURES):
                with pytest.raises(ResponseUnusable) as refused:
                    await client.ask("GET", PATH, read)
        assert upstreams.paths() == [PATH] * 2 * FAILURES, "asked once each time, and always"
        assert instances.failures == []
        assert refused.value.refuses_id is (fault == "422")
        lines = [(line["event"], line["log_level"]) for line in log]
        if fault in {"401", "403"}:
            assert lines == [("upstream_access_refused", "error")], "once, until it takes us again"
        else:
            assert lines == [("upstream_response_unusable", "warning")] * 2 * FAILURES


async def test_an_answer_of_no_use_closes_the_breaker(upstreams: StandIn) -> None:
    # Or else whoever sends odd ids would take every turn to find out that the service is back.
    clock = ManualClock()
    async with account_client(ListedInstances(upstreams.url), clock) as client:
        upstreams.fault = "500"
        for _ in range(FAILURES):
            with pytest.raises(UpstreamUnavailable):
                await client.ask("GET", PATH, read)
        clock.value += PAUSE_S
        upstreams.fault = "422"
        with pytest.raises(ResponseUnusable):
            await client.ask("GET", PATH, read)
        upstreams.fault = None
        assert await client.ask("GET", PATH, lambda *_: "answered") == "answered"


async def test_being_refused_is_said_again_after_it_was_over(upstreams: StandIn) -> None:
    async with account_client(ListedInstances(upstreams.url)) as client:
        with capture_logs() as log:
            for fault in ("401", None, "401"):
                upstreams.fault = fault
                with contextlib.suppress(ResponseUnusable):
                    await client.ask("GET", PATH, lambda status, _: _ok(status))
    assert [line["event"] for line in log] == ["upstream_access_refused"] * 2


def _ok(status: int) -> None:
    if status != 200:
        raise ValueError


async def test_whatever_goes_wrong_is_a_failed_attempt() -> None:
    for address in (
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://a b:80",
        "http://:80",
        "no address",
    ):
        instances = ListedInstances(address)
        async with account_client(instances) as client:
            with pytest.raises(UpstreamUnavailable):
                await client.ask("GET", PATH, read)
        assert len(instances.failures) == ATTEMPTS, address


async def test_a_long_answer_is_not_read_to_its_end(upstreams: StandIn) -> None:
    upstreams.fault = "big"
    async with account_client(ListedInstances(upstreams.url)) as client:
        with capture_logs() as log, pytest.raises(UpstreamUnavailable):
            await client.ask("GET", PATH, read)
    assert log[0]["reason"] == f"the response is larger than {LARGEST_BYTES} bytes"


async def test_a_hanging_upstream_takes_no_longer_than_it_may(upstreams: StandIn) -> None:
    for fault in ("hang", "trickle"):
        upstreams.fault, instances = fault, ListedInstances(upstreams.url)
        async with account_client(instances, timeout_s=1) as client:
            started = time.monotonic()
            with pytest.raises(UpstreamUnavailable):
                await client.ask("GET", PATH, read)
            # An attempt takes half of it; the second has the rest, and counts too.
            assert 0.5 <= time.monotonic() - started < 2
        assert len(instances.failures) == 2


async def test_a_hang_leaves_time_for_another_instance(upstreams: StandIn) -> None:
    upstreams.fault = "hang"
    async with (
        stand_in() as good,
        account_client(ListedInstances(upstreams.url, good.url), timeout_s=2) as client,
    ):
        found = await client.ask("GET", PATH, lambda _, document: document)
    assert found["user_id"] == "ann"


async def test_attempts_are_further_and_further_apart(
    account: respx.Route, client: UpstreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    for _ in range(50):
        account.side_effect = [httpx.ConnectError("refused")] * 2 + [httpx.Response(200, json=GOOD)]
        await client.ask("GET", PATH, read)
    first, second = pauses[::2], pauses[1::2]
    assert len(set(pauses)) > 90, "by chance, so that callers don't come together"
    assert BACKOFF_S / 2 < max(first) <= BACKOFF_S < max(second) <= 2 * BACKOFF_S


async def test_one_hang_is_over_when_it_is_over(upstreams: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    # Questions that end while they wait for a connection, or make one, must not keep it.
    clock = ManualClock()

    async def all_ask(client: UpstreamClient, times: int, given_up_s: float | None = None) -> set[Any]:
        asked = [asyncio.create_task(client.ask("GET", PATH, lambda *_: "answered")) for _ in range(times)]
        if given_up_s is not None:
            asyncio.get_running_loop().call_later(given_up_s, lambda: [each.cancel() for each in asked])
        found = await asyncio.gather(*asked, return_exceptions=True)
        return {type(each) if isinstance(each, BaseException) else each for each in found}

    async with account_client(ListedInstances(upstreams.url), clock, timeout_s=60.0) as client:
        for fault in ("hang", "trickle", "hang"):
            upstreams.fault = fault
            with monkeypatch.context() as hanging:  # only here: on a busy machine a response takes its time
                hanging.setattr(client, "_timeout_s", 0.8)
                assert await all_ask(client, 3 * CONNECTIONS) == {UpstreamUnavailable}
            upstreams.fault = None
            clock.value += PAUSE_S
            assert await all_ask(client, 1) == {"answered"}
        upstreams.fault = "hang"
        assert await all_ask(client, 3 * CONNECTIONS, given_up_s=0.05) == {asyncio.CancelledError}
        upstreams.fault = None
        assert await all_ask(client, CONNECTIONS) == {"answered"}


async def test_certificates_are_read_once_off_the_loop_and_not_before_a_question(
    upstreams: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_by: list[threading.Thread] = []

    def create(**options: Any) -> Any:
        read_by.append(threading.current_thread())
        return httpx.create_ssl_context(**options)

    module._authorities.cache_clear()
    monkeypatch.setattr(module, "httpx", SimpleNamespace(**vars(httpx) | {"create_ssl_context": create}))
    async with (
        account_client(ListedInstances(upstreams.url)) as first,
        account_client(ListedInstances(upstreams.url)) as second,
    ):
        assert read_by == []
        for client in (first, second, first):
            await client.ask("GET", PATH, lambda *_: None)
    assert len(read_by) == 1
    assert read_by != [threading.main_thread()]


async def test_a_burst_is_not_the_upstreams_failure(upstreams: StandIn) -> None:
    upstreams.fault = "slow"

    def burst(client: UpstreamClient) -> Awaitable[list[Any]]:
        asked = (client.ask("GET", path_of("api", "v1", "accounts", str(n)), _user) for n in range(200))
        return asyncio.gather(*asked, return_exceptions=True)

    def _user(_status: int, document: dict[str, Any]) -> str:
        return document["user_id"]

    instances = ListedInstances(upstreams.url)
    async with account_client(instances, timeout_s=20) as client:
        assert await burst(client) == [str(number) for number in range(200)]
    # With too little time for all of them some are refused, and nobody blames the upstream.
    upstreams.slow_s = 0.4
    async with account_client(instances, timeout_s=2) as client:
        with capture_logs() as log:
            found = await burst(client)
        refused = [each for each in found if isinstance(each, UpstreamUnavailable)]
        assert 0 < len(refused) < 200
        assert "upstream_breaker_opened" not in str(log)
        assert "of ours" in str(log)
    assert instances.failures == []


async def test_a_caller_that_disconnects_is_released(upstreams: StandIn) -> None:
    upstreams.fault = "hang"
    async with account_client(ListedInstances(upstreams.url), timeout_s=60) as client:
        asked = asyncio.create_task(client.ask("GET", PATH, read))
        await upstreams.held.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_the_breaker_opens_and_closes(account: respx.Route) -> None:
    clock = ManualClock()
    account.respond(500)
    async with account_client(ListedInstances(URL), clock) as client:
        with capture_logs() as log:
            for _ in range(5):
                with pytest.raises(UpstreamUnavailable):
                    await client.ask("GET", PATH, read)
        assert account.call_count == FAILURES, "nobody waits for one that is left alone"
        assert [line["event"] for line in log if line["log_level"] == "warning"].count(
            "upstream_breaker_opened"
        ) == 1

        account.respond(json=GOOD)
        with pytest.raises(UpstreamUnavailable):
            await client.ask("GET", PATH, read)
        clock.value += PAUSE_S
        account.respond(503)
        with pytest.raises(UpstreamUnavailable):
            await client.ask("GET", PATH, read)
        assert account.call_count == FAILURES + 1, "one attempt, and it failed"

        clock.value += PAUSE_S
        account.respond(json=GOOD)
        with capture_logs() as log:
            for _ in range(3):
                assert await client.ask("GET", PATH, read) == GOOD
        assert [line["event"] for line in log] == ["upstream_breaker_closed"]


async def test_cookies_are_not_kept(upstreams: StandIn) -> None:
    upstreams.fault = "cookie"
    # A name, as cookies of addresses are not kept anyway.
    async with account_client(ListedInstances(upstreams.url.replace("127.0.0.1", "localhost"))) as client:
        for _ in range(2):
            await client.ask("GET", PATH, lambda *_: None)
    assert [question.headers.get("Cookie") for question in upstreams.questions] == [None, None]


async def test_the_log_says_nothing_of_who_was_asked_for(upstreams: StandIn) -> None:
    path = "/api/v1/accounts/secret-name"
    with capture_logs() as log:
        for fault in {**UNAVAILABLE, **UNUSABLE}:
            upstreams.fault = fault
            async with account_client(ListedInstances(upstreams.url), timeout_s=0.2) as client:
                with pytest.raises((UpstreamUnavailable, ResponseUnusable)) as refused:
                    await client.ask("GET", path, _shaped)
                assert "secret" not in "".join(traceback.format_exception(refused.value))
    assert len(log) >= len({**UNAVAILABLE, **UNUSABLE})
    assert "secret" not in str(log)


def _shaped(_status: int, document: dict[str, Any]) -> None:
    raise ValueError(f"of secret-name it says {document}")  # as pydantic does


@pytest.mark.parametrize(
    ("segment", "encoded"),
    [
        ("ann", "ann"),
        ("a/b", "a%2Fb"),
        ("../../organizations/1", "..%2F..%2Forganizations%2F1"),
        ("a/./b", "a%2F.%2Fb"),
        ("...", "..."),
        ("a?b#c", "a%3Fb%23c"),
        ("a;b=c&d", "a%3Bb%3Dc%26d"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("Ümläut 名前", "%C3%9Cml%C3%A4ut%20%E5%90%8D%E5%89%8D"),
        ("a\\b", "a%5Cb"),
        ("user@example.org", "user%40example.org"),
        ("//evil.example", "%2F%2Fevil.example"),
        ("a\tb", "a%09b"),
    ],
)
async def test_an_id_stays_one_segment(upstreams: StandIn, segment: str, encoded: str) -> None:
    path = path_of("api", "v1", "accounts", segment)
    async with account_client(ListedInstances(upstreams.url)) as client:
        found = await client.ask("GET", path, lambda _, document: document)
    assert upstreams.paths() == ["/api/v1/accounts/" + encoded], "on the line, as the server sees it"
    assert found["user_id"] == segment


@pytest.mark.parametrize("segment", ["", ".", "..", "a\ud800"])
def test_what_can_stand_in_no_path_is_refused(segment: str) -> None:
    with pytest.raises(ValueError, match=r"segment|surrogates"):
        path_of("api", "v1", "accounts", segment)
