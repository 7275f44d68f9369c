import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from decimal import Decimal
from typing import Any

import pytest
from conftest import FreshDatabase, Locate
from support.api import Api, Client, new_user, open_api, posted, problem

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.operation_types import LEDGER_TYPES

Unchanged = Callable[[], Context[None]]
KINDS = ("deposit", "withdraw", "consume", "reward", "fee", "transfer")


async def other_side(client: Client, kind: str) -> dict[str, Any]:
    return {"to_wallet_id": (await client.wallet())["wallet_id"]} if kind == "transfer" else {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["header", "body", "both"])
async def test_the_same_key_and_request_have_one_effect(api: Api, kind: str, where: str) -> None:
    wallet, key = await api.admin.wallet("10"), new_id()
    members = {"metadata": {"a": Decimal("1.10")}, **await other_side(api.admin, kind)}
    if where != "header":
        members["idempotency_key"] = key
    header = None if where == "body" else key
    first = await api.admin.move(kind, wallet["wallet_id"], key=header, **members)
    posted(first)
    assert "Idempotency-Replayed" not in first.headers
    posted(await api.admin.move("deposit", wallet["wallet_id"], "7"))
    before = (await api.admin.get(f"/wallets/{wallet['wallet_id']}")).content
    again = await api.admin.move(kind, wallet["wallet_id"], key=header, **members)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert (await api.admin.get(f"/wallets/{wallet['wallet_id']}")).content == before


async def test_the_same_amount_written_otherwise_is_the_same_request(api: Api) -> None:
    wallet, key = await api.admin.wallet("10"), new_id()
    first = await api.admin.move("consume", wallet["wallet_id"], "1.5", key=key)
    for amount in ("1.50", Decimal("1.500"), "01.5"):
        again = await api.admin.move("consume", wallet["wallet_id"], amount, key=key)
        assert again.content == first.content
    assert posted(first)["amount"] == "1.500000"


async def test_members_in_another_order_are_the_same_request(api: Api) -> None:
    wallet, key = await api.admin.wallet("10"), new_id()
    path = f"/wallets/{wallet['wallet_id']}/consume"
    first = await api.admin.post(path, b'{"amount":"1","metadata":{"a":1,"b":2}}', key=key)
    again = await api.admin.post(path, b'{ "metadata": {"b": 2, "a": 1}, "amount": "1" }', key=key)
    assert (posted(first)["amount"], again.content) == ("1.000000", first.content)


async def test_defaults_that_are_written_are_the_same_request(api: Api) -> None:
    wallet = await api.admin.wallet("10")
    movements = {each.name: each.counter_account for each in LEDGER_TYPES if each.form == "movement"}
    for kind, counter_account in movements.items():
        bodies = [
            {"amount": "1"},
            {"amount": "1", "metadata": {}},
            {"amount": "1", "counter_account": counter_account, "reference": None, "dry_run": False},
        ]
        for first, *others in (bodies, bodies[::-1]):
            key, path = new_id(), f"/wallets/{wallet['wallet_id']}/{kind}"
            answer = await api.admin.post(path, first, key=key)
            assert posted(answer)["counter_account"] == counter_account
            for body in others:
                assert (await api.admin.post(path, body, key=key)).content == answer.content, body


