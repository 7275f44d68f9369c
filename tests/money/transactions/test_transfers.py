import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from decimal import Decimal

import pytest
from support.api import Api, pointers, posted, problem

from wallet_service.core.identifiers import new_id


async def test_a_transfer_answers_with_both_legs(api: Api) -> None:
    source, target = await api.admin.wallet("10"), await api.admin.wallet("1")
    answer = await api.admin.move(
        "transfer",
        source["wallet_id"],
        "2.5",
        to_wallet_id=target["wallet_id"],
        reference="rent",
        metadata={"a": 1},
    )
    entry = posted(answer)
    assert {name: entry[name] for name in entry if name not in {"legs", "dry_run"}} == entry["legs"][0]
    sent, received = entry["legs"]
    assert [sent[name] for name in ("leg", "wallet_id", "direction", "amount")] == [
        0,
        source["wallet_id"],
        "debit",
        "2.500000",
    ]
    assert (sent["balance_before"], sent["balance_after"], sent["wallet_version"]) == (
        "10.000000",
        "7.500000",
        2,
    )
    assert sent["counter_account"] == f"wallet:{target['wallet_id']}"
    assert [received[name] for name in ("leg", "wallet_id", "direction", "amount")] == [
        1,
        target["wallet_id"],
        "credit",
        "2.500000",
    ]
    assert (received["balance_before"], received["balance_after"]) == ("1.000000", "3.500000")
    assert received["counter_account"] == f"wallet:{source['wallet_id']}"
    for name in ("transaction_id", "created_at", "effective_at", "reference", "metadata", "client_id"):
        assert sent[name] == received[name]
    assert await api.admin.balance(source["wallet_id"]) == "7.500000"
    assert await api.admin.balance(target["wallet_id"]) == "3.500000"
    assert (await api.admin.get(f"/transactions/{entry['transaction_id']}")).content == answer.content


async def test_only_one_currency(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    source, target = await api.admin.wallet("10", currency="USD"), await api.admin.wallet(currency="EUR")
    async with unchanged():
        answer = await api.admin.move("transfer", source["wallet_id"], to_wallet_id=target["wallet_id"])
        document = problem(answer, "currency_mismatch")
        assert (document["currency"], document["to_currency"]) == ("USD", "EUR")


async def test_not_to_itself(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    wallet_id = (await api.admin.wallet("10"))["wallet_id"]
    async with unchanged():
        for written in (wallet_id, wallet_id.upper()):
            problem(await api.admin.move("transfer", wallet_id, to_wallet_id=written), "same_wallet")


async def test_to_an_unknown_wallet(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    wallet_id, unknown = (await api.admin.wallet("10"))["wallet_id"], new_id()
    async with unchanged():
        answer = await api.admin.move("transfer", wallet_id, to_wallet_id=unknown)
        assert problem(answer, "wallet_not_found")["wallet_id"] == unknown


@pytest.mark.parametrize("to_wallet_id", [None, "", "7", 7, [], {}])
async def test_to_no_wallet(api: Api, unchanged: Callable[[], Context[None]], to_wallet_id: object) -> None:
    wallet_id = (await api.admin.wallet("10"))["wallet_id"]
    async with unchanged():
        answer = await api.admin.move("transfer", wallet_id, to_wallet_id=to_wallet_id)
        assert pointers(problem(answer, "validation_failed")) == ["/to_wallet_id"]
        answer = await api.admin.move("transfer", wallet_id)
        assert pointers(problem(answer, "validation_failed")) == ["/to_wallet_id"]


async def test_the_other_side_of_a_transfer_is_the_other_wallet(
    api: Api, unchanged: Callable[[], Context[None]]
) -> None:
    source, target = await api.admin.wallet("10"), await api.admin.wallet()
    async with unchanged():
        answer = await api.admin.move(
            "transfer", source["wallet_id"], to_wallet_id=target["wallet_id"], counter_account="revenue:x"
        )
        assert pointers(problem(answer, "validation_failed")) == ["/counter_account"]


async def test_the_target_s_limit_counts_too(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    source, target = await api.admin.wallet("10"), await api.admin.wallet("99999999999999999999")
    async with unchanged():
        answer = await api.admin.move("transfer", source["wallet_id"], "1", to_wallet_id=target["wallet_id"])
        assert problem(answer, "balance_limit")["wallet_id"] == target["wallet_id"]


async def test_opposed_transfers_between_few_wallets(api: Api) -> None:
    wallets = [(await api.admin.wallet("100"))["wallet_id"] for _ in range(3)]
    pairs = [(wallets[n % 3], wallets[(n + 1 + n % 2) % 3]) for n in range(50)]
    answers = await asyncio.gather(
        *(api.admin.move("transfer", source, "1.5", to_wallet_id=target) for source, target in pairs)
    )
    assert {answer.status_code for answer in answers} == {201}
    for wallet_id in wallets:
        moved = sum((target == wallet_id) - (source == wallet_id) for source, target in pairs)
        assert Decimal(await api.admin.balance(wallet_id)) == 100 + moved * Decimal("1.5")
