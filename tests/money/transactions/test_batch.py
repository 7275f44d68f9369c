import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from typing import Any

import httpx
import pytest
from support.api import Api, conforms, pointers, posted, problem
from support.problems import ERRORS

from wallet_service.core.identifiers import new_id
from wallet_service.money.transactions.schemas import BatchAnswer

Unchanged = Callable[[], Context[None]]

UNKNOWN = "0199d0a8-0000-7000-8000-000000000001"


def consume(wallet_id: str, amount: Any = "1", **members: Any) -> dict[str, Any]:
    return {"type": "consume", "wallet_id": wallet_id, "amount": amount, **members}


def results(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = conforms(answer.content, BatchAnswer)["results"]
    for result in found:
        if result["status"] == "refused":
            error = ERRORS[result["problem"]["code"]]
            assert (result["problem"]["status"], result["problem"]["title"]) == (error.status, error.title)
    return found


def told(answer: httpx.Response) -> list[str]:
    """For each operation ``posted`` or the code of its problem."""
    return [_told(result) for result in results(answer)]


def _told(result: dict[str, Any]) -> str:
    return result["problem"]["code"] if result["status"] == "refused" else result["status"]


async def test_every_kind_in_order(api: Api) -> None:
    wallet, other = await api.admin.wallet("10"), await api.admin.wallet()
    spent = posted(await api.admin.move("consume", wallet["wallet_id"], "4"))
    kinds = ("deposit", "withdraw", "consume", "reward", "fee")
    answer = await api.admin.batch(
        *({"type": kind, "wallet_id": wallet["wallet_id"], "amount": "1"} for kind in kinds),
        {
            "type": "transfer",
            "wallet_id": wallet["wallet_id"],
            "to_wallet_id": other["wallet_id"],
            "amount": "2",
        },
        {
            "type": "refund",
            "original_transaction_id": spent["transaction_id"],
            "amount": "3",
            "reference": "r",
        },
    )
    entries = [result["transaction"] for result in results(answer)]
    assert [entry["transaction_type"] for entry in entries] == [*kinds, "transfer", "refund"]
    assert [entry["wallet_version"] for entry in entries] == list(range(3, 10))
    assert [entry["balance_after"] for entry in entries] == [
        f"{balance}.000000" for balance in (7, 6, 5, 6, 5, 3, 6)
    ]
    assert entries[-1]["reference"] == "r"
    assert "Idempotency-Replayed" not in answer.headers
    for entry in entries:
        assert (await api.admin.get(f"/transactions/{entry['transaction_id']}")).json() == entry


async def test_each_operation_stands_alone(api: Api) -> None:
    wallet, frozen = await api.admin.wallet("3"), await api.admin.wallet("3")
    await api.admin.patch(f"/wallets/{frozen['wallet_id']}", {"status": "frozen"})
    wallet_id, unknown = wallet["wallet_id"], new_id()
    answer = await api.admin.batch(
        consume(wallet_id, "2"),
        consume(wallet_id, "2"),
        consume(unknown),
        consume(frozen["wallet_id"]),
        consume(wallet_id, "0.0000001"),
        {"type": "transfer", "wallet_id": wallet_id, "to_wallet_id": wallet_id, "amount": "1"},
        {"type": "refund", "original_transaction_id": unknown},
        consume(wallet_id, "1"),
    )
    assert told(answer) == [
        "posted",
        "insufficient_funds",
        "wallet_not_found",
        "wallet_frozen",
        "amount_precision",
        "same_wallet",
        "transaction_not_found",
        "posted",
    ]
    assert results(answer)[1]["problem"]["shortfall"] == "1.000000"
    assert results(answer)[1]["problem"]["detail"] == f"The wallet {wallet_id} lacks 1.000000 CREDIT"
    assert await api.admin.balance(wallet_id) == "0.000000"


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"amount": 0}, "amount_invalid", "/amount"),
    ({"amount": "NaN"}, "amount_invalid", "/amount"),
    ({"amount": None}, "amount_invalid", "/amount"),
    ({"amount": "1" * 39}, "amount_invalid", "/amount"),
    ({"wallet_id": "7"}, "validation_failed", "/wallet_id"),
    ({"wallet_id": None}, "validation_failed", "/wallet_id"),
    ({"idempotency_key": ""}, "validation_failed", "/idempotency_key"),
    ({"idempotency_key": "k" * 256}, "validation_failed", "/idempotency_key"),
    ({"reference": "a\nb"}, "validation_failed", "/reference"),
    ({"metadata": {"a": "x" * 17000}}, "validation_failed", "/metadata"),
    ({"metadata": "x"}, "validation_failed", "/metadata"),
    ({"counter_account": "wallet:x"}, "validation_failed", "/counter_account"),
    ({"effective_at": "yesterday"}, "validation_failed", "/effective_at"),
    ({"dry_run": True}, "validation_failed", "/dry_run"),
    ({"unknown": 1}, "validation_failed", "/unknown"),
    ({"to_wallet_id": UNKNOWN}, "validation_failed", "/to_wallet_id"),
]