async def test_a_request_made_of_its_own_response_is_the_same_request(api: Api) -> None:
    user = api.user()
    wallet_id = (await api.admin.wallet("100", user_id=user.user_id))["wallet_id"]
    other = (await api.admin.wallet())["wallet_id"]
    spent = posted(await api.admin.move("consume", wallet_id, "9", key=new_id()))
    names = ("amount", "description", "reference", "metadata", "effective_at")
    for client, path, body in (
        *((api.admin, f"/wallets/{wallet_id}/{kind}", {"amount": "1"}) for kind in KINDS[:-1]),
        (user, f"/wallets/{wallet_id}/consume", {"amount": "1", "metadata": {"a": Decimal("1.10")}}),
        (user, f"/wallets/{wallet_id}/transfer", {"amount": "1", "to_wallet_id": other}),
        (api.admin, f"/transactions/{spent['transaction_id']}/refund", {"reference": "r"}),
        (api.admin, f"/users/{user.user_id}/credits/consume", {"amount": "1"}),
    ):
        key = new_id()
        first = await client.post(path, body, key=key)
        shown = posted(first)
        made = {name: shown[name] for name in names}
        if shown["transaction_type"] == "transfer":
            made["to_wallet_id"] = shown["legs"][1]["wallet_id"]
        elif shown["transaction_type"] != "refund":
            made["counter_account"] = shown["counter_account"]
        again = await client.post(path, made, key=key)
        assert (again.status_code, again.content) == (201, first.content), path
        problem(await client.post(path, made | {"reference": "other"}, key=key), "idempotency_key_reused")


@pytest.mark.parametrize(
    "other",
    [
        {"amount": "1.000001"},
        {"reference": "other"},
        {"description": "x"},
        {"metadata": {"a": 2}},
        {"counter_account": "revenue:other"},
        {"effective_at": "2026-01-01T00:00:00Z"},
    ],
    ids=str,
)
async def test_another_request_under_the_key(api: Api, unchanged: Unchanged, other: dict[str, Any]) -> None:
    wallet, key = await api.admin.wallet("10"), new_id()
    body = {"amount": "1", "reference": "r", "metadata": {"a": 1}}
    posted(await api.admin.post(f"/wallets/{wallet['wallet_id']}/consume", body, key=key))
    async with unchanged():
        answer = await api.admin.post(f"/wallets/{wallet['wallet_id']}/consume", body | other, key=key)
        problem(answer, "idempotency_key_reused")


async def test_another_kind_or_wallet_under_the_key(api: Api, unchanged: Unchanged) -> None:
    wallet, other, key = await api.admin.wallet("10"), await api.admin.wallet("10"), new_id()
    posted(await api.admin.move("consume", wallet["wallet_id"], key=key))
    async with unchanged():
        for kind, wallet_id in (("fee", wallet["wallet_id"]), ("consume", other["wallet_id"])):
            problem(await api.admin.move(kind, wallet_id, key=key), "idempotency_key_reused")


async def test_header_and_body_name_different_keys(api: Api, unchanged: Unchanged) -> None:
    wallet = await api.admin.wallet("10")
    async with unchanged():
        for kind in ("deposit", "consume"):
            answer = await api.admin.move(kind, wallet["wallet_id"], key="one", idempotency_key="two")
            problem(answer, "idempotency_key_conflict")


async def test_a_refusal_spends_no_key(api: Api) -> None:
    wallet, key = await api.admin.wallet(), new_id()
    problem(await api.admin.move("consume", wallet["wallet_id"], key=key), "insufficient_funds")
    posted(await api.admin.move("deposit", wallet["wallet_id"]))
    posted(await api.admin.move("consume", wallet["wallet_id"], key=key))


async def test_without_a_key_each_request_counts(api: Api) -> None:
    wallet = await api.admin.wallet("10")
    for _ in range(2):
        posted(await api.admin.move("consume", wallet["wallet_id"]))
    assert await api.admin.balance(wallet["wallet_id"]) == "8.000000"


async def test_the_key_belongs_to_its_client(api: Api) -> None:
    wallet, key = await api.admin.wallet("10"), new_id()
    one, two = await api.service("transactions:write"), await api.service("transactions:write")
    for client in (one, two):
        posted(await client.move("consume", wallet["wallet_id"], key=key))
    assert await api.admin.balance(wallet["wallet_id"]) == "8.000000"


