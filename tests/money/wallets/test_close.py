from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context

import pytest
from support.api import Api, conforms, new_user, posted, problem

from wallet_service.money.wallets.schemas import Wallet


async def test_an_empty_wallet_closes(api: Api) -> None:
    made = await api.admin.wallet()
    answer = await api.admin.delete(f"/wallets/{made['wallet_id']}")
    assert answer.status_code == 200, answer.text
    wallet = conforms(answer.content, Wallet)
    assert (wallet["status"], wallet["is_primary"], wallet["version"]) == ("closed", False, 2)
    assert answer.headers["ETag"] == '"2.0"'
    assert (await api.admin.get(f"/wallets/{made['wallet_id']}")).content == answer.content


@pytest.mark.parametrize("left", ["0.000001", "-0.000001"])
async def test_a_wallet_that_is_not_empty(
    api: Api, unchanged: Callable[[], Context[None]], left: str
) -> None:
    made = await api.admin.wallet("0.000001", credit_limit="1")
    if left.startswith("-"):
        posted(await api.admin.move("consume", made["wallet_id"], "0.000002"))
    assert await api.admin.balance(made["wallet_id"]) == left
    async with unchanged():
        answer = await api.admin.delete(f"/wallets/{made['wallet_id']}")
        assert problem(answer, "wallet_not_empty")["wallet_id"] == made["wallet_id"]


async def test_the_name_is_free_again_and_the_history_stays(api: Api) -> None:
    made = await api.admin.wallet("5", name="travel")
    spent = posted(await api.admin.move("consume", made["wallet_id"], "5"))
    await api.admin.delete(f"/wallets/{made['wallet_id']}")
    again = await api.admin.wallet(name="travel", user_id=made["user_id"])
    assert again["wallet_id"] != made["wallet_id"]
    assert again["is_primary"]
    items = (await api.admin.get(f"/wallets/{made['wallet_id']}/transactions")).json()["items"]
    assert [entry["transaction_type"] for entry in items] == ["consume", "deposit"]
    assert (await api.admin.get(f"/transactions/{spent['transaction_id']}")).json() == spent
    listed = (await api.admin.get(f"/users/{made['user_id']}/wallets")).json()["items"]
    assert [wallet["status"] for wallet in listed] == ["closed", "active"]


async def test_a_closed_wallet_refuses_everything(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    made = await api.admin.wallet("5")
    other = await api.admin.wallet("5")
    wallet_id = made["wallet_id"]
    spent = posted(await api.admin.move("consume", wallet_id, "5"))
    await api.admin.delete(f"/wallets/{wallet_id}")
    async with unchanged():
        for kind in ("deposit", "withdraw", "consume", "reward", "fee"):
            answer = await api.admin.move(kind, wallet_id)
            assert problem(answer, "wallet_closed")["wallet_id"] == wallet_id
        for answer in (
            await api.admin.move("transfer", wallet_id, to_wallet_id=other["wallet_id"]),
            await api.admin.move("transfer", other["wallet_id"], to_wallet_id=wallet_id),
            await api.admin.refund(spent["transaction_id"]),
            await api.admin.patch(f"/wallets/{wallet_id}", {"name": "x"}),
            await api.admin.patch(f"/wallets/{wallet_id}", {"status": "active"}),
            await api.admin.delete(f"/wallets/{wallet_id}"),
        ):
            assert problem(answer, "wallet_closed")["wallet_id"] == wallet_id


async def test_a_frozen_empty_wallet_closes(api: Api) -> None:
    made = await api.admin.wallet()
    await api.admin.patch(f"/wallets/{made['wallet_id']}", {"status": "frozen"})
    assert (await api.admin.delete(f"/wallets/{made['wallet_id']}")).json()["status"] == "closed"


async def test_a_user_does_not_close_a_frozen_wallet(api: Api) -> None:
    user_id = new_user()
    wallet = await api.admin.wallet(user_id=user_id)
    path = f"/wallets/{wallet['wallet_id']}"
    await api.admin.patch(path, {"status": "frozen"})
    problem(await api.user(user_id).delete(path), "wallet_frozen")
    assert (await api.admin.delete(path)).status_code == 200
