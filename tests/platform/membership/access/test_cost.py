"""When nobody is asked: while it is off, with warm memory, at the stop."""

import asyncio
from typing import Any

from support.api import Api, new_user, posted
from support.guarded import AWAY, Open, settled, shared, unverified, uses
from support.stand_in import StandIn


async def test_unless_it_is_on_nobody_is_asked(open_api: Open, others: StandIn) -> None:
    others.fault = AWAY
    async with open_api(verify_users=False, upstream_unavailable_policy="deny") as api:
        place = await shared(api)
        for name, use in uses(place).items():
            answer = await use()
            assert answer.status_code in {200, 201}, (name, answer.text)
        everything = await place.user.get(f"/users/{place.user.user_id}/wallets")
        assert [wallet["wallet_id"] for wallet in everything.json()["items"]] == [place.wallet_id]
        fresh = new_user()
        assert (await api.admin.get(f"/users/{fresh}/credits/balance")).status_code == 200
        assert place.wallet_id not in await unverified(api.admin)
    assert others.questions == []


async def test_with_warm_memory_nobody_is_asked(api: Api, others: StandIn) -> None:
    place = await shared(api)
    await place.user.move("consume", place.wallet_id)
    await settled(api)
    asked, database = len(others.questions), api.app.state.database
    calls: list[str] = []
    call = database.call

    async def counted(function: str, /, **params: Any) -> bytes:
        calls.append(function)
        return await call(function, **params)

    database.call = counted
    for _ in range(5):
        posted(await place.user.move("consume", place.wallet_id))
        await settled(api)
    assert len(others.questions) == asked
    assert calls == ["post_transactions"] * 5


async def test_at_the_stop_nothing_is_verified_any_more(open_api: Open) -> None:
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
        working = api.app.state.access._verification._task
        assert not working.done()
    assert working.cancelled()
