"""What a restricted key sees and moves."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from decimal import Decimal
from typing import Any

import asyncpg
from support.api import Api, Client, created, new_user, posted, problem

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction

Unchanged = Callable[[], Context[None]]
SCOPES = ("transactions:write", "wallets:read", "wallets:write")


async def restricted(api: Api, **restriction: Any) -> Client:
    return await api.service(*SCOPES, restriction=Restriction(**restriction))


async def test_a_key_of_some_wallets_moves_only_these(api: Api, unchanged: Unchanged) -> None:
    user_id = new_user()
    own, second = [await api.admin.wallet("10", user_id=user_id, name=name) for name in ("one", "two")]
    other = await api.admin.wallet("10", user_id=user_id, name="other")
    key = await restricted(api, wallet_ids=frozenset({own["wallet_id"], second["wallet_id"]}))
    spent = posted(await api.admin.move("consume", other["wallet_id"]))
    between = posted(
        await api.admin.move("transfer", own["wallet_id"], to_wallet_id=other["wallet_id"], amount="2")
    )
    async with unchanged():
        problem(await key.move("consume", other["wallet_id"]), "wallet_not_found")
        problem(await key.get(f"/wallets/{other['wallet_id']}"), "wallet_not_found")
        for source, target in ((own, other), (other, own)):
            answer = await key.move("transfer", source["wallet_id"], to_wallet_id=target["wallet_id"])
            problem(answer, "wallet_not_found")
        problem(await key.refund(spent["transaction_id"]), "transaction_not_found")
        problem(await key.refund(between["transaction_id"]), "forbidden")
        problem(await key.refund(new_id()), "transaction_not_found")
        problem(await key.post("/wallets", {"user_id": user_id, "name": "new"}), "forbidden")
        problem(await key.patch(f"/wallets/{other['wallet_id']}", {"name": "x"}), "wallet_not_found")
        problem(await key.patch(f"/wallets/{own['wallet_id']}", {"is_primary": True}), "forbidden")
        problem(await key.delete(f"/wallets/{other['wallet_id']}"), "wallet_not_found")
        pair = [
            {
                "wallet_id": each["wallet_id"],
                "amount": "1",
                "direction": direction,
                "counter_account": "fx:A-B",
            }
            for each, direction in ((own, "debit"), (other, "credit"))
        ]
        answer = await key.post("/transactions", {"type": "exchange", "entries": pair})
        problem(answer, "wallet_not_found")
    answer = await key.batch(
        {"type": "consume", "wallet_id": other["wallet_id"], "amount": "1"},
        {
            "type": "transfer",
            "wallet_id": own["wallet_id"],
            "amount": "1",
            "to_wallet_id": other["wallet_id"],
        },
        {"type": "refund", "original_transaction_id": spent["transaction_id"]},
        {"type": "exchange", "entries": pair},
        {"type": "consume", "wallet_id": own["wallet_id"], "amount": "1"},
    )
    results = answer.json()["results"]
    codes = [each["problem"]["code"] if each["status"] == "refused" else "posted" for each in results]
    missing = "wallet_not_found"
    assert codes == [missing, missing, "transaction_not_found", missing, "posted"]
    moved = posted(await key.move("transfer", own["wallet_id"], to_wallet_id=second["wallet_id"]))
    posted(await key.refund(moved["transaction_id"]))


async def test_a_key_of_some_wallets_sees_only_these(api: Api) -> None:
    user_id = new_user()
    own = await api.admin.wallet("10", user_id=user_id, name="one")
    other = await api.admin.wallet("10", user_id=user_id, name="other")
    moved = posted(await api.admin.move("transfer", other["wallet_id"], to_wallet_id=own["wallet_id"]))
    hidden = posted(await api.admin.move("consume", other["wallet_id"]))
    key = await restricted(api, wallet_ids=frozenset({own["wallet_id"]}))
    users = f"/users/{user_id}"
    wallets = (await key.get(f"{users}/wallets")).json()["items"]
    assert [each["wallet_id"] for each in wallets] == [own["wallet_id"]]
    for by in ("posted", "effective"):
        history = (await key.get(f"{users}/transactions", by=by)).json()["items"]
        assert {each["wallet_id"] for each in history} == {own["wallet_id"]}
    totals = (await key.get(f"{users}/statistics")).json()
    assert totals["currencies"][0]["closing_balance"] == "11.000000"
    problem(await key.get(f"/wallets/{other['wallet_id']}/statistics"), "wallet_not_found")
    problem(await key.get(f"/transactions/{hidden['transaction_id']}"), "transaction_not_found")
    seen = (await key.get(f"/transactions/{moved['transaction_id']}")).json()
    assert (seen["wallet_id"], seen["balance_after"]) == (own["wallet_id"], "11.000000")
    assert [leg["balance_after"] for leg in seen["legs"]] == [None, "11.000000"]
    assert [leg["user_id"] for leg in seen["legs"]] == [None, user_id]
    reader = await api.service("stats:read", restriction=Restriction(user_id=user_id))
    for path in ("/wallets", "/wallet/stats", "/ledger/trial-balance"):
        problem(await reader.get(path), "forbidden")


async def test_a_key_of_a_user_and_of_an_organization(api: Api, unchanged: Unchanged) -> None:
    user_id, name = new_user(), f"org-{new_id()}"
    shared = await api.admin.wallet("10", user_id=user_id, organization_id=name)
    alone = await api.admin.wallet("10", user_id=user_id, name="alone")
    of_user, of_both = (
        await restricted(api, user_id=user_id),
        await restricted(api, user_id=user_id, organization_id=name),
    )
    posted(await of_user.move("consume", alone["wallet_id"]))
    posted(await of_both.move("consume", shared["wallet_id"]))
    listed = (await of_both.get(f"/users/{user_id}/wallets")).json()["items"]
    assert [each["wallet_id"] for each in listed] == [shared["wallet_id"]]
    async with unchanged():
        problem(await of_both.move("consume", alone["wallet_id"]), "wallet_not_found")
        stranger = new_user()
        for path in ("wallets", "transactions", "statistics", "credits/balance"):
            problem(await of_user.get(f"/users/{stranger}/{path}"), "wallet_not_found")
        answer = await of_user.post(f"/users/{stranger}/credits/consume", {"amount": "1"})
        problem(answer, "wallet_not_found")
        problem(await of_user.post("/wallets", {"user_id": stranger}), "forbidden")
        problem(await of_both.post("/wallets", {"user_id": user_id, "name": "new"}), "forbidden")
    body = {"user_id": user_id, "organization_id": name, "name": "new"}
    created(await of_both.post("/wallets", body))


async def test_credits_of_a_restricted_key(api: Api, unchanged: Unchanged) -> None:
    user_id = new_user()
    usage = await api.service("usage:write", restriction=Restriction(user_id=user_id))
    path = f"/users/{user_id}/credits/consume"
    problem(await usage.post(path, {"amount": "1"}), "insufficient_funds")  # the wallet is created
    listed = (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"]
    await api.admin.move("deposit", listed[0]["wallet_id"], "5")
    first = await usage.post(path, {"amount": "1"}, key="k")
    assert (await usage.post(path, {"amount": "1"}, key="k")).content == first.content
    elsewhere = await api.service("usage:write", restriction=Restriction(wallet_ids=frozenset({new_id()})))
    async with unchanged():
        problem(await elsewhere.post(path, {"amount": "1"}), "wallet_not_found")
        problem(await elsewhere.post(f"/users/{new_user()}/credits/consume", {"amount": "1"}), "forbidden")


async def test_the_amount_of_an_operation(api: Api, unchanged: Unchanged) -> None:
    wallet = await api.admin.wallet("100")
    wallet_id, path = wallet["wallet_id"], f"/wallets/{wallet['wallet_id']}"
    key = await restricted(api, max_amount=Decimal(5))
    large = posted(await api.admin.move("consume", wallet_id, "6"))
    credit = {"wallet_id": wallet_id, "amount": "3", "direction": "credit", "counter_account": "external:x"}
    debit = credit | {"direction": "debit"}
    async with unchanged():
        answer = problem(await key.move("consume", wallet_id, "5.01"), "forbidden")
        assert (answer["amount"], answer["max_amount"]) == ("5.01", "5")
        problem(await key.refund(large["transaction_id"]), "forbidden")
        problem(await key.post(f"{path}/adjust", {"balance": "1", "reason": "counted"}), "forbidden")
        problem(
            await key.post("/transactions", {"type": "payment", "entries": [credit, credit]}), "forbidden"
        )
        body = {"user_id": new_user(), "initial_balance": "5.5"}
        problem(await key.post("/wallets", body), "forbidden")
        problem(await key.post("/wallets", {"user_id": new_user(), "credit_limit": "6"}), "forbidden")
        problem(await key.patch(path, {"credit_limit": "6"}), "forbidden")
        answer = await key.batch({"type": "fee", "wallet_id": wallet_id, "amount": "6"}, atomic=True)
        problem(answer, "forbidden")
    posted(await key.move("consume", wallet_id, "5"))
    posted(await key.refund(large["transaction_id"], amount="5"))
    posted(await key.post("/transactions", {"type": "payment", "entries": [credit, debit]}))
    adjustment = {"amount": "5", "direction": "debit", "reason": "counted"}
    posted(await key.post(f"{path}/adjust", adjustment))
    created(await key.post("/wallets", {"user_id": new_user(), "initial_balance": "5"}))


async def test_the_other_side_of_an_entry(api: Api, unchanged: Unchanged) -> None:
    own, other = await api.admin.wallet("10"), await api.admin.wallet("10")
    wallet_id = own["wallet_id"]
    key = await restricted(api, counter_accounts=("revenue:usage", "fx:*"))
    deposited = posted(await api.admin.move("deposit", wallet_id))
    async with unchanged():
        answer = problem(await key.move("deposit", wallet_id), "forbidden")
        assert (answer["counter_account"], answer["allowed"]) == (
            "external:deposits",
            ["revenue:usage", "fx:*"],
        )
        problem(await key.move("consume", wallet_id, counter_account="revenue:other"), "forbidden")
        problem(await key.move("transfer", wallet_id, to_wallet_id=other["wallet_id"]), "forbidden")
        problem(await key.refund(deposited["transaction_id"]), "forbidden")
        problem(await key.post("/wallets", {"user_id": new_user(), "initial_balance": "1"}), "forbidden")
    spent = posted(await key.move("consume", wallet_id))
    posted(await key.refund(spent["transaction_id"]))
    posted(await key.move("consume", wallet_id, counter_account="fx:EUR-USD"))
    sender = await restricted(api, counter_accounts=(f"wallet:{other['wallet_id']}", "wallet:*"))
    posted(await sender.move("transfer", wallet_id, to_wallet_id=other["wallet_id"]))


async def test_a_replay_passes_the_restrictions_of_the_key(api: Api, unchanged: Unchanged) -> None:
    name, wallet = f"shop-{new_id()}", await api.admin.wallet("10")
    free = await api.service(*SCOPES, name=name)
    small = await api.service(*SCOPES, name=name, restriction=Restriction(max_amount=Decimal(1)))
    first = await free.move("consume", wallet["wallet_id"], "2", key="k")
    one = await free.move("consume", wallet["wallet_id"], "1", key="one")
    async with unchanged():
        problem(await small.move("consume", wallet["wallet_id"], "2", key="k"), "forbidden")
        assert (await free.move("consume", wallet["wallet_id"], "2", key="k")).content == first.content
        assert (await small.move("consume", wallet["wallet_id"], "1", key="one")).content == one.content


async def test_a_refund_of_a_type_that_no_room_declares(api: Api, superuser: asyncpg.Connection) -> None:
    """It may be of a room that a former release had."""
    wallet = await api.admin.wallet("10")
    spent = posted(await api.admin.move("consume", wallet["wallet_id"]))["transaction_id"]
    key = await restricted(api, wallet_ids=frozenset({wallet["wallet_id"]}))
    await rename_type(superuser, spent, "gone")
    try:
        for amount in ({}, {"amount": "0.5"}):
            problem(await key.refund(spent, **amount), "not_refundable")
    finally:
        await rename_type(superuser, spent, "consume")


async def rename_type(superuser: asyncpg.Connection, transaction_id: str, name: str) -> None:
    async with superuser.transaction():
        await superuser.execute("set local session_replication_role = replica")  # rows are append-only
        change = "update wallet.wallet_transactions set transaction_type = $2 where transaction_id = $1"
        await superuser.execute(change, transaction_id, name)


async def test_a_name_that_a_hidden_wallet_has(api: Api, unchanged: Unchanged) -> None:
    user_id, organization = new_user(), f"org-{new_id()}"
    hidden = await api.admin.wallet(user_id=user_id, name="hidden")
    own = await api.admin.wallet(user_id=user_id, name="own", organization_id=organization)
    key = await restricted(api, organization_id=organization)
    body = {"user_id": user_id, "organization_id": organization}
    async with unchanged():
        for answer in (
            await key.post("/wallets", body | {"name": "hidden"}),
            await key.patch(f"/wallets/{own['wallet_id']}", {"name": "hidden"}),
        ):
            problem(answer, "wallet_exists")
            assert hidden["wallet_id"] not in answer.text
        answer = await key.post("/wallets", body | {"name": "own"})
        assert problem(answer, "wallet_exists")["wallet_id"] == own["wallet_id"]


async def test_the_credits_of_a_hidden_wallet(api: Api, unchanged: Unchanged) -> None:
    hidden = await api.admin.wallet("10")
    key = await restricted(api, wallet_ids=frozenset({new_id()}))
    path = f"/users/{hidden['user_id']}/credits"
    async with unchanged():
        for answer in (
            await key.get(f"{path}/balance"),
            await key.post(f"{path}/consume", {"amount": "1"}),
        ):
            problem(answer, "wallet_not_found")
            assert hidden["wallet_id"] not in answer.text
