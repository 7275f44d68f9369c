"""Two instances share one limit through a real Redis, which dies, freezes, comes back and keeps its door closed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs
from support.api import Api, Client, open_api, problem
from support.polling import wait_until
from support.redis_server import RedisServer

from wallet_service.core.identifiers import new_id
from wallet_service.platform.rate_limits import redis_count
from wallet_service.platform.rate_limits.limiter import Limiter
from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.redis_count import RedisCount

pytestmark = pytest.mark.redis

NOWHERE = "/wallets/019a0f3e-5a7b-7c11-9d2e-3f4a5b6c7d8e"
WINDOW_S = 86_400
"""No window ends during a test."""

PATIENT_MS = 5_000
"""A Redis that is there answers in this time on any machine: one that seemed away would lend nothing."""

HASTY_MS = 200
"""For a Redis that says nothing."""

LONGEST_S = 5
"""A request that waits for a Redis that is not there ends long before this."""


class Pair:
    """Two instances on one database and one Redis, and a client that knocks at both."""

    def __init__(self, first: Api, second: Api, callers: list[Client]) -> None:
        self.apis = (first, second)
        self.callers = callers

    def shared_count(self, place: int) -> RedisCount:
        limiter: Limiter = self.apis[place].app.state.limiter
        shared_count = limiter._leases["client"]._shared_count
        assert isinstance(shared_count, RedisCount)
        return shared_count

    async def ask(self, requests: int) -> Counter[int]:
        """So many requests at once, to one and the other; how often each status was the answer."""
        answers = await asyncio.gather(*(self.callers[each % 2].get(NOWHERE) for each in range(requests)))
        return Counter(answer.status_code for answer in answers)


@asynccontextmanager
async def pair(dsn: str, url: str, limit: int, **settings: Any) -> AsyncIterator[Pair]:
    given = {
        "redis_url": url,
        "redis_timeout_ms": PATIENT_MS,
        "rate_limit_client_tokens": limit,
        "rate_limit_window_s": WINDOW_S,
    }
    async with open_api(dsn, **given | settings) as first, open_api(dsn, **given | settings) as second:
        one = await first.service("wallets:read", name=f"client-{new_id()}")
        other = Client(second.app, second.http, one._headers["Authorization"].removeprefix("Bearer "))
        yield Pair(first, second, [one, other])


async def test_two_instances_share_one_limit_to_the_last_token(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 200) as both:
        assert (await both.ask(150))[404] == 150
        total = Counter({404: 150})
        for _ in range(10):
            total += await both.ask(20)
        assert total == {404: 200, 429: 150}


async def test_a_warm_caller_needs_no_redis(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 10_000) as both:
        await both.ask(10)
        await wait_until(
            lambda: not any(both.apis[place].app.state.limiter._leases["client"]._calls for place in (0, 1))
        )
        with redis.frozen():
            started = time.perf_counter()
            assert await both.ask(100) == {404: 100}
            assert time.perf_counter() - started < LONGEST_S
            assert not both.shared_count(0).is_unavailable


async def test_no_name_goes_to_redis(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 100) as both:
        user = both.apis[0].user()
        await both.ask(2)
        await user.get(NOWHERE)
        async with redis.client() as client:
            keys = [str(key) for key in await client.keys()]
            lives = [await client.pttl(key) for key in keys]
        assert keys
        assert not any("client-" in key or "user-" in key for key in keys)
        assert all(0 < life <= 2 * WINDOW_S * 1000 for life in lives)


async def knock_until(both: Pair, done: asyncio.Event, answers: list[httpx.Response]) -> None:
    """Requests to both, one after the other, until it is done."""
    while not done.is_set():
        answers += await asyncio.gather(*(caller.get(NOWHERE) for caller in both.callers))


async def test_redis_dies_under_load_and_comes_back(
    redis: RedisServer, service_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_count, "_log", structlog.get_logger())
    answers: list[httpx.Response] = []
    async with pair(service_dsn, redis.url, 3000) as both:
        with capture_logs() as logs:
            done = asyncio.Event()
            load = [asyncio.create_task(knock_until(both, done, answers)) for _ in range(4)]
            await wait_until(lambda: len(answers) >= 50)
            redis.kill()
            await wait_until(
                lambda: both.shared_count(0).is_unavailable and both.shared_count(1).is_unavailable
            )
            await redis.start()
            await wait_until(
                lambda: not both.shared_count(0).is_unavailable and not both.shared_count(1).is_unavailable
            )
            done.set()
            await asyncio.gather(*load)
    assert {answer.status_code for answer in answers} <= {404, 429}
    events = Counter(line["event"] for line in logs if line["event"].startswith("redis"))
    assert events == {"redis_unavailable": 2, "redis_available_again": 2}


async def test_after_it_came_back_the_limit_is_shared_again(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 20) as both:
        redis.kill()
        assert await both.ask(60) == {404: 40, 429: 20}  # each by itself
        await redis.start()
        await wait_until(
            lambda: not both.shared_count(0).is_unavailable and not both.shared_count(1).is_unavailable
        )
        other = await both.apis[0].service("wallets:read")
        second = Client(both.apis[1].app, both.apis[1].http, other._headers["Authorization"][7:])
        both.callers = [other, second]
        total: Counter[int] = Counter()
        for _ in range(6):
            total += await both.ask(10)
        assert total == {404: 20, 429: 40}


def is_away(api: Api) -> float | None:
    return api.app.state.metrics.get_sample_value("wallet_rate_limit_redis_unavailable")


async def test_what_cannot_be_counted_is_denied_when_configured(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 1000, rate_limit_on_redis_down="deny") as both:
        redis.kill()
        answers = [await both.callers[0].get(NOWHERE) for _ in range(3)]
        for answer in answers:
            document = problem(answer, "rate_limited")
            assert document["detail"] == "Requests can't be counted now"
            assert answer.headers["Retry-After"] == "1"
        assert is_away(both.apis[0]) == 1
        await redis.start()
        await wait_until(lambda: not both.shared_count(0).is_unavailable)
        assert is_away(both.apis[0]) == 0
        assert (await both.callers[0].get(NOWHERE)).status_code == 404


async def test_a_frozen_redis_delays_one_request_by_its_timeout(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 100, redis_timeout_ms=HASTY_MS) as both:
        with redis.frozen():
            started = time.perf_counter()
            assert await both.ask(20) == {404: 20}
            assert both.shared_count(0).is_unavailable
            first = time.perf_counter() - started
            assert HASTY_MS / 1000 <= first < LONGEST_S
        await wait_until(lambda: not both.shared_count(0).is_unavailable)


@pytest.mark.parametrize("policy", ["local", "deny"])
async def test_a_wrong_password_at_the_start_is_said_and_not_shown(
    redis: RedisServer, service_dsn: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_count, "_log", structlog.get_logger())
    with capture_logs() as logs:
        async with pair(
            service_dsn, redis.url_with("wrong-password"), 3, rate_limit_on_redis_down=policy
        ) as both:
            answers = await both.ask(8)
    assert answers == ({404: 6, 429: 2} if policy == "local" else {429: 8})
    lines = [line for line in logs if line["event"].startswith("redis")]
    assert [line["event"] for line in lines] == ["redis_unavailable"] * 2
    assert all("AuthenticationError" in line["error"] for line in lines)
    assert "wrong-password" not in str(lines)


async def test_the_door_is_closed_later(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 20) as both:
        async with redis.client() as client:
            await client.config_set("requirepass", "another")
            await client.client_kill_filter(_type="normal", skipme=True)
        assert await both.ask(60) == {404: 40, 429: 20}
        assert both.shared_count(0).is_unavailable


async def test_a_redis_that_only_reads_is_unavailable_until_it_writes(
    redis: RedisServer, service_dsn: str
) -> None:
    async with pair(service_dsn, redis.url, 20) as both:
        async with redis.client() as client:
            await client.config_set("maxmemory", 1)
            assert await both.ask(60) == {404: 40, 429: 20}
            assert both.shared_count(0).is_unavailable
            await client.config_set("maxmemory", 0)
        await wait_until(lambda: not both.shared_count(0).is_unavailable)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b":abc\r\n",
        b"$5\r\nhello\r\n",
        b"*1\r\n",
        b"\xff" * 64 + b"\r\n",
    ],
)
async def test_a_server_that_is_no_redis_is_unavailable(service_dsn: str, said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said and await reader.read(4096):
            writer.write(said)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"redis://127.0.0.1:{port}"
        async with pair(service_dsn, url, 5, redis_timeout_ms=HASTY_MS) as both:
            assert await both.ask(14) == {404: 10, 429: 4}
            assert both.shared_count(0).is_unavailable


async def test_close_ends_a_probe_whose_cancellation_the_client_swallows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probing = asyncio.Event()

    async def swallow(**_: Any) -> None:  # as the client does when the connection breaks at that moment
        probing.set()
        try:
            await asyncio.sleep(LONGEST_S)
        except asyncio.CancelledError:
            raise ConnectionError from None

    lender = RedisCount("redis://127.0.0.1:1", 0.1, "open", RateLimitMetrics())
    monkeypatch.setattr(lender._pool, "disconnect", swallow)
    await lender.open()
    assert lender.is_unavailable
    await probing.wait()
    monkeypatch.undo()
    async with asyncio.timeout(LONGEST_S):
        await lender.close()


async def test_many_new_callers_at_once_take_few_connections(redis: RedisServer, service_dsn: str) -> None:
    async with pair(service_dsn, redis.url, 20, rate_limit_user_tokens=20) as both:
        users = [both.apis[0].user() for _ in range(200)]
        answers = await asyncio.gather(*(user.get(NOWHERE) for user in users))
        assert {answer.status_code for answer in answers} == {404}
        assert not both.shared_count(0).is_unavailable
        async with redis.client() as client:
            assert len(await client.client_list()) <= 2 * redis_count.MOST_CONNECTIONS + 1
