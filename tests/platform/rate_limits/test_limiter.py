"""Limits through the real application, with its clock stopped."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from support.api import ADMIN_KEY, Api, Client, created, new_user, open_api, problem
from support.database_location import DatabaseLocation

NOW = 1_790_000_000.0
NOWHERE = "/wallets/019a0f3e-5a7b-7c11-9d2e-3f4a5b6c7d8e"
LIMIT = re.compile(r'"(client|user)";r=(\d+);t=(\d+)')


def left(answer: httpx.Response) -> int:
    """What the answer says is left."""
    found = LIMIT.fullmatch(answer.headers["RateLimit"])
    assert found, answer.headers["RateLimit"]
    return int(found[2])


Limited = Callable[..., Awaitable[Api]]


class Moment:
    """The wall clock of the limits."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
async def limited(database_location: DatabaseLocation, moment: Moment) -> AsyncIterator[Limited]:
    """``await limited(rate_limit_client_tokens=5)``: the application with these settings, at this moment."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Api:
            api = await stack.enter_async_context(open_api(database_location, **settings))
            if api.app.state.limiter is not None:
                for leases in api.app.state.limiter._leases.values():
                    leases._clock = moment
            return api

        yield start


async def test_without_a_setting_no_caller_is_limited(limited: Limited) -> None:
    api = await limited()
    for client in (api.admin, api.user()):
        answer = await client.get(NOWHERE)
        assert not any(name.startswith("ratelimit") for name in answer.headers)


async def test_every_answer_says_the_limit_and_what_is_left(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=1000, rate_limit_window_s=60)
    service = await api.service("wallets:read", "wallets:write", "transactions:write")
    wallet = created(first := await service.post("/wallets", {"user_id": new_user()}))
    path = f"/wallets/{wallet['wallet_id']}"
    answers = [
        first,
        await service.get(path),  # 200
        await service.move("consume", wallet["wallet_id"]),  # 402
        await service.get(NOWHERE),  # 404
        await service.post(f"{path}/consume", {"amount": "one"}),  # 422
        await service.post(f"{path}/consume", b"{"),  # 400
        await service.get("/wallet/stats"),  # 403
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 402, 404, 422, 400, 403]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"client";q=1000;w=60'}
    assert [left(answer) for answer in answers] == [999, 998, 997, 996, 995, 994, 974]


async def test_more_is_refused_until_the_window_ends(limited: Limited, moment: Moment) -> None:
    api = await limited(rate_limit_client_tokens=2, rate_limit_window_s=60)
    service = await api.service("wallets:read")
    reset_s = int((await service.get(NOWHERE)).headers["RateLimit"].rpartition("=")[2])
    moment.now += reset_s - 10.5
    assert (await service.get(NOWHERE)).status_code == 404
    answer = await service.get(NOWHERE)
    document = problem(answer, "rate_limited")
    assert (document["scope"], document["limit"], document["window_s"]) == ("client", 2, 60)
    assert answer.headers["Retry-After"] == "11"
    assert answer.headers["RateLimit"] == '"client";r=0;t=11'
    assert answer.headers["RateLimit-Policy"] == '"client";q=2;w=60'
    moment.now += int(answer.headers["Retry-After"])
    assert left(await service.get(NOWHERE)) == 1


async def test_users_and_clients_have_limits_of_their_own(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=3, rate_limit_user_tokens=1)
    ann, bob = api.user(), api.user()
    assert (await ann.get(NOWHERE)).headers["RateLimit-Policy"] == '"user";q=1;w=60'
    assert problem(await ann.get(NOWHERE), "rate_limited")["scope"] == "user"
    assert (await bob.get(NOWHERE)).status_code == 404
    assert left(await api.admin.get(NOWHERE)) == 2


async def test_a_limit_of_users_only_leaves_clients_alone(limited: Limited) -> None:
    api = await limited(rate_limit_user_tokens=1)
    assert "RateLimit" not in (await api.admin.get(NOWHERE)).headers
    assert left(await api.user().get(NOWHERE)) == 0


async def test_keys_of_one_client_share_its_limit(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=10)
    name = new_user()
    old = await api.service("wallets:read", name=name)
    new = await api.service("wallets:read", name=name)
    assert [left(await key.get(NOWHERE)) for key in (old, new, old)] == [9, 8, 7]


async def test_a_batch_costs_its_operations(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=10)
    service = await api.service("wallets:write", "transactions:write", "wallets:read")
    wallet = await service.wallet("100")
    move = {"type": "consume", "wallet_id": wallet["wallet_id"], "amount": "1"}
    assert left(await service.batch(*[move] * 5)) == 4
    answer = await service.batch(*[move] * 5)
    problem(answer, "rate_limited")
    assert left(answer) == 3  # for having been read
    assert left(done := await service.batch(*[move] * 2)) == 1
    assert done.status_code == 200
    assert await api.admin.balance(wallet["wallet_id"]) == "93.000000"


async def test_a_batch_larger_than_the_limit_takes_all_of_it(limited: Limited, moment: Moment) -> None:
    api = await limited(rate_limit_client_tokens=4)
    service = await api.service("wallets:write", "transactions:write")
    wallet = await service.wallet("100")
    move = {"type": "consume", "wallet_id": wallet["wallet_id"], "amount": "1"}
    refused = await service.batch(*[move] * 9)
    moment.now += int(refused.headers["Retry-After"])
    answer = await service.batch(*[move] * 9)
    assert (answer.status_code, left(answer)) == (200, 0)


async def test_what_is_refused_is_not_read(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=1)
    service = await api.service("transactions:write")
    problem(await service.post(f"{NOWHERE}/consume", b"no JSON"), "malformed_request")
    problem(await service.post(f"{NOWHERE}/consume", b"no JSON"), "rate_limited")
    problem(await service.send("POST", "/wallets/import", b"x"), "rate_limited")


async def test_wrong_credentials_belong_to_no_caller(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=1, rate_limit_user_tokens=1)
    for wrong in ("wsk_" + "0" * 32 + "_" + "x" * 43, "a.b.c"):
        for _ in range(3):
            answer = await Client(api.app, api.http, wrong).get(NOWHERE)
            problem(answer, "unauthorized")
            assert "RateLimit" not in answer.headers
    assert left(await api.admin.get(NOWHERE)) == 0


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json"]
)
async def test_open_doors_and_metrics_are_not_limited(limited: Limited, path: str) -> None:
    api = await limited(rate_limit_client_tokens=1)
    await api.admin.get(NOWHERE)
    problem(await api.admin.get(NOWHERE), "rate_limited")
    answer = await api.http.get(path, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers


async def test_a_streamed_answer_says_it_too(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=100)
    wallet = await api.admin.wallet("5")
    path = f"/wallets/{wallet['wallet_id']}/transactions"
    answer = await api.admin.send("GET", path, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert left(answer) == 79


async def test_refusals_are_counted_without_names(limited: Limited) -> None:
    api = await limited(rate_limit_client_tokens=1, rate_limit_user_tokens=1)
    ann = api.user()
    for client in (api.admin, ann, ann, ann):
        await client.get(NOWHERE)
    answer = await api.http.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert 'wallet_rate_limit_refusals_total{scope="client"} 0.0' in answer.text
    assert 'wallet_rate_limit_refusals_total{scope="user"} 2.0' in answer.text
    assert "wallet_rate_limit_shared 0.0" in answer.text
    assert ann.user_id is not None
    assert ann.user_id not in answer.text
