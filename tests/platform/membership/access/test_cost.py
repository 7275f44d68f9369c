"""When nobody is asked: while it is off, with warm memory, at the stop."""

import asyncio
from typing import Any

from support.access_checks import (
    UNAVAILABLE,
    OpenApi,
    create_shared_wallet,
    unverified_ids,
    user_calls,
    verification_idle,
)
from support.api import Api, new_user, posted
from support.stand_in import StandIn


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
        assert (await api.admin.get(f"/users/{fresh}/credits/balance")).status_code == 200
        assert shared.wallet_id not in await unverified_ids(api.admin)
    assert upstreams.questions == []


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


async def test_at_the_stop_nothing_is_verified_any_more(open_api: OpenApi) -> None:
    async with open_api() as api:
        wallet_id = (await api.admin.wallet("10"))["wallet_id"]
        database, looked_up = api.app.state.database, asyncio.Event()
        call = database.call

        async def hanging(function: str, /, **params: Any) -> bytes:
            if function == "unverified_wallets":
                looked_up.set()
                await asyncio.Event().wait()
            return await call(function, **params)

        database.call = hanging
        posted(await api.admin.move("consume", wallet_id))
        await looked_up.wait()
        working = api.app.state.access._verification._task
        assert not working.done()
    assert working.cancelled()
