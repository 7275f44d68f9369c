"""One question, whatever is at the other end."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx
import structlog
from structlog.testing import capture_logs
from support.neighbours import Places, Seconds, asking
from support.stand_in import FAULTS, StandIn

from wallet_service.errors import NeighbourUnavailable
from wallet_service.neighbours.breaker import FAILURES, PAUSE_S
from wallet_service.neighbours.client import ATTEMPTS, LARGEST_BYTES, NeighbourClient, path_of

URL = "http://accounts.example"
PATH = "/api/v1/accounts/ann"
GOOD = {"user_id": "ann"}


def read(status: int, document: dict[str, Any]) -> dict[str, Any]:
    if status != 200 or document != GOOD:
        raise ValueError(f"status {status}")
    return document


@pytest.fixture
def account() -> Any:
    with respx.mock(assert_all_called=False) as router:
        yield router.get(URL + PATH)


@pytest.fixture
async def client() -> AsyncIterator[NeighbourClient]:
    async with asking(Places(URL)) as opened:
        yield opened


async def test_an_answer_is_read(account: respx.Route, client: NeighbourClient) -> None:
    account.respond(json=GOOD)
    assert await client.ask("GET", PATH, read) == GOOD
    assert account.call_count == 1


async def test_the_request_id_is_passed_on(account: respx.Route, client: NeighbourClient) -> None:
    account.respond(json=GOOD)
    with structlog.contextvars.bound_contextvars(request_id="req-7"):
        await client.ask("GET", PATH, read)
    await client.ask("GET", PATH, read)
    first, second = (call.request.headers["X-Request-Id"] for call in account.calls)
    assert first == "req-7"
    assert second != "req-7"
    assert len(second) == 36  # of its own, so that both logs can name it


async def test_a_failure_is_tried_again(account: respx.Route, client: NeighbourClient) -> None:
    account.side_effect = [httpx.ConnectError("refused"), httpx.Response(502), httpx.Response(200, json=GOOD)]
    assert await client.ask("GET", PATH, read) == GOOD
    assert account.call_count == 3 == ATTEMPTS


async def test_but_not_for_ever(account: respx.Route, client: NeighbourClient) -> None:
    account.side_effect = httpx.ConnectError("refused")
    with capture_logs() as log, pytest.raises(NeighbourUnavailable) as refused:
        await client.ask("GET", PATH, read)
    assert account.call_count == ATTEMPTS
    assert refused.value.facts == {"neighbour": "account"}
    assert [(line["event"], line["reason"]) for line in log] == [
        ("neighbour_unavailable", "ConnectError: refused")
    ]


async def test_what_failed_is_told_and_another_instance_answers() -> None:
    places = Places("http://one", "http://two")
    with respx.mock:
        respx.get("http://one" + PATH).mock(side_effect=httpx.ConnectError("refused"))
        respx.get("http://two" + PATH).respond(json=GOOD)
        async with asking(places) as client:
            for _ in range(3 * FAILURES):  # one of two that works keeps the breaker closed
                assert await client.ask("GET", PATH, read) == GOOD
    assert set(places.gone) == {("account", "http://one")}


async def test_nobody_to_ask() -> None:
    async with asking(Places()) as client:
        for _ in range(2 * FAILURES):
            with pytest.raises(NeighbourUnavailable):
                await client.ask("GET", PATH, read)
    places = Places()
    async with asking(places) as client:
        with pytest.raises(NeighbourUnavailable):
            await client.ask("GET", PATH, read)
        places.urls.append(URL)
        with respx.mock:
            respx.get(URL + PATH).respond(json=GOOD)
            assert await client.ask("GET", PATH, read) == GOOD


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_is_wrong_is_one_refusal(others: StandIn, fault: str) -> None:
    others.fault = fault
    places = Places(others.url)
    async with asking(places, timeout_s=0.4) as client:
        with pytest.raises(NeighbourUnavailable) as refused:
            await client.ask("GET", PATH, read)
        assert (refused.value.status, refused.value.retryable) == (503, True)
        assert 1 <= len(others.questions) <= ATTEMPTS
        assert set(others.paths()) == {PATH}, "redirects are not followed"
        assert places.gone[0] == ("account", others.url)
        others.fault = None
        assert (await client.ask("GET", "/api/v1/accounts/ann", lambda _, found: found))["user_id"] == "ann"


async def test_a_long_answer_is_not_read_to_its_end(others: StandIn) -> None:
    others.fault = "big"
    async with asking(Places(others.url)) as client:
        with capture_logs() as log, pytest.raises(NeighbourUnavailable):
            await client.ask("GET", PATH, read)
    assert log[0]["reason"] == f"ValueError: the answer is larger than {LARGEST_BYTES} bytes"


async def test_a_hanging_neighbour_takes_no_longer_than_it_may(others: StandIn) -> None:
    for fault in ("hang", "trickle"):
        others.fault = fault
        async with asking(Places(others.url), timeout_s=0.5) as client:
            started = time.monotonic()
            with pytest.raises(NeighbourUnavailable):
                await client.ask("GET", PATH, read)
            assert 0.2 < time.monotonic() - started < 5


async def test_a_caller_that_goes_away_is_let_go(others: StandIn) -> None:
    others.fault = "hang"
    async with asking(Places(others.url), timeout_s=60) as client:
        asked = asyncio.create_task(client.ask("GET", PATH, read))
        await others.held.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_the_breaker_opens_and_closes(account: respx.Route) -> None:
    clock = Seconds()
    account.respond(500)
    async with asking(Places(URL), clock) as client:
        with capture_logs() as log:
            for _ in range(5):
                with pytest.raises(NeighbourUnavailable):
                    await client.ask("GET", PATH, read)
        assert account.call_count == FAILURES, "nobody waits for one that is left alone"
        assert [line["event"] for line in log if line["log_level"] == "warning"].count(
            "neighbour_left_alone"
        ) == 1

        account.respond(json=GOOD)
        with pytest.raises(NeighbourUnavailable):
            await client.ask("GET", PATH, read)
        clock.value += PAUSE_S
        account.respond(503)
        with pytest.raises(NeighbourUnavailable):
            await client.ask("GET", PATH, read)
        assert account.call_count == FAILURES + 1, "one attempt, and it failed"

        clock.value += PAUSE_S
        account.respond(json=GOOD)
        with capture_logs() as log:
            for _ in range(3):
                assert await client.ask("GET", PATH, read) == GOOD
        assert [line["event"] for line in log] == ["neighbour_back"]


async def test_cookies_are_nobodys(account: respx.Route, client: NeighbourClient) -> None:
    account.respond(json=GOOD, headers={"Set-Cookie": "session=secret; Path=/"})
    for _ in range(2):
        await client.ask("GET", PATH, read)
    assert [call.request.headers.get("Cookie") for call in account.calls] == [None, None]


async def test_the_log_says_nothing_of_who_was_asked_for(others: StandIn) -> None:
    path = "/api/v1/accounts/secret-name"
    with capture_logs() as log:
        for fault in FAULTS:
            others.fault = fault
            async with asking(Places(others.url), timeout_s=0.2) as client:
                with pytest.raises(NeighbourUnavailable) as refused:
                    await client.ask("GET", path, read)
                assert "secret" not in str(refused.value) + str(refused.value.facts)
    assert len(log) >= len(FAULTS)
    assert "secret" not in str(log)


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
async def test_an_id_stays_one_segment(others: StandIn, segment: str, encoded: str) -> None:
    path = path_of("api", "v1", "accounts", segment)
    async with asking(Places(others.url)) as client:
        found = await client.ask("GET", path, lambda _, document: document)
    assert others.paths() == ["/api/v1/accounts/" + encoded], "on the line, as the server sees it"
    assert found["user_id"] == segment


@pytest.mark.parametrize("segment", ["", ".", "..", "a\ud800"])
def test_what_can_stand_in_no_path_is_refused(segment: str) -> None:
    with pytest.raises(ValueError, match=r"segment|surrogates"):
        path_of("api", "v1", "accounts", segment)
