"""Who may move which money."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from typing import Any

import pytest
from support.api import Api, Client, created, new_user, posted, problem

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.operation_types import LEDGER_TYPES

Unchanged = Callable[[], Context[None]]
MOVES = {"deposit", "withdraw", "consume", "reward", "fee", "transfer", "refund", "adjustment"}
MINTING = ("deposit", "reward", "refund")
HIDDEN = ("user_id", "balance_before", "balance_after", "wallet_version")


async def move(client: Client, api: Api, kind: str, wallet_id: str, **more: Any) -> Any:
    """Any of the paths that move money of this wallet, with a body that is good."""
    if kind == "batch":
        return await client.batch({"type": "consume", "wallet_id": wallet_id, "amount": "1"}, **more)
    if kind == "refund":
        spent = posted(await api.admin.move("consume", wallet_id))
        return await client.refund(spent["transaction_id"])
    if kind == "transfer":
        more["to_wallet_id"] = (await api.admin.wallet())["wallet_id"]
    return await client.move(kind, wallet_id, **more)


async def test_a_key_with_usage_write_can_only_consume(api: Api, unchanged: Unchanged) -> None:
    usage, wallet = await api.service("usage:write"), await api.admin.wallet("10")
    wallet_id = wallet["wallet_id"]
    spent = posted(await api.admin.move("consume", wallet_id))
    async with unchanged():
        for kind in MOVES - {"consume"}:
            scope = {each.name: each.permission for each in LEDGER_TYPES}[kind]
            members = {"to_wallet_id": new_id()} if kind == "transfer" else {}
            if kind == "refund":
                answer = await usage.refund(spent["transaction_id"])
            elif kind == "adjustment":
                answer = await usage.post(
                    f"/wallets/{wallet_id}/adjust", {"balance": "9", "reason": "counted"}
                )
            else:
                answer = await usage.move(kind, wallet_id, **members)
            assert problem(answer, "forbidden")["scope"] == scope
        answer = await usage.post("/transactions", {"type": "payment", "entries": [entry(wallet_id)]})
        assert problem(answer, "forbidden")["scopes"] == ["exchanges:write", "payments:write"]
        for answer in (
            await usage.post("/wallets", {"user_id": new_user()}),
            await usage.patch(f"/wallets/{wallet_id}", {"name": "x"}),
            await usage.get(f"/wallets/{wallet_id}"),
            await usage.get(f"/users/{wallet['user_id']}/transactions"),
            await usage.get("/wallet/stats"),
        ):
            problem(answer, "forbidden")
    posted(await usage.move("consume", wallet_id))
    posted(await usage.post(f"/users/{wallet['user_id']}/credits/consume", {"amount": "1"}))
    assert await api.admin.balance(wallet_id) == "7.000000"


def entry(wallet_id: str) -> dict[str, Any]:
    return {"wallet_id": wallet_id, "direction": "credit", "amount": "1", "counter_account": "external:bank"}


async def test_each_operation_of_a_batch_needs_its_permission(api: Api, unchanged: Unchanged) -> None:
    usage, wallet = await api.service("usage:write"), await api.admin.wallet("10")
    operations = [
        {"type": kind, "wallet_id": wallet["wallet_id"], "amount": "1"} for kind in ("consume", "deposit")
    ]
    operations.append({"type": "exchange", "entries": [entry(wallet["wallet_id"])]})
    async with unchanged():
        answer = await usage.batch(*operations, atomic=True)
        assert (problem(answer, "forbidden")["index"], answer.json()["scope"]) == (1, "deposits:write")
    results = (await usage.batch(*operations)).json()["results"]
    assert [each["status"] for each in results] == ["posted", "refused", "refused"]
    scopes = [each["problem"]["scope"] for each in results[1:]]
    assert scopes == ["deposits:write", "exchanges:write"]
    problem(await (await api.service("wallets:write")).batch(*operations), "forbidden")


async def test_a_key_that_only_grants_or_only_holds_sends_batches(api: Api) -> None:
    wallet_id = (await api.admin.wallet("10", currency="CREDIT"))["wallet_id"]
    grant = {"type": "grant", "wallet_id": wallet_id, "amount": "5", "source": "promotion"}
    hold = {"type": "hold", "wallet_id": wallet_id, "amount": "2"}
    granting, holding = await api.service("grants:write"), await api.service("holds:write")
    for client, outcomes in ((granting, ["posted", "refused"]), (holding, ["refused", "posted"])):
        results = (await client.batch(grant, hold)).json()["results"]
        assert [each["status"] for each in results] == outcomes
        (refused,) = [each["problem"] for each in results if each["status"] == "refused"]
        assert refused["scope"] == {granting: "holds:write", holding: "grants:write"}[client]
    assert await api.admin.balance(wallet_id) == "15.000000"
    nothing = problem(await (await api.service("grants:read")).batch(grant), "forbidden")
    assert {"grants:write", "holds:write", "deposits:write"} <= set(nothing["scopes"])


async def test_a_replay_needs_the_permission_of_the_first_attempt(api: Api, unchanged: Unchanged) -> None:
    name, wallet = f"shop-{new_id()}", await api.admin.wallet("10")
    both = await api.service("usage:write", "deposits:write", name=name)
    usage = await api.service("usage:write", name=name)
    deposited = await both.move("deposit", wallet["wallet_id"], key="d")
    consumed = await both.move("consume", wallet["wallet_id"], key="c")
    async with unchanged():
        assert (await both.move("deposit", wallet["wallet_id"], key="d")).content == deposited.content
        assert problem(await usage.move("deposit", wallet["wallet_id"], key="d"), "forbidden")
        assert (await usage.move("consume", wallet["wallet_id"], key="c")).content == consumed.content


async def test_an_opening_balance_needs_the_right_to_move_money(api: Api, unchanged: Unchanged) -> None:
    service = await api.service("wallets:write")
    async with unchanged():
        answer = await service.post("/wallets", {"user_id": new_user(), "initial_balance": "5"})
        assert problem(answer, "forbidden")["scope"] == "deposits:write"
    created(await service.post("/wallets", {"user_id": new_user(), "initial_balance": "0"}))
    both = await api.service("wallets:write", "deposits:write")
    assert (
        created(await both.post("/wallets", {"user_id": new_user(), "initial_balance": "5"}))["last_entry"]
        == 1
    )


async def test_credits_need_their_scopes(api: Api) -> None:
    wallet = await api.admin.wallet("5")
    path = f"/users/{wallet['user_id']}/credits"
    reader, spender = await api.service("wallets:read"), await api.service("usage:write")
    assert (await reader.get(f"{path}/balance")).status_code == 200
    assert problem(await spender.get(f"{path}/balance"), "forbidden")["scope"] == "wallets:read"
    posted(await spender.post(f"{path}/consume", {"amount": "1"}))
    answer = await reader.post(f"{path}/consume", {"amount": "1"})
    assert problem(answer, "forbidden")["scope"] == "usage:write"


@pytest.mark.parametrize("credentials", ["", "nonsense", "wsk_x", "a.b.c", f"wsk_{'0' * 32}_{'A' * 43}"])
async def test_strangers_move_nothing(api: Api, unchanged: Unchanged, credentials: str) -> None:
    wallet = await api.admin.wallet("10")
    stranger = Client(api.app, api.http, credentials)
    spent = posted(await api.admin.move("consume", wallet["wallet_id"]))
    async with unchanged():
        for path in (
            f"/wallets/{wallet['wallet_id']}/consume",
            f"/transactions/{spent['transaction_id']}/refund",
            "/transactions/batch",
            "/wallets",
            "/wallets/import",
        ):
            problem(await stranger.post(path, {"amount": "1"}), "unauthorized")
            problem(await stranger.post(path, b"{"), "unauthorized")


@pytest.mark.parametrize("kind", ["withdraw", "consume", "fee", "transfer", "batch"])
async def test_a_user_spends_from_their_own_wallet(api: Api, kind: str) -> None:
    user = api.user()
    wallet = await api.admin.wallet("10", user_id=user.user_id)
    answer = await move(user, api, kind, wallet["wallet_id"])
    assert answer.status_code == (200 if kind == "batch" else 201), answer.text
    assert await api.admin.balance(wallet["wallet_id"]) == "9.000000"
    entry = answer.json()["results"][0]["transaction"] if kind == "batch" else answer.json()
    assert entry["client_id"] == f"user:|{user.user_id}"


@pytest.mark.parametrize("kind", ["withdraw", "consume", "fee", "transfer"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_another_user_s_wallet_isn_t_there(
    api: Api, unchanged: Unchanged, kind: str, dry_run: bool
) -> None:
    user, wallet = api.user(), await api.admin.wallet("10")
    mine = await api.admin.wallet("10", user_id=user.user_id)
    more = {"to_wallet_id": mine["wallet_id"]} if kind == "transfer" else {}
    async with unchanged():
        answer = await user.move(kind, wallet["wallet_id"], dry_run=dry_run, key=new_id(), **more)
        theirs = problem(answer, "wallet_not_found")
        answer = await user.move(kind, unknown := new_id(), dry_run=dry_run, **more)
        none = problem(answer, "wallet_not_found")
    for document in (theirs, none):
        del document["instance"], document["request_id"]
        document["detail"] = document["detail"].replace(document["wallet_id"], "<wallet>")
    assert theirs == none | {"wallet_id": wallet["wallet_id"]}
    assert none["wallet_id"] == unknown


async def test_another_user_s_wallet_isn_t_there_in_a_batch(api: Api) -> None:
    user, wallet = api.user(), await api.admin.wallet("10")
    mine = await api.admin.wallet("10", user_id=user.user_id)
    operations = [
        {"type": kind, "wallet_id": wallet_id, "amount": "1"}
        for kind in ("consume", "deposit", "reward")
        for wallet_id in (mine["wallet_id"], wallet["wallet_id"])
    ]
    answer = await user.batch(*operations, {"type": "refund", "original_transaction_id": new_id()})
    assert [result.get("problem", {}).get("code", "posted") for result in answer.json()["results"]] == [
        "posted",
        "wallet_not_found",
        *["forbidden"] * 4,
        "transaction_not_found",
    ]
    assert await api.admin.balance(wallet["wallet_id"]) == "10.000000"
    assert await api.admin.balance(mine["wallet_id"]) == "9.000000"
    problem(await user.batch(*operations, atomic=True), "forbidden")  # decided before the ledger
    assert await api.admin.balance(mine["wallet_id"]) == "9.000000"


@pytest.mark.parametrize("kind", MINTING)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_user_can_t_mint(api: Api, unchanged: Unchanged, kind: str, dry_run: bool) -> None:
    user = api.user()
    wallet = await api.admin.wallet("10", user_id=user.user_id)
    spent = posted(await user.move("consume", wallet["wallet_id"]))
    async with unchanged():
        if kind == "refund":
            answer = await user.refund(spent["transaction_id"], dry_run=dry_run)
        else:
            answer = await user.move(kind, wallet["wallet_id"], dry_run=dry_run)
        problem(answer, "forbidden")


@pytest.mark.parametrize(
    "members", [{"initial_balance": "5"}, {"initial_balance": "0"}, {"credit_limit": "5"}], ids=str
)
async def test_a_user_s_new_wallet_has_no_money_and_no_credit(
    api: Api, unchanged: Unchanged, members: dict[str, str]
) -> None:
    user = api.user()
    async with unchanged():
        problem(await user.post("/wallets", {"user_id": user.user_id} | members), "forbidden")
    assert created(await user.post("/wallets", {"user_id": user.user_id}))["user_id"] == user.user_id


async def test_a_user_makes_no_wallet_for_another(api: Api, unchanged: Unchanged) -> None:
    async with unchanged():
        problem(await api.user().post("/wallets", {"user_id": new_user()}), "forbidden")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"credit_limit": "5"}, "forbidden"),
        ({"credit_limit": "0"}, "forbidden"),
        ({"status": "active"}, "wallet_frozen"),
    ],
    ids=str,
)
async def test_a_user_gives_themselves_no_credit_and_lifts_no_freeze_of_an_operator(
    api: Api, unchanged: Unchanged, body: dict[str, str], code: str
) -> None:
    user = api.user()
    wallet = await api.admin.wallet("10", user_id=user.user_id)
    await api.admin.patch(f"/wallets/{wallet['wallet_id']}", {"status": "frozen"})
    async with unchanged():
        problem(await user.patch(f"/wallets/{wallet['wallet_id']}", {"name": "x"} | body), code)
    answer = await user.patch(f"/wallets/{wallet['wallet_id']}", {"name": "x", "metadata": {"a": 1}})
    assert answer.json()["name"] == "x"


async def test_a_user_sees_and_changes_only_their_own_wallets(api: Api, unchanged: Unchanged) -> None:
    user, wallet = api.user(), await api.admin.wallet()
    path = f"/wallets/{wallet['wallet_id']}"
    mine = await api.admin.wallet(user_id=user.user_id)
    async with unchanged():
        for answer in (
            await user.get(path),
            await user.patch(path, {"name": "x"}),
            await user.patch(path, {"name": "x"}, if_match='"9.9"'),
            await user.delete(path),
        ):
            assert problem(answer, "wallet_not_found")["wallet_id"] == wallet["wallet_id"]
        for room in ("wallets", "transactions", "statistics", "credits/balance"):
            problem(await user.get(f"/users/{wallet['user_id']}/{room}"), "wallet_not_found")
        for room in ("balance", "transactions", "statistics"):
            problem(await user.get(f"{path}/{room}"), "wallet_not_found")
        answer = await user.post(f"/users/{wallet['user_id']}/credits/consume", {"amount": "1"})
        problem(answer, "wallet_not_found")
    listed = (await user.get(f"/users/{user.user_id}/wallets")).json()["items"]
    assert [item["wallet_id"] for item in listed] == [mine["wallet_id"]]
    assert (await user.delete(f"/wallets/{mine['wallet_id']}")).json()["status"] == "closed"


def legs_of(entry: dict[str, Any], mine: str) -> tuple[dict[str, Any], dict[str, Any]]:
    (own,) = (leg for leg in entry["legs"] if leg["wallet_id"] == mine)
    (other,) = (leg for leg in entry["legs"] if leg["wallet_id"] != mine)
    return own, other


@pytest.mark.parametrize("dry_run", [False, True])
async def test_the_sender_doesn_t_see_the_other_side(api: Api, dry_run: bool) -> None:
    user, target = api.user(), await api.admin.wallet("77")
    wallet_id = (await api.admin.wallet("10", user_id=user.user_id))["wallet_id"]
    key = new_id()
    answers = [
        await user.move("transfer", wallet_id, to_wallet_id=target["wallet_id"], dry_run=dry_run, key=key)
        for _ in range(2)
    ]
    for answer in answers:
        own, other = legs_of(answer.json(), wallet_id)
        assert [other[name] for name in HIDDEN] == [None] * 4
        assert (own["balance_after"], answer.json()["balance_after"]) == ("9.000000", "9.000000")
        assert "78.000000" not in answer.text
        assert target["user_id"] not in answer.text
    if not dry_run:
        assert answers[0].content == answers[1].content
        read = await user.get(f"/transactions/{answers[0].json()['transaction_id']}")
        assert read.content == answers[0].content


async def test_the_receiver_doesn_t_see_the_other_side(api: Api) -> None:
    user, source = api.user(), await api.admin.wallet("77")
    wallet_id = (await api.admin.wallet("10", user_id=user.user_id))["wallet_id"]
    sent = posted(await api.admin.move("transfer", source["wallet_id"], to_wallet_id=wallet_id))
    entry = (await user.get(f"/transactions/{sent['transaction_id']}")).json()
    own, other = legs_of(entry, wallet_id)
    assert [other[name] for name in HIDDEN] == [None] * 4
    assert (entry["wallet_id"], entry["balance_after"], own["balance_after"]) == (
        wallet_id,
        "11.000000",
        "11.000000",
    )
    assert "76.000000" not in str(entry)
    assert source["user_id"] not in str(entry)
    service = (await api.admin.get(f"/transactions/{sent['transaction_id']}")).json()
    assert service == sent


async def test_another_user_s_posting_isn_t_there(api: Api) -> None:
    wallet = await api.admin.wallet("10")
    spent = posted(await api.admin.move("consume", wallet["wallet_id"]))
    problem(await api.user().get(f"/transactions/{spent['transaction_id']}"), "transaction_not_found")


async def test_a_transfer_between_own_wallets_hides_nothing(api: Api) -> None:
    user = api.user()
    one, two = [
        (await api.admin.wallet("10", user_id=user.user_id, name=name))["wallet_id"] for name in ("a", "b")
    ]
    entry = posted(await user.move("transfer", one, to_wallet_id=two))
    assert [leg["balance_after"] for leg in entry["legs"]] == ["9.000000", "11.000000"]


async def test_what_a_refused_transfer_says_of_the_other_side_is_no_balance(
    api: Api, unchanged: Unchanged
) -> None:
    user, target = api.user(), await api.admin.wallet("99999999999999999999")
    wallet_id = (await api.admin.wallet("10", user_id=user.user_id))["wallet_id"]
    async with unchanged():
        answer = await user.move("transfer", wallet_id, to_wallet_id=target["wallet_id"])
        problem(answer, "balance_limit")
        assert target["user_id"] not in answer.text
        assert "99999" not in answer.text


async def test_users_with_the_same_key_don_t_meet(api: Api) -> None:
    key = new_id()
    for _ in range(2):
        user = api.user()
        wallet = await api.admin.wallet("10", user_id=user.user_id)
        answer = await user.move("consume", wallet["wallet_id"], key=key)
        posted(answer)
        assert "Idempotency-Replayed" not in answer.headers


async def test_the_receiver_of_a_transfer_does_not_learn_the_sender(api: Api) -> None:
    one, other = new_user(), new_user()
    source = await api.admin.wallet("10", user_id=one)
    target = await api.admin.wallet("10", user_id=other)
    sent = await api.user(one).move("transfer", source["wallet_id"], to_wallet_id=target["wallet_id"])
    assert posted(sent)["client_id"] == f"user:|{one}"
    for path in (f"/transactions/{posted(sent)['transaction_id']}", f"/users/{other}/transactions?limit=1"):
        assert one not in (await api.user(other).get(path)).text
        assert one in (await api.admin.get(path)).text


async def test_a_user_chooses_no_counter_account(api: Api, unchanged: Unchanged) -> None:
    user_id = new_user()
    wallet = await api.admin.wallet("10", user_id=user_id)
    async with unchanged():
        answer = await api.user(user_id).move("consume", wallet["wallet_id"], counter_account="promotions")
        problem(answer, "forbidden")


async def test_a_user_does_not_learn_the_currency_of_another_users_wallet(api: Api) -> None:
    user_id = new_user()
    source, target = (
        await api.admin.wallet("10", user_id=user_id, currency="USD"),
        await api.admin.wallet(currency="EUR"),
    )
    users = await api.user(user_id).move("transfer", source["wallet_id"], to_wallet_id=target["wallet_id"])
    assert "to_currency" not in problem(users, "currency_mismatch")
    admins = await api.admin.move("transfer", source["wallet_id"], to_wallet_id=target["wallet_id"])
    assert problem(admins, "currency_mismatch")["to_currency"] == "EUR"
