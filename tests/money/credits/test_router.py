import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from typing import Any

import asyncpg
import pytest
from support.api import Api, conforms, new_user, posted, problem
from support.polling import wait_for_lock_waiters

from wallet_service.core.identifiers import new_id
from wallet_service.money.credits.schemas import CreditsBalance

Unchanged = Callable[[], Context[None]]


async def balance(api: Api, user_id: str) -> dict[str, Any]:
    answer = await api.admin.get(f"/users/{user_id}/credits/balance")
    assert answer.status_code == 200, answer.text
    return conforms(answer.content, CreditsBalance)


@pytest.fixture
def calls(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of the database, by their functions."""
    called, database = list[str](), api.app.state.database
    call = database.call

    async def counted(function: str, /, **params: Any) -> bytes:
        called.append(function)
        return await call(function, **params)

    monkeypatch.setattr(database, "call", counted)
    return called


async def consume_nothing(api: Api, user_id: str) -> str:
    """Consume from a wallet without credits; its id."""
    answer = await api.admin.post(f"/users/{user_id}/credits/consume", {"amount": "1"})
    return problem(answer, "insufficient_funds")["wallet_id"]


async def test_a_balance_is_read_and_nothing_is_created(api: Api, unchanged: Unchanged) -> None:
    user = api.user()
    user_id = user.user_id
    reader = await api.service("wallets:read")
    async with unchanged():
        for caller in (api.admin, reader, user):
            answer = await caller.get(f"/users/{user_id}/credits/balance")
            assert conforms(answer.content, CreditsBalance) == {
                "user_id": user_id,
                "wallet_id": None,
                "currency": "CREDIT",
                "balance": "0.000000",
                "available_balance": "0.000000",
            }


async def test_the_first_consumption_creates_the_wallet(api: Api) -> None:
    user_id = new_user()
    wallet_id = await consume_nothing(api, user_id)
    assert (await balance(api, user_id))["wallet_id"] == wallet_id
    wallet = await api.admin.read(wallet_id)
    assert (wallet["name"], wallet["wallet_type"], wallet["is_primary"]) == ("main", "fiat", True)
    assert await consume_nothing(api, user_id) == wallet_id


async def test_it_is_one_call_of_the_database(api: Api, calls: list[str]) -> None:
    wallet, fresh = await api.admin.wallet("5"), new_user()
    user = api.user(wallet["user_id"])
    path = f"/users/{wallet['user_id']}/credits/consume"
    calls.clear()
    for caller in (api.admin, user):
        posted(await caller.post(path, {"amount": "1"}, key=new_id()))
        problem(await caller.post(path, {"amount": "100"}), "insufficient_funds")
    assert calls == ["post_transactions"] * 4
    calls.clear()
    await consume_nothing(api, fresh)
    await consume_nothing(api, fresh)
    assert calls == ["post_transactions", "find_credits_wallet", "post_transactions", "post_transactions"]


async def test_twenty_at_once_make_one_wallet(api: Api) -> None:
    user_id = new_user()
    found = await asyncio.gather(*(consume_nothing(api, user_id) for _ in range(20)))
    assert len(set(found)) == 1
    listed = (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"]
    assert [wallet["wallet_id"] for wallet in listed] == [found[0]]


async def test_who_comes_second_finds_the_wallet_of_the_first(
    api: Api, superuser: asyncpg.Connection
) -> None:
    user_id = new_user()
    async with superuser.transaction():
        await superuser.execute("select wallet.lock_user_currency($1, 'CREDIT')", user_id)
        both = asyncio.gather(consume_nothing(api, user_id), consume_nothing(api, user_id))
        # Both have searched, and found none.
        await wait_for_lock_waiters(superuser, 2)
    one, two = await both
    assert one == two


async def test_a_wallet_that_is_primary_no_more_is_not_debited(
    api: Api, superuser: asyncpg.Connection
) -> None:
    """The change and the consumption are under way at the same time, and the change is first."""
    user_id, key = new_user(), new_id()
    first, second = [
        (await api.admin.wallet("10", user_id=user_id, name=name))["wallet_id"] for name in ("a", "b")
    ]
    async with superuser.transaction():
        await superuser.fetchval(
            "select wallet_api.update_wallet($1, null, null, $2)", second, '{"is_primary": true}'
        )
        consuming = asyncio.create_task(
            api.admin.post(f"/users/{user_id}/credits/consume", {"amount": "1"}, key=key)
        )
        await wait_for_lock_waiters(superuser, 1)
    entry = posted(await consuming)
    assert (entry["wallet_id"], entry["balance_after"]) == (second, "9.000000")
    assert await api.admin.balance(first) == "10.000000"


async def test_a_wallet_that_is_closed_meanwhile_is_followed_by_another(
    api: Api, superuser: asyncpg.Connection
) -> None:
    user_id = new_user()
    wallet_id = await consume_nothing(api, user_id)
    async with superuser.transaction():
        await superuser.fetchval("select wallet_api.close_wallet($1, null, null)", wallet_id)
        consuming = asyncio.create_task(consume_nothing(api, user_id))
        await wait_for_lock_waiters(superuser, 1)
    assert await consuming != wallet_id
    assert (await balance(api, user_id))["wallet_id"] == await consuming


async def test_a_wallet_made_otherwise_is_found(api: Api) -> None:
    user_id = new_user()
    await api.admin.wallet("7", user_id=user_id, currency="USD")
    wallet = await api.admin.wallet("5", user_id=user_id, name="mine")
    assert await balance(api, user_id) == {name: wallet[name] for name in CreditsBalance.model_fields}


async def test_it_is_the_primary_one(api: Api) -> None:
    user_id = new_user()
    first, second = [await api.admin.wallet("1", user_id=user_id, name=name) for name in ("a", "b")]
    await api.admin.patch(f"/wallets/{second['wallet_id']}", {"is_primary": True})
    assert (await balance(api, user_id))["wallet_id"] == second["wallet_id"]
    await api.admin.patch(f"/wallets/{second['wallet_id']}", {"is_primary": False})
    assert (await balance(api, user_id))["wallet_id"] == first["wallet_id"]


async def test_a_closed_one_is_followed_by_a_new_one(api: Api) -> None:
    user_id = new_user()
    first = await consume_nothing(api, user_id)
    await api.admin.delete(f"/wallets/{first}")
    assert (await balance(api, user_id))["wallet_id"] is None
    assert await consume_nothing(api, user_id) != first


async def test_consuming(api: Api) -> None:
    wallet, key = await api.admin.wallet("5"), new_id()
    path = f"/users/{wallet['user_id']}/credits/consume"
    first = await api.admin.post(path, {"amount": "2", "reference": "call-1"}, key=key)
    entry = posted(first)
    assert (entry["transaction_type"], entry["balance_after"]) == ("consume", "3.000000")
    assert (entry["wallet_id"], entry["counter_account"]) == (wallet["wallet_id"], "revenue:usage")
    again = await api.admin.post(path, {"amount": "2", "reference": "call-1"}, key=key)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    problem(await api.admin.post(path, {"amount": "1"}, key=key), "idempotency_key_reused")
    dry = await api.admin.post(path, {"amount": "1", "dry_run": True})
    assert (dry.status_code, dry.json()["balance_after"], dry.json()["dry_run"]) == (200, "2.000000", True)
    assert (await balance(api, wallet["user_id"]))["balance"] == "3.000000"


async def test_a_key_is_the_same_on_both_ways_to_the_wallet(api: Api) -> None:
    wallet, key = await api.admin.wallet("5"), new_id()
    first = await api.admin.post(f"/users/{wallet['user_id']}/credits/consume", {"amount": "2"}, key=key)
    again = await api.admin.move("consume", wallet["wallet_id"], "2", key=key)
    assert (posted(first)["amount"], again.content) == ("2.000000", first.content)


async def test_fifty_identical_at_once(api: Api) -> None:
    wallet, key = await api.admin.wallet("5"), new_id()
    path = f"/users/{wallet['user_id']}/credits/consume"
    answers = await asyncio.gather(*(api.admin.post(path, {"amount": "2"}, key=key) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert (await balance(api, wallet["user_id"]))["balance"] == "3.000000"


async def test_more_than_there_is(api: Api) -> None:
    user_id = new_user()
    for _ in range(2):
        document = problem(
            await api.admin.post(f"/users/{user_id}/credits/consume", {"amount": "2.5"}), "insufficient_funds"
        )
        assert document["shortfall"] == "2.500000"
    assert (await balance(api, user_id))["balance"] == "0.000000"


async def test_a_frozen_wallet(api: Api, unchanged: Unchanged) -> None:
    wallet = await api.admin.wallet("5")
    await api.admin.patch(f"/wallets/{wallet['wallet_id']}", {"status": "frozen"})
    assert (await balance(api, wallet["user_id"]))["balance"] == "5.000000"
    async with unchanged():
        answer = await api.admin.post(f"/users/{wallet['user_id']}/credits/consume", {"amount": "1"})
        problem(answer, "wallet_frozen")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"amount": 0}', "amount_invalid"),
        (b'{"amount": "0.0000001"}', "amount_precision"),
        (b'{"amount": "1", "wallet_id": "x"}', "validation_failed"),
        (b"[]", "validation_failed"),
        (b"{", "malformed_request"),
        (b"", "malformed_request"),
    ],
)
async def test_bad_bodies(api: Api, unchanged: Unchanged, body: bytes, code: str) -> None:
    wallet = await api.admin.wallet("5")
    async with unchanged():
        problem(await api.admin.post(f"/users/{wallet['user_id']}/credits/consume", body), code)


@pytest.mark.parametrize("user_id", ["x" * 256, "%07", "%00"])
async def test_bad_user_ids_make_no_wallet(api: Api, unchanged: Unchanged, user_id: str) -> None:
    async with unchanged():
        problem(await api.admin.get(f"/users/{user_id}/credits/balance"), "validation_failed")
        answer = await api.admin.post(f"/users/{user_id}/credits/consume", {"amount": "1"})
        problem(answer, "validation_failed")


async def test_a_user_has_their_own_credits(api: Api) -> None:
    user = api.user()
    await api.admin.wallet("5", user_id=user.user_id)
    path = f"/users/{user.user_id}/credits"
    assert (await user.get(f"{path}/balance")).json()["balance"] == "5.000000"
    assert posted(await user.post(f"{path}/consume", {"amount": "5"}))["balance_after"] == "0.000000"
    problem(await user.post(f"{path}/consume", {"amount": "1"}), "insufficient_funds")


async def test_a_user_makes_no_wallet_for_another(api: Api, unchanged: Unchanged) -> None:
    other = new_user()
    async with unchanged():
        problem(await api.user().get(f"/users/{other}/credits/balance"), "wallet_not_found")
        answer = await api.user().post(f"/users/{other}/credits/consume", {"amount": "1"})
        problem(answer, "wallet_not_found")


async def test_a_request_sent_again_is_the_same_whichever_wallet_is_primary(api: Api) -> None:
    user_id, key = new_user(), new_id()
    first = await api.admin.wallet("10", user_id=user_id, currency="CREDIT")
    second = await api.admin.wallet("10", user_id=user_id, currency="CREDIT", name="other")
    path = f"/users/{user_id}/credits/consume"
    answer = await api.admin.post(path, {"amount": "1"}, key=key)
    assert posted(answer)["wallet_id"] == first["wallet_id"]
    moved = await api.admin.patch(f"/wallets/{second['wallet_id']}", {"is_primary": True})
    assert moved.status_code == 200
    again = await api.admin.post(path, {"amount": "1"}, key=key)
    assert (again.status_code, again.content) == (201, answer.content)
    assert posted(await api.admin.post(path, {"amount": "1"}))["wallet_id"] == second["wallet_id"]