async def test_the_key_survives_a_new_key_of_its_client(api: Api) -> None:
    wallet, key, name = await api.admin.wallet("10"), new_id(), f"billing-{new_id()}"
    old, new = [await api.service("transactions:write", name=name) for _ in range(2)]
    first = await old.move("consume", wallet["wallet_id"], key=key)
    again = await new.move("consume", wallet["wallet_id"], key=key)
    assert posted(first)["client_id"] == name
    assert again.content == first.content


@pytest.mark.parametrize("kind", KINDS)
async def test_fifty_identical_at_once(api: Api, kind: str) -> None:
    wallet, key = await api.admin.wallet("10"), new_id()
    more = await other_side(api.admin, kind)
    answers = await asyncio.gather(
        *(api.admin.move(kind, wallet["wallet_id"], key=key, **more) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    now = await api.admin.read(wallet["wallet_id"])
    assert (now["balance"], now["last_entry"]) == (json.loads(answers[0].content)["balance_after"], 2)


async def test_the_same_key_on_two_wallets_at_once(api: Api) -> None:
    for _ in range(10):
        key = new_id()
        wallets = [(await api.admin.wallet("10"))["wallet_id"] for _ in range(2)]
        answers = await asyncio.gather(
            *(api.admin.move("consume", wallet_id, key=key) for wallet_id in wallets * 5)
        )
        won = {answer.json()["wallet_id"] for answer in answers if answer.status_code == 201}
        assert len(won) == 1
        for answer, wallet_id in zip(answers, wallets * 5, strict=True):
            if wallet_id not in won:
                problem(answer, "idempotency_key_reused")
        balances = sorted([await api.admin.balance(wallet_id) for wallet_id in wallets])
        assert balances == ["10.000000", "9.000000"]


async def test_another_operation_in_a_batch_isn_t_hurt_by_a_key_that_another_batch_wins(api: Api) -> None:
    for _ in range(5):
        key = new_id()
        wallets = [(await api.admin.wallet("10"))["wallet_id"] for _ in range(2)]
        answers = await asyncio.gather(
            *(
                api.admin.batch(
                    {"type": "consume", "wallet_id": wallet_id, "amount": "1"},
                    {"type": "consume", "wallet_id": wallet_id, "amount": "1", "idempotency_key": key},
                    {"type": "consume", "wallet_id": wallet_id, "amount": "1"},
                )
                for wallet_id in wallets
            )
        )
        told = sorted(tuple(result["status"] for result in answer.json()["results"]) for answer in answers)
        assert told == [("posted", "posted", "posted"), ("posted", "refused", "posted")]


async def test_the_same_answer_after_a_restart(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    found, key, wallet_key = await locate_database(await fresh_database()), new_id(), new_id()
    body = {"user_id": new_user(), "initial_balance": "10"}
    contents: list[list[bytes]] = []
    for _ in range(2):
        async with open_api(found) as running:
            wallet = await running.admin.post("/wallets", body, key=wallet_key)
            spent = await running.admin.move("consume", wallet.json()["wallet_id"], key=key)
            read = await running.admin.get(f"/wallets/{wallet.json()['wallet_id']}")
            contents.append([wallet.content, spent.content, read.content])
    assert contents[0] == contents[1]
    assert spent.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["k" * 255, " ~", "batch/0", "{}", "a b"])
async def test_keys_of_any_printable_ascii(api: Api, key: str) -> None:
    wallet = await api.admin.wallet("10")
    name = f"service-{new_id()}"
    client = await api.service("transactions:write", name=name)
    first = await client.move("consume", wallet["wallet_id"], idempotency_key=key)
    again = await client.move("consume", wallet["wallet_id"], idempotency_key=key)
    assert (posted(first)["client_id"], again.content) == (name, first.content)


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\there"])
async def test_bad_keys_in_the_header(api: Api, unchanged: Unchanged, key: str) -> None:
    wallet = await api.admin.wallet("10")
    async with unchanged():
        (error,) = problem(
            await api.admin.move("consume", wallet["wallet_id"], key=key), "validation_failed"
        )["errors"]
        assert error["in"] == "header"
