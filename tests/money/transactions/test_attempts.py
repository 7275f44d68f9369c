"""Calls and attempts: what was refused in a later attempt is not posted by an earlier one."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager as Context
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from support.api import ADMIN_KEY, Api, Client, new_user, posted, problem
from support.settings import make_settings

from wallet_service.core.identifiers import derived_id, new_id
from wallet_service.platform.web.idempotency import CallAttempt
from wallet_service.runtime.application import create_app

Unchanged = Callable[[], Context[None]]
Send: TypeAlias = Callable[[Client, dict[str, str]], Awaitable[httpx.Response]]
SUPERSEDES = "supersedes_earlier_attempts"

postgres_only = pytest.mark.parametrize("driver", ["postgres"], indirect=True)


def attempt(number: int, call_id: str) -> dict[str, str]:
    return {"Idempotency-Call": call_id, "Idempotency-Attempt": str(number)}


async def consume(client: Client, wallet_id: str, key: str | None, headers: dict[str, str]) -> httpx.Response:
    return await client.send(
        "POST", f"/wallets/{wallet_id}/consume", {"amount": "7"}, key=key, headers=headers
    )


async def requests(api: Api, wallet_id: str, user_id: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each kind of request that takes 7 from the wallet: its path and its body."""
    other = (await api.admin.wallet())["wallet_id"]
    spent = {"type": "consume", "wallet_id": wallet_id, "amount": "7"}
    gift = {"type": "reward", "wallet_id": other, "amount": "1"}
    paid = posted(await api.admin.move("deposit", wallet_id, "7"))["transaction_id"]
    posted(await api.admin.move("withdraw", wallet_id, "7"))
    return {
        "single": (f"/wallets/{wallet_id}/consume", {"amount": "7"}),
        "transfer": (f"/wallets/{wallet_id}/transfer", {"amount": "7", "to_wallet_id": other}),
        "refund": (f"/transactions/{paid}/refund", {}),
        "atomic": ("/transactions/batch", {"operations": [gift, spent], "atomic": True}),
        "batch": ("/transactions/batch", {"operations": [spent]}),
        "credits": (f"/users/{user_id}/credits/consume", {"amount": "7"}),
    }


def refusal(answer: httpx.Response) -> dict[str, Any]:
    """The problem of the request, or of its first operation."""
    document = answer.json()
    if answer.status_code == 200:
        result, *_ = document["results"]
        return result.get("problem", {"code": "posted"})
    return document if "code" in document else {"code": "posted"}


@pytest.mark.parametrize("kind", ["single", "transfer", "refund", "atomic", "batch", "credits"])
async def test_a_refused_attempt_keeps_earlier_ones_from_posting(api: Api, kind: str) -> None:
    user_id = new_user()
    wallet_id = (await api.admin.wallet("5", user_id=user_id))["wallet_id"]
    path, body = (await requests(api, wallet_id, user_id))[kind]
    call_id, key = new_id(), new_id()

    async def sent(number: int, call_id: str = call_id) -> dict[str, Any]:
        answer = await api.admin.send("POST", path, body, key=key, headers=attempt(number, call_id))
        return refusal(answer)

    for number in (2, 3):
        refused = await sent(number)
        assert (refused["code"], refused[SUPERSEDES]) == ("insufficient_funds", True)
    posted(await api.admin.move("deposit", wallet_id, "20"))
    for number in (1, 2, 3):
        assert (await sent(number))["code"] == "transaction_superseded"
    assert await api.admin.balance(wallet_id) == "25.000000"
    assert (await sent(1, new_id()))["code"] == "posted"
    assert await api.admin.balance(wallet_id) == "18.000000"


@postgres_only
async def test_a_later_attempt_is_decided_again_and_a_repeated_one_is_a_replay(api: Api) -> None:
    wallet_id = (await api.admin.wallet("5"))["wallet_id"]
    call_id, key = new_id().upper(), new_id()
    problem(await consume(api.admin, wallet_id, key, attempt(2, call_id)), "insufficient_funds")
    posted(await api.admin.move("deposit", wallet_id, "20"))
    first = await consume(api.admin, wallet_id, key, attempt(3, call_id))
    assert (posted(first)["amount"], first.headers.get("Idempotency-Replayed")) == ("7.000000", None)
    for headers in (attempt(4, call_id.lower()), attempt(1, new_id()), {}):
        again = await consume(api.admin, wallet_id, key, headers)
        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")


