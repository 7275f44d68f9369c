"""Refunds: never more than what they reverse, both legs of a transfer, and no refund of a refund."""

import asyncio
from collections import Counter

from support.kernel.harness import Kernel, check, op, refund, transfer, unit


@check
async def full_and_partial(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    spent = op("consume", wallet, "6", counter_account="revenue:usage:gpt")
    await kernel.one(spent)
    part = await kernel.one(refund(spent, "2.5"))
    assert part.transaction["counter_account"] == "revenue:usage:gpt"
    assert (part.transaction["direction"], part.transaction["balance_after"]) == ("credit", "6.50")
    assert part.transaction["original_transaction_id"] == spent["transaction_id"]
    before = await kernel.state()
    over = await kernel.one(refund(spent, "3.51"))
    assert over.status_or_code == "refund_exceeds"
    assert over.facts["refundable"] == "3.50"
    assert await kernel.state() == before
    rest = await kernel.one(refund(spent))
    assert rest.status_or_code == "posted"
    assert (rest.transaction["amount"], rest.transaction["balance_after"]) == ("3.50", "10.00")
    for amount in ("0.01", None):
        done = await kernel.one(refund(spent, amount))
        assert (done.code, done.facts["refundable"]) == ("refund_exceeds", "0.00")


@check
async def exceeding_at_once(kernel: Kernel) -> None:
    """Ten connections refund 3 of 10 each: three succeed."""
    wallet = await kernel.wallet("10")
    spent = op("consume", wallet, "10")
    await kernel.one(spent)
    outcomes = await asyncio.gather(*(kernel.one(refund(spent, "3")) for _ in range(10)))
    assert Counter(outcome.status_or_code for outcome in outcomes) == {"posted": 3, "refund_exceeds": 7}
    assert await kernel.balance(wallet) == 9


@check
async def exceeding_in_one_call(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    spent = op("consume", wallet, "10")
    await kernel.one(spent)
    outcomes = await kernel.all(*(refund(spent, "3") for _ in range(5)), refund(spent), refund(spent))
    assert [outcome.status_or_code for outcome in outcomes] == ["posted"] * 3 + ["refund_exceeds"] * 2 + [
        "posted",
        "refund_exceeds",
    ]
    assert (outcomes[5].transaction["amount"], await kernel.balance(wallet)) == ("1.00", 10)


@check
async def of_a_transfer(kernel: Kernel) -> None:
    source, target = await kernel.wallet("10"), await kernel.wallet("1")
    sent = transfer(source, target, "6")
    await kernel.one(sent)
    back = await kernel.one(refund(sent, "4"))
    assert [
        (leg["wallet_id"], leg["direction"], leg["balance_after"], leg["counter_account"])
        for leg in back.transaction["legs"]
    ] == [
        (source, "credit", "8.00", f"wallet:{target}"),
        (target, "debit", "3.00", f"wallet:{source}"),
    ]
    assert (await kernel.one(refund(sent, "2.01"))).code == "refund_exceeds"
    await kernel.one(op("consume", target, "2"))
    poor = await kernel.one(refund(sent))
    facts = {"wallet_id": target, "shortfall": "1.00", "currency": "USD"}
    assert (poor.code, poor.facts) == ("insufficient_funds", facts)
    await kernel.one(op("deposit", target, "1"))
    assert (await kernel.one(refund(sent))).transaction["amount"] == "2.00"
    assert (await kernel.balance(source), await kernel.balance(target)) == (10, 0)


@check
async def of_credits(kernel: Kernel) -> None:
    wallet = await kernel.wallet("1")
    for kind in ("deposit", "reward"):
        paid_in = op(kind, wallet, "5")
        await kernel.one(paid_in)
        back = await kernel.one(refund(paid_in, "5"))
        assert (back.transaction["direction"], back.transaction["balance_after"]) == ("debit", "1.00")
    paid_in = op("deposit", wallet, "5")
    await kernel.all(paid_in, op("consume", wallet, "4"))
    assert (await kernel.one(refund(paid_in))).facts["shortfall"] == "3.00"
    await kernel.pool.execute("update wallet.wallets set status = 'frozen' where wallet_id = $1", wallet)
    assert (await kernel.one(refund(paid_in, "1"))).code == "wallet_frozen"


@check
async def of_a_refund(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    spent = op("consume", wallet, "6")
    back = refund(spent, "1")
    await kernel.all(spent, back)
    before = await kernel.state()
    assert (await kernel.one(refund(back))).code == "not_refundable"
    assert (await kernel.one(refund(back, "1"))).code == "not_refundable"
    assert await kernel.state() == before
    second = refund(spent, "1")
    assert [outcome.status_or_code for outcome in await kernel.all(second, refund(second))] == [
        "posted",
        "not_refundable",
    ]


@check
async def precision_and_state(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    spent = op("consume", wallet, "6")
    await kernel.one(spent)
    before = await kernel.state()
    assert (await kernel.one(refund(spent, "0.001"))).code == "amount_precision"
    assert (await kernel.one(refund(spent, "0"))).code == "amount_invalid"
    await kernel.pool.execute("update wallet.wallets set status = 'closed' where wallet_id = $1", wallet)
    assert (await kernel.one(refund(spent))).code == "wallet_closed"
    await kernel.pool.execute("update wallet.wallets set status = 'active' where wallet_id = $1", wallet)
    assert await kernel.state() == before


@check
async def in_the_call_of_the_original(kernel: Kernel) -> None:
    source, target = await kernel.wallet("10"), await kernel.wallet()
    sent, spent = transfer(source, target, "6"), op("consume", target, "2")
    outcomes = await kernel.all(
        refund(sent), sent, spent, refund(spent), refund(sent, "5"), refund(sent, "2")
    )
    assert [outcome.status_or_code for outcome in outcomes] == [
        *("transaction_not_found", "posted", "posted", "posted", "posted", "refund_exceeds"),
    ]
    assert (await kernel.balance(source), await kernel.balance(target)) == (9, 1)
    lost = op("consume", source, "1")
    ((_, _), (after,)) = await kernel.post(
        unit(lost, op("fee", source, "99"), atomic=True), unit(refund(lost))
    )
    assert after.code == "transaction_not_found"


@check
async def transfer_posted_meanwhile(kernel: Kernel) -> None:
    """The same with a transfer of whose wallets the call locks one for another operation: both legs or none."""
    held = await kernel.wallet("10")
    source, target = await kernel.wallet("10"), await kernel.wallet("10")
    sent = transfer(source, target, "6")
    async with kernel.locking(held):
        task = asyncio.create_task(
            kernel.all(op("consume", held, "1"), op("deposit", source, "1"), refund(sent))
        )
        await kernel.waits_for_lock(task)
        assert (await kernel.one(sent)).status == "posted"
    assert [(outcome.status_or_code, outcome.locked_wallet_id) for outcome in await task] == [
        *(("posted", None), ("posted", None), ("busy", None)),
    ]
    assert (await kernel.balance(source), await kernel.balance(target)) == (5, 16)
    assert (await kernel.one(refund(sent))).status == "posted"
    assert (await kernel.balance(source), await kernel.balance(target)) == (11, 10)


@check
async def original_posted_meanwhile(kernel: Kernel) -> None:
    """The refund reads its wallets and waits for another wallet; the original is posted meanwhile."""
    wallet, other = await kernel.wallet("10"), await kernel.wallet("10")
    spent = op("consume", wallet, "6")
    async with kernel.locking(other):
        task = asyncio.create_task(kernel.all(op("consume", other, "1"), refund(spent)))
        await kernel.waits_for_lock(task)
        assert (await kernel.one(spent)).status == "posted"
    posted, back = await task
    assert (posted.status, back.status, back.locked_wallet_id) == ("posted", "busy", None)
    assert (await kernel.one(refund(spent))).status == "posted"
