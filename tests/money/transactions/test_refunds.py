import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api, posted, problem

from wallet_service.core.identifiers import new_id

Unchanged = Callable[[], Context[None]]


async def spend(api: Api, amount: str = "4", kind: str = "consume", **members: Any) -> dict[str, Any]:
    """A posting on a new wallet that had 10."""
    wallet = await api.admin.wallet("10")
    return posted(await api.admin.move(kind, wallet["wallet_id"], amount, **members))


@pytest.mark.parametrize("kind", ["consume", "withdraw", "fee", "deposit", "reward"])
async def test_a_full_refund_takes_back_the_posting(api: Api, kind: str) -> None:
    spent = await spend(api, kind=kind, counter_account="revenue:usage:x")
    refund = posted(await api.admin.refund(spent["transaction_id"], reference="sorry", metadata={"a": 1}))
    assert refund["transaction_type"] == "refund"
    assert refund["original_transaction_id"] == spent["transaction_id"] != refund["transaction_id"]
    assert {refund["direction"], spent["direction"]} == {"credit", "debit"}
    assert (refund["amount"], refund["balance_after"]) == ("4.000000", "10.000000")
    assert (refund["wallet_id"], refund["counter_account"]) == (spent["wallet_id"], "revenue:usage:x")
    assert (refund["reference"], refund["metadata"], refund["legs"]) == ("sorry", {"a": 1}, None)


async def test_parts_until_nothing_is_left(api: Api, unchanged: Unchanged) -> None:
    spent = await spend(api)
    transaction_id = spent["transaction_id"]
    assert posted(await api.admin.refund(transaction_id, amount="1.5"))["balance_after"] == "7.500000"
    async with unchanged():
        document = problem(await api.admin.refund(transaction_id, amount="2.500001"), "refund_exceeds")
        assert (document["refundable"], document["transaction_id"]) == ("2.500000", transaction_id)
    assert posted(await api.admin.refund(transaction_id, amount=Decimal("0.5")))["amount"] == "0.500000"
    rest = posted(await api.admin.refund(transaction_id))
    assert (rest["amount"], rest["balance_after"]) == ("2.000000", "10.000000")
    async with unchanged():
        for members in ({}, {"amount": "0.000001"}):
            document = problem(await api.admin.refund(transaction_id, **members), "refund_exceeds")
            assert document["refundable"] == "0.000000"


async def test_no_more_than_was_spent(api: Api, unchanged: Unchanged) -> None:
    spent = await spend(api)
    async with unchanged():
        problem(await api.admin.refund(spent["transaction_id"], amount="4.000001"), "refund_exceeds")


async def test_a_transfer_s_refund_reverses_both_legs(api: Api, unchanged: Unchanged) -> None:
    source, target = await api.admin.wallet("10"), await api.admin.wallet()
    sent = posted(
        await api.admin.move("transfer", source["wallet_id"], "4", to_wallet_id=target["wallet_id"])
    )
    refund = posted(await api.admin.refund(sent["transaction_id"], amount="3"))
    back, taken = refund["legs"]
    assert [
        (leg["wallet_id"], leg["direction"], leg["amount"], leg["balance_after"]) for leg in (back, taken)
    ] == [
        (source["wallet_id"], "credit", "3.000000", "9.000000"),
        (target["wallet_id"], "debit", "3.000000", "1.000000"),
    ]
    assert {leg["original_transaction_id"] for leg in refund["legs"]} == {sent["transaction_id"]}
    posted(await api.admin.move("consume", target["wallet_id"], "0.5"))
    async with unchanged():
        document = problem(await api.admin.refund(sent["transaction_id"]), "insufficient_funds")
        assert (document["wallet_id"], document["shortfall"]) == (target["wallet_id"], "0.500000")


async def test_a_deposit_that_was_spent_can_t_be_taken_back(api: Api, unchanged: Unchanged) -> None:
    paid = await spend(api, "4", "deposit")
    posted(await api.admin.move("consume", paid["wallet_id"], "12"))
    async with unchanged():
        document = problem(await api.admin.refund(paid["transaction_id"]), "insufficient_funds")
        assert document["shortfall"] == "2.000000"


async def test_a_refund_can_t_be_refunded(api: Api, unchanged: Unchanged) -> None:
    refund = posted(await api.admin.refund((await spend(api))["transaction_id"]))
    async with unchanged():
        document = problem(await api.admin.refund(refund["transaction_id"]), "not_refundable")
        assert document["transaction_id"] == refund["transaction_id"]


async def test_an_unknown_transaction(api: Api, unchanged: Unchanged) -> None:
    async with unchanged():
        unknown = new_id()
        document = problem(await api.admin.refund(unknown), "transaction_not_found")
        assert document["transaction_id"] == unknown


async def test_a_transaction_id_that_is_no_uuid(api: Api, unchanged: Unchanged) -> None:
    async with unchanged():
        problem(await api.admin.refund("seven"), "validation_failed")


async def test_credit_to_a_frozen_wallet_and_no_debit(api: Api, unchanged: Unchanged) -> None:
    spent = await spend(api)
    paid = posted(await api.admin.move("deposit", spent["wallet_id"], "1"))
    await api.admin.patch(f"/wallets/{spent['wallet_id']}", {"status": "frozen"})
    posted(await api.admin.refund(spent["transaction_id"]))
    async with unchanged():
        problem(await api.admin.refund(paid["transaction_id"]), "wallet_frozen")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"amount": 0}', "amount_invalid"),
        (b'{"amount": "-1"}', "amount_invalid"),
        (b'{"amount": "0.0000001"}', "amount_precision"),
        (b'{"counter_account": "revenue:x"}', "validation_failed"),
        (b'{"wallet_id": "0199d0a8-0000-7000-8000-000000000001"}', "validation_failed"),
        (b"[]", "validation_failed"),
        (b"", "malformed_request"),
    ],
)
async def test_bad_bodies(api: Api, unchanged: Unchanged, body: bytes, code: str) -> None:
    spent = await spend(api)
    async with unchanged():
        problem(await api.admin.post(f"/transactions/{spent['transaction_id']}/refund", body), code)


async def test_null_is_all_that_is_left(api: Api) -> None:
    spent = await spend(api)
    assert posted(await api.admin.refund(spent["transaction_id"], amount=None))["amount"] == "4.000000"


async def test_refunds_at_once_never_exceed(api: Api) -> None:
    spent = await spend(api)
    answers = await asyncio.gather(
        *(api.admin.refund(spent["transaction_id"], amount="1") for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 4 + [409] * 16
    assert await api.admin.balance(spent["wallet_id"]) == "10.000000"


async def test_the_same_key_refunds_once(api: Api) -> None:
    spent, key = await spend(api), new_id()
    first = await api.admin.refund(spent["transaction_id"], key)
    again = await api.admin.refund(spent["transaction_id"], key)
    posted(first)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    answer = await api.admin.refund(spent["transaction_id"], key, amount="1")
    problem(answer, "idempotency_key_reused")