@pytest.mark.parametrize(("members", "code", "pointer"), BAD, ids=lambda value: str(value)[:30])
async def test_a_bad_operation_is_refused_in_its_own_place(
    api: Api, members: dict[str, Any], code: str, pointer: str
) -> None:
    wallet_id = (await api.admin.wallet("10"))["wallet_id"]
    answer = await api.admin.batch(consume(wallet_id), consume(wallet_id) | members, consume(wallet_id))
    assert told(answer) == ["posted", code, "posted"]
    document = results(answer)[1]["problem"]
    assert pointers(document) == [pointer]
    assert [error["in"] for error in document["errors"]] == ["body"]
    assert await api.admin.balance(wallet_id) == "8.000000"


@pytest.mark.parametrize(
    "operation", [None, 7, "consume", [], {}, {"type": "mint"}, {"type": None}, {"type": "consume"}], ids=repr
)
async def test_what_is_no_operation_is_refused_in_its_own_place(api: Api, operation: Any) -> None:
    wallet_id = (await api.admin.wallet("10"))["wallet_id"]
    answer = await api.admin.batch(consume(wallet_id), operation, consume(wallet_id))
    assert told(answer)[0::2] == ["posted", "posted"]
    assert told(answer)[1] in {"validation_failed", "amount_invalid"}


