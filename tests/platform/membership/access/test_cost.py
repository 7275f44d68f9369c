"""When the service asks no upstream: while the check is off, with warm memory, at the stop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from support.access_checks import (
    UNAVAILABLE,
    OpenApi,
    create_shared_wallet,
    unverified_ids,
    user_calls,
    verification_idle,
)
from support.api import Api, new_user, posted, problem
from support.stand_in import StandIn

ATTEMPTS = 3
"""Requests of one question that is not answered."""


async def test_unless_it_is_on_no_upstream_is_called(open_api: OpenApi, upstreams: StandIn) -> None:
    upstreams.fault = UNAVAILABLE
    async with open_api(verify_users=False, upstream_unavailable_policy="deny") as api:
        shared = await create_shared_wallet(api)
        for name, use in user_calls(shared).items():
            answer = await use()
            assert answer.status_code in {200, 201}, (name, answer.text)
        everything = await shared.user.get(f"/users/{shared.user.user_id}/wallets")
        assert [wallet["wallet_id"] for wallet in everything.json()["items"]] == [shared.wallet_id]
        fresh = new_user()
        answer = await api.admin.post(f"/users/{fresh}/credits/consume", {"amount": "1"})
        problem(answer, "insufficient_funds")
        assert shared.wallet_id not in await unverified_ids(api.admin)
    assert upstreams.questions == []


async def test_a_service_that_is_not_called_has_no_breaker(api: Api) -> None:
    families = {family.name: family for family in api.app.state.metrics.collect()}
    breakers = families["wallet_upstream_breaker_open"].samples
    assert {sample.labels["upstream"] for sample in breakers} == {"account", "organization"}


async def test_with_a_warm_cache_no_upstream_is_called(api: Api, upstreams: StandIn) -> None:
    shared = await create_shared_wallet(api)
    await shared.user.move("consume", shared.wallet_id)
    await verification_idle(api)
    asked, database = len(upstreams.questions), api.app.state.database
    calls: list[str] = []
    call = database.call

    async def counted(function: str, /, **params: Any) -> bytes:
        calls.append(function)
        return await call(function, **params)

    database.call = counted
    for _ in range(5):
        posted(await shared.user.move("consume", shared.wallet_id))
        await verification_idle(api)
    assert len(upstreams.questions) == asked
    assert calls == ["post_transactions"] * 5


@pytest.mark.parametrize("use", ["read", "consume", "transfer", "batch", "transaction", "spend"])
async def test_a_request_asks_once_about_an_organization(api: Api, upstreams: StandIn, use: str) -> None:
    """Also when there is no response, which no cache holds."""
    await _asks_once(api, upstreams, use, UNAVAILABLE, {ATTEMPTS})


async def test_also_of_a_service_that_hangs(open_api: OpenApi, upstreams: StandIn) -> None:
    async with open_api(upstream_timeout_ms=1000) as api:
        # A hang ends an attempt with half of the time. On a busy machine the second may not leave.
        await _asks_once(api, upstreams, "transfer", "hang", {1, 2})


async def _asks_once(api: Api, upstreams: StandIn, use: str, fault: str, attempts: set[int]) -> None:
    place = await create_shared_wallet(api)
    user, path = place.user, f"/wallets/{place.wallet_id}"
    user_id, organization_id = user.user_id, place.organization_id
    assert user_id is not None
    other = await api.admin.wallet(user_id=user_id, organization_id=organization_id, name="other")
    moved = await api.admin.move("transfer", place.wallet_id, to_wallet_id=other["wallet_id"])
    into = {"amount": "1", "to_wallet_id": other["wallet_id"]}
    operations = [{"type": "transfer", "wallet_id": place.wallet_id, **into} for _ in range(3)]
    send: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
        "read": lambda: user.get(path),
        "consume": lambda: user.move("consume", place.wallet_id),
        "transfer": lambda: user.post(f"{path}/transfer", into),
        "batch": lambda: user.batch(*operations),
        "transaction": lambda: user.get(f"/transactions/{posted(moved)['transaction_id']}"),
        "spend": lambda: user.post(f"/users/{user_id}/credits/consume", {"amount": "1"}),
    }
    upstreams.fault = fault
    asked = len(upstreams.questions)
    assert (await send[use]()).status_code in {200, 201}
    member = f"/api/v1/organizations/{organization_id}/members/{user_id}"
    assert set(upstreams.paths()[asked:]) == {member}
    assert len(upstreams.paths()[asked:]) in attempts


async def test_at_the_stop_nothing_is_verified_any_more(open_api: OpenApi) -> None:
    async with open_api() as api:
        wallet_id = (await api.admin.wallet("10"))["wallet_id"]
        database, looked_up = api.app.state.database, asyncio.Event()
        call = database.call

        async def hanging(function: str, /, **params: Any) -> bytes:
            if function == "list_unverified_wallets":
                looked_up.set()
                await asyncio.Event().wait()
            return await call(function, **params)

        database.call = hanging
        posted(await api.admin.move("consume", wallet_id))
        await looked_up.wait()
        working = api.app.state.membership._verification._task
        assert not working.done()
    assert working.cancelled()