@postgres_only
async def test_without_a_key_the_call_is_the_key(api: Api) -> None:
    wallet_id, call_id = (await api.admin.wallet("20"))["wallet_id"], new_id()
    first = await consume(api.admin, wallet_id, None, {"Idempotency-Call": call_id})
    again = await consume(api.admin, wallet_id, None, attempt(2, call_id))
    assert (posted(first)["amount"], again.content) == ("7.000000", first.content)
    assert await api.admin.balance(wallet_id) == "13.000000"


@postgres_only
async def test_a_first_attempt_that_is_refused_leaves_nothing(
    api: Api, superuser: asyncpg.Connection
) -> None:
    async def tombstones() -> int:
        return await superuser.fetchval("select count(*) from wallet.tombstones")

    wallet_id, call_id = (await api.admin.wallet("5"))["wallet_id"], new_id()
    before = await tombstones()
    refused = problem(
        await consume(api.admin, wallet_id, new_id(), attempt(1, call_id)), "insufficient_funds"
    )
    assert (SUPERSEDES in refused, await tombstones()) == (False, before)
    answer = await api.admin.send(
        "POST",
        f"/wallets/{wallet_id}/consume",
        {"amount": "7", "dry_run": True},
        headers=attempt(2, call_id),
    )
    assert (SUPERSEDES in problem(answer, "insufficient_funds"), await tombstones()) == (False, before)
    problem(await consume(api.admin, wallet_id, new_id(), attempt(2, call_id)), "insufficient_funds")
    assert await tombstones() == before + 1


@postgres_only
async def test_a_call_belongs_to_its_client(api: Api) -> None:
    """The same call id of another client is another call: nothing is blocked, found or shown."""
    wallet_id, call_id = (await api.admin.wallet("5"))["wallet_id"], new_id()
    one, two = [await api.service("transactions:write") for _ in range(2)]
    problem(await consume(one, wallet_id, None, attempt(9, call_id)), "insufficient_funds")
    posted(await api.admin.move("deposit", wallet_id, "20"))
    theirs = posted(await consume(two, wallet_id, None, attempt(1, call_id)))
    assert call_id not in theirs["transaction_id"]
    problem(await consume(one, wallet_id, None, attempt(1, call_id)), "transaction_superseded")
    mine = posted(await consume(one, wallet_id, None, attempt(10, call_id)))
    assert mine["transaction_id"] != theirs["transaction_id"]
    # Nor can the id of a transaction be used as a call to reach it.
    posted(await consume(two, wallet_id, None, attempt(1, mine["transaction_id"])))


@postgres_only
async def test_another_request_under_the_call(api: Api, unchanged: Unchanged) -> None:
    wallet_id, call_id = (await api.admin.wallet("50"))["wallet_id"], new_id()
    posted(await consume(api.admin, wallet_id, new_id(), attempt(1, call_id)))
    async with unchanged():
        for number in (1, 2):
            answer = await consume(api.admin, wallet_id, new_id(), attempt(number, call_id))
            assert "Idempotency-Call" in problem(answer, "idempotency_key_reused")["detail"]
        operations = [{"type": "consume", "wallet_id": wallet_id, "amount": "1"}]
        answer = await api.admin.send(
            "POST", "/transactions/batch", {"operations": operations}, headers=attempt(1, call_id)
        )
        assert "Idempotency-Call" in refusal(answer)["detail"]
    # The other places of a batch are other operations.
    operations = [{"type": "nothing"}, *operations]
    answer = await api.admin.send(
        "POST", "/transactions/batch", {"operations": operations}, headers=attempt(1, call_id)
    )
    assert [result["status"] for result in answer.json()["results"]] == ["refused", "posted"]