async def test_nothing_but_bad_operations(api: Api, unchanged: Unchanged) -> None:
    async with unchanged():
        answer = await api.admin.batch(7, {"type": "mint"})
        assert told(answer) == ["validation_failed", "validation_failed"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/operations"),
        ({"operations": []}, "/operations"),
        ({"operations": {}}, "/operations"),
        ({"operations": None}, "/operations"),
        ({"operations": [{}] * 501}, "/operations"),
        ({"operations": [{}], "atomic": "yes"}, "/atomic"),
        ({"operations": [{}], "atomic": 1}, "/atomic"),
        ({"operations": [{}], "dry_run": None}, "/dry_run"),
        ({"operations": [{}], "idempotency_key": "k"}, "/idempotency_key"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_no_batch(api: Api, unchanged: Unchanged, body: dict[str, Any], pointer: str) -> None:
    async with unchanged():
        document = problem(await api.admin.post("/transactions/batch", body), "validation_failed")
        assert pointers(document) == [pointer]


async def test_five_hundred_are_taken_and_no_more(api: Api, unchanged: Unchanged) -> None:
    wallet_id = (await api.admin.wallet("500"))["wallet_id"]
    async with unchanged():
        answer = await api.admin.batch(*[consume(wallet_id)] * 501)
        assert pointers(problem(answer, "validation_failed")) == ["/operations"]
    answer = await api.admin.batch(*[consume(wallet_id)] * 500, key=new_id())
    assert told(answer) == ["posted"] * 500
    assert await api.admin.balance(wallet_id) == "0.000000"


async def test_the_header_s_key_names_each_operation(api: Api) -> None:
    wallet_id, key, own = (await api.admin.wallet("10"))["wallet_id"], new_id(), new_id()
    answer = await api.admin.batch(
        consume(wallet_id), consume(wallet_id, "2", idempotency_key=own), consume(wallet_id, "3"), key=key
    )
    entries = [result["transaction"] for result in results(answer)]
    for name, place in ((f"{key}/0", 0), (own, 1), (f"{key}/2", 2)):
        again = await api.admin.move("consume", wallet_id, str(place + 1), key=name)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert posted(again) == entries[place]
    fresh = await api.admin.move("consume", wallet_id, "2", key=f"{key}/1")
    assert "Idempotency-Replayed" not in fresh.headers


async def test_the_whole_batch_again(api: Api, unchanged: Unchanged) -> None:
    wallet_id, key = (await api.admin.wallet("10"))["wallet_id"], new_id()
    operations = [consume(wallet_id), consume(wallet_id, "2", idempotency_key=new_id())]
    first = await api.admin.batch(*operations, key=key)
    assert told(first) == ["posted", "posted"]
    async with unchanged():
        again = await api.admin.batch(*operations, key=key)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        atomic = await api.admin.batch(*operations, key=key, atomic=True)
        assert (atomic.content, atomic.headers["Idempotency-Replayed"]) == (first.content, "true")


async def test_a_batch_again_posts_what_was_refused(api: Api) -> None:
    wallet_id, key = (await api.admin.wallet("1"))["wallet_id"], new_id()
    operations = [consume(wallet_id), consume(wallet_id)]
    first = await api.admin.batch(*operations, key=key)
    assert told(first) == ["posted", "insufficient_funds"]
    posted(await api.admin.move("deposit", wallet_id))
    again = await api.admin.batch(*operations, key=key)
    assert told(again) == ["posted", "posted"]
    assert results(again)[0] == results(first)[0]
    assert "Idempotency-Replayed" not in again.headers


async def test_another_batch_under_the_key(api: Api) -> None:
    wallet_id, key = (await api.admin.wallet("10"))["wallet_id"], new_id()
    await api.admin.batch(consume(wallet_id), key=key)
    answer = await api.admin.batch(consume(wallet_id, "2"), consume(wallet_id, "3"), key=key)
    assert told(answer) == ["idempotency_key_reused", "posted"]
    assert await api.admin.balance(wallet_id) == "6.000000"


async def test_the_same_key_twice_in_one_batch(api: Api) -> None:
    wallet_id, key = (await api.admin.wallet("10"))["wallet_id"], new_id()
    same = consume(wallet_id, idempotency_key=key)
    answer = await api.admin.batch(same, same, same | {"amount": "2"})
    assert told(answer) == ["posted", "posted", "idempotency_key_reused"]
    first, second, _ = results(answer)
    assert first == second
    assert await api.admin.balance(wallet_id) == "9.000000"


async def test_fifty_identical_batches_at_once(api: Api) -> None:
    wallet_id, key = (await api.admin.wallet("10"))["wallet_id"], new_id()
    answers = await asyncio.gather(
        *(api.admin.batch(consume(wallet_id), consume(wallet_id, "2"), key=key) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert await api.admin.balance(wallet_id) == "7.000000"


@pytest.mark.parametrize(("length", "status"), [(251, 200), (252, 422)])
async def test_a_batch_s_key_has_room_for_the_number(api: Api, length: int, status: int) -> None:
    wallet_id = (await api.admin.wallet("500"))["wallet_id"]
    key = (new_id() * 8)[:length]
    answer = await api.admin.batch(*[consume(wallet_id)] * 500, key=key)
    assert answer.status_code == status
    if status == 200:
        assert told(answer) == ["posted"] * 500
    else:
        assert pointers(problem(answer, "validation_failed")) == ["/Idempotency-Key"]


async def test_atomic_posts_all(api: Api) -> None:
    wallet, other = await api.admin.wallet("10"), await api.admin.wallet()
    answer = await api.admin.batch(
        {
            "type": "transfer",
            "wallet_id": wallet["wallet_id"],
            "to_wallet_id": other["wallet_id"],
            "amount": "10",
        },
        consume(other["wallet_id"], "10"),
        atomic=True,
    )
    assert told(answer) == ["posted", "posted"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"amount": "11"}, "insufficient_funds"),
        ({"wallet_id": UNKNOWN}, "wallet_not_found"),
        ({"amount": "0.0000001"}, "amount_precision"),
        ({"amount": "-1"}, "amount_invalid"),
        ({"type": "mint"}, "validation_failed"),
        ({"reference": ""}, "validation_failed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("index", [0, 1, 3])
async def test_atomic_posts_nothing_when_one_is_refused(
    api: Api, unchanged: Unchanged, bad: dict[str, Any], code: str, index: int
) -> None:
    wallet_id, key = (await api.admin.wallet("10"))["wallet_id"], new_id()
    operations = [consume(wallet_id) for _ in range(4)]
    operations[index] |= bad
    async with unchanged():
        document = problem(await api.admin.batch(*operations, key=key, atomic=True), code)
        assert document["index"] == index
        expected = ["batch_aborted"] * 4
        expected[index] = code
        assert [_told(result) for result in document["results"]] == expected
        for place, result in enumerate(document["results"]):
            if place != index:
                assert result["problem"]["index"] == index
    operations[index] = consume(wallet_id)
    assert told(await api.admin.batch(*operations, key=key, atomic=True)) == ["posted"] * 4


async def test_the_first_refusal_of_an_atomic_batch_is_its_answer(api: Api, unchanged: Unchanged) -> None:
    wallet_id = (await api.admin.wallet("1"))["wallet_id"]
    async with unchanged():
        answer = await api.admin.batch(consume(wallet_id), consume(wallet_id), consume(new_id()), atomic=True)
        document = problem(answer, "insufficient_funds")
        assert (document["index"], document["shortfall"]) == (1, "1.000000")


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_dry_run_keeps_nothing(api: Api, unchanged: Unchanged, atomic: bool) -> None:
    wallet_id, key = (await api.admin.wallet("3"))["wallet_id"], new_id()
    operations = [consume(wallet_id, "2"), consume(wallet_id, "1")]
    async with unchanged():
        answer = await api.admin.batch(*operations, key=key, dry_run=True, atomic=atomic)
        entries = [result["transaction"] for result in results(answer)]
        assert [entry["dry_run"] for entry in entries] == [True, True]
        assert [entry["balance_after"] for entry in entries] == ["1.000000", "0.000000"]
        more = await api.admin.batch(*operations, consume(wallet_id), key=key, dry_run=True, atomic=atomic)
        if atomic:
            assert problem(more, "insufficient_funds")["index"] == 2
        else:
            assert told(more) == ["posted", "posted", "insufficient_funds"]
    first = await api.admin.batch(*operations, key=key, atomic=atomic)
    assert "Idempotency-Replayed" not in first.headers
    assert [result["transaction"]["dry_run"] for result in results(first)] == [False, False]


async def test_batches_with_the_same_wallets_in_other_orders(api: Api) -> None:
    wallets = [(await api.admin.wallet("100"))["wallet_id"] for _ in range(4)]
    orders = [wallets, wallets[::-1], wallets[2:] + wallets[:2]] * 6
    answers = await asyncio.gather(
        *(api.admin.batch(*(consume(wallet_id) for wallet_id in order), atomic=True) for order in orders)
    )
    for answer in answers:
        assert told(answer) == ["posted"] * 4
    assert {await api.admin.balance(wallet_id) for wallet_id in wallets} == {f"{100 - len(orders)}.000000"}