BAD_CALLS = (
    *("", "one", "019a0f3e-5a7b-4c11-9d2e-3f4a5b6c7d8e", "019a0f3e5a7b7c119d2e3f4a5b6c7d8e"),
    *("019a0f3e-5a7b-7c11-7d2e-3f4a5b6c7d8e", "019a0f3e-5a7b-7c11-9d2e-3f4a5b6c7d8e\u00b2"),
)
BAD_NUMBERS = ("", "0", "01", "+1", "-1", "1.0", "1_0", "1000000", "\u00b2", "one")


@postgres_only
async def test_headers_that_are_none(api: Api, unchanged: Unchanged) -> None:
    wallet_id, call_id = (await api.admin.wallet("50"))["wallet_id"], new_id()
    bad = [
        ({"Idempotency-Attempt": "1"}, "/Idempotency-Call"),
        *(({"Idempotency-Call": bad_id}, "/Idempotency-Call") for bad_id in BAD_CALLS),
        *(
            (attempt(1, call_id) | {"Idempotency-Attempt": each}, "/Idempotency-Attempt")
            for each in BAD_NUMBERS
        ),
    ]
    async with unchanged():
        for headers, pointer in bad:
            sent: Any = {name: value.encode("latin-1") for name, value in headers.items()}
            answer = await consume(api.admin, wallet_id, new_id(), sent)
            (error,) = problem(answer, "validation_failed")["errors"]
            assert (error["in"], error["pointer"]) == ("header", pointer), headers


@postgres_only
async def test_headers_with_different_values(api: Api) -> None:
    wallet_id, call_id = (await api.admin.wallet("50"))["wallet_id"], new_id()
    path = f"/api/v1/wallets/{wallet_id}/consume"
    for name, value in (("Idempotency-Call", new_id()), ("Idempotency-Attempt", "2")):
        headers = [("Authorization", f"Bearer {ADMIN_KEY}"), *attempt(1, call_id).items(), (name, value)]
        answer = await api.http.post(path, json={"amount": "1"}, headers=headers)
        assert name in problem(answer, "idempotency_key_conflict")["detail"]


@postgres_only
async def test_a_user_s_refusal_before_the_ledger_supersedes_nothing(api: Api) -> None:
    user, wallet_id = api.user(), (await api.admin.wallet("5"))["wallet_id"]
    answer = await user.send(
        "POST",
        f"/wallets/{wallet_id}/consume",
        {"amount": "1", "counter_account": "revenue:other"},
        headers=attempt(2, new_id()),
    )
    assert SUPERSEDES not in problem(answer, "forbidden")


def test_ids_of_a_call() -> None:
    call_id = new_id()
    first = CallAttempt(call_id, 1).transaction_id("billing", 0)
    assert first == CallAttempt(call_id, 2).transaction_id("billing", 0)
    others = {
        CallAttempt(call_id).transaction_id("billing", 1),
        CallAttempt(call_id).transaction_id("billin", 0),
        CallAttempt(new_id()).transaction_id("billing", 0),
        derived_id(call_id, "billing0"),
        derived_id(call_id, "billing", "0", ""),
        *(CallAttempt().transaction_id("billing") for _ in range(2)),
    }
    assert len(others | {first, call_id}) == 9
    assert {each[14] for each in others | {first}} == {"7"}
    assert first[:14] == call_id[:14]
    assert first[19] in "89ab"


def test_every_route_that_posts_documents_its_call_and_attempt() -> None:
    document = create_app(make_settings(), "postgresql://unused@127.0.0.1:1/none").openapi()
    headers = {
        operation["operationId"]: {
            parameter.get("$ref", "").rpartition("/")[2] or parameter["name"]
            for parameter in operation.get("parameters", ())
        }
        for path in document["paths"].values()
        for operation in path.values()
        if "`transaction_superseded`" in operation["responses"].get("409", {}).get("description", "")
    }
    assert {"consume_from_wallet", "adjust_wallet", "post_transaction", "post_batch"} <= headers.keys()
    # The id of an event of usage names it for ever: its sender needs no further name.
    without = {name for name, given in headers.items() if not given >= attempt(1, "").keys()}
    assert without == {"report_usage", "report_usage_batch"}
