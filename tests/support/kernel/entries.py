"""Operations of several entries, adjustments, and wallets that mirror an account kept elsewhere."""

import asyncio
from decimal import Decimal
from typing import Any

from support.kernel.harness import Kernel, Op, another_attempt, check, op, refund, transfer
from wallet_service.core.identifiers import new_id


def entry(wallet_id: str, amount: str, counter_account: str | None = None) -> dict[str, Any]:
    """An entry; a negative amount is a debit."""
    direction = "debit" if amount.startswith("-") else "credit"
    named = {"wallet_id": wallet_id, "direction": direction, "amount": amount.lstrip("-")}
    return named if counter_account is None else named | {"counter_account": counter_account}


def several(kind: str, *entries: dict[str, Any], **members: Any) -> Op:
    return op(kind, entries=list(entries), **members)


async def _posted(kernel: Kernel, operation: Op) -> dict[str, Any]:
    outcome = await kernel.one(operation)
    assert outcome.status in ("posted", "replayed"), outcome
    return outcome.transaction


def adjust(wallet_id: str, **members: Any) -> Op:
    return op("adjustment", wallet_id, description="count of 31 March", **members)


@check
async def an_exchange_with_its_fee(kernel: Kernel) -> None:
    """Ten euros become eleven dollars, and the fee is a dollar: each currency adds up to nothing."""
    euros, dollars = await kernel.wallet("10", "EUR"), await kernel.wallet("0")
    bought = several(
        "exchange",
        entry(euros, "-10", "fx:EUR-USD"),
        entry(dollars, "11", "fx:EUR-USD"),
        entry(dollars, "-1", "revenue:fees"),
        key=new_id(),
    )
    posted = await _posted(kernel, bought)
    legs = [
        (leg["currency"], leg["direction"], leg["amount"], leg["balance_after"]) for leg in posted["legs"]
    ]
    assert legs == [
        ("EUR", "debit", "10.00", "0.00"),
        ("USD", "credit", "11.00", "11.00"),
        ("USD", "debit", "1.00", "10.00"),
    ]
    assert [leg["wallet_version"] for leg in posted["legs"]] == [2, 1, 2]
    assert (await _posted(kernel, another_attempt(bought))) == posted
    assert (await kernel.one(refund(bought))).code == "not_refundable"


@check
async def of_a_type_that_is_declared_no_more(kernel: Kernel) -> None:
    """Its entries stay readable. What its refund would mean is not known."""
    wallet_id = await kernel.wallet("10")
    spent = op("consume", wallet_id, "2")
    await _posted(kernel, spent)
    async with kernel.pool.acquire() as connection:
        changing = connection.transaction()
        await changing.start()
        await connection.execute("set local session_replication_role = replica")  # rows are append-only
        await connection.execute(
            "update wallet.wallet_transactions set transaction_type = 'gift' where transaction_id = $1",
            spent["transaction_id"],
        )
        outcome = await kernel.one(refund(spent), on=connection)
        await changing.rollback()
    assert outcome.code == "not_refundable"


@check
async def decimals_are_those_of_each_currency(kernel: Kernel) -> None:
    dollars, yen = await kernel.wallet("10"), await kernel.wallet("0", "JPY")
    entries = entry(dollars, "-1.25", "fx:USD-JPY"), entry(yen, "190", "fx:USD-JPY")
    legs = (await _posted(kernel, several("exchange", *entries)))["legs"]
    assert [leg["amount"] for leg in legs] == ["1.25", "190"]
    refused = await kernel.one(several("exchange", entries[0], entry(yen, "190.5", "fx:USD-JPY")))
    assert (refused.code, refused.facts) == ("amount_precision", {"currency": "JPY", "exponent": 0})


@check
async def entries_between_wallets_agree(kernel: Kernel) -> None:
    payer, payee, shop = [await kernel.wallet("10") for _ in range(3)]
    euros = await kernel.wallet("10", "EUR")
    split = several(
        "payment",
        entry(payer, "-5", f"wallet:{payee}"),
        entry(payee, "5", f"wallet:{payer}"),
        entry(payer, "-1", f"wallet:{shop}"),
        entry(shop, "1", f"wallet:{payer.upper()}"),
    )
    assert (await kernel.one(split)).status == "posted"
    assert [await kernel.balance(each) for each in (payer, payee, shop)] == [4, 15, 11]
    before = await kernel.state()
    for wrong, code in (
        ((entry(payer, "-5", f"wallet:{payee}"),), "entries_unbalanced"),
        ((entry(payer, "-4", f"wallet:{payee}"), entry(payee, "5", f"wallet:{payer}")), "entries_unbalanced"),
        ((entry(payer, "-4", f"wallet:{payee}"), entry(payee, "4", f"wallet:{shop}")), "entries_unbalanced"),
        ((entry(payer, "-4", f"wallet:{euros}"), entry(euros, "4", f"wallet:{payer}")), "entries_unbalanced"),
        ((entry(payer, "-4", f"wallet:{payer}"), entry(payer, "4", f"wallet:{payer}")), "same_wallet"),
        ((entry(payer, "-4"), entry(payee, "4", f"wallet:{payer}")), "validation_failed"),
        (
            (entry(payer, "-99", f"wallet:{payee}"), entry(payee, "99", f"wallet:{payer}")),
            "insufficient_funds",
        ),
        ((entry(payer, "-1", "revenue:fees"), entry(new_id(), "1", "promotions")), "wallet_not_found"),
    ):
        assert (await kernel.one(several("payment", *wrong))).code == code, wrong
    assert await kernel.state() == before


@check
async def a_payment_is_refunded_as_a_whole(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    paid = several("payment", entry(wallet, "-5", "external:shop"), entry(wallet, "-1", "revenue:fees"))
    assert (await kernel.one(paid)).status == "posted"
    assert (await kernel.one(refund(paid, "2"))).code == "refund_exceeds"
    back = await _posted(kernel, refund(paid))
    assert [(leg["direction"], leg["amount"], leg["counter_account"]) for leg in back["legs"]] == [
        ("credit", "5.00", "external:shop"),
        ("credit", "1.00", "revenue:fees"),
    ]
    assert await kernel.balance(wallet) == 10
    assert (await kernel.one(refund(paid))).code == "refund_exceeds"


@check
async def what_is_left_of_a_payment_pays_for_its_refund(kernel: Kernel) -> None:
    """A shop that got 100 and paid a fee of 3 has 97: enough, because the fee comes back in the same posting."""
    wallet = await kernel.wallet("0")
    paid = several("payment", entry(wallet, "100", "external:shop"), entry(wallet, "-3", "revenue:fees"))
    await _posted(kernel, paid)
    await _posted(kernel, op("consume", wallet, "0.01"))
    refused = await kernel.one(refund(paid))
    assert (refused.code, refused.facts["shortfall"]) == ("insufficient_funds", "0.01")
    await _posted(kernel, op("deposit", wallet, "0.01"))
    back = await _posted(kernel, refund(paid))
    assert [leg["balance_after"] for leg in back["legs"]] == ["-3.00", "0.00"]
    assert await kernel.balance(wallet) == 0


@check
async def the_form_of_entries(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    good = entry(wallet, "-0.01", "revenue:fees")
    assert len((await _posted(kernel, several("payment", *[good] * 20)))["legs"]) == 20
    before = await kernel.state()
    for entries in (
        [],
        [good] * 21,
        {},
        "x",
        None,
        [1],
        [good | {"more": 1}],
        [good | {"wallet_id": "x"}],
        [good | {"direction": "both"}],
        [good | {"amount": True}],
        [good | {"counter_account": "bank:x"}],
        [good | {"counter_account": "wallet:x"}],
        [good | {"counter_account": 5}],
    ):
        refused = await kernel.one(op("payment", entries=entries))
        assert (refused.code, refused.facts["errors"][0]["pointer"]) == ("validation_failed", "/entries"), (
            entries
        )
    for amount in ("0", "-1", "NaN", "1e3", ""):
        assert (await kernel.one(op("payment", entries=[good | {"amount": amount}]))).code == "amount_invalid"
    assert (await kernel.one(several("payment", good) | {"amount": "1"})).code == "validation_failed"
    assert (await kernel.one(op("consume", wallet, "1", entries=[good]))).code == "validation_failed"
    assert (await kernel.one(several("mint", good))).code == "validation_failed"
    assert (await kernel.one(several("payment", good, acting_user_id="someone"))).code == "forbidden"
    assert await kernel.state() == before


@check
async def opposed_entries_at_once(kernel: Kernel) -> None:
    """Twenty calls with the same two wallets, in either order: no deadlock, and nothing is lost."""
    one, other = await kernel.wallet("100"), await kernel.wallet("100")

    async def pay(source: str, target: str) -> str:
        entries = entry(target, "1", f"wallet:{source}"), entry(source, "-1", f"wallet:{target}")
        return (await kernel.one(several("payment", *entries))).status_or_code

    outcomes = await asyncio.gather(
        *(pay(one, other) for _ in range(10)), *(pay(other, one) for _ in range(10))
    )
    assert set(outcomes) <= {"posted", "busy"}
    assert await kernel.balance(one) + await kernel.balance(other) == 200


@check
async def adjusted_to_a_balance_or_by_an_amount(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    down = adjust(wallet, balance="7.5", key=new_id())
    posted = await _posted(kernel, down)
    assert (posted["direction"], posted["amount"], posted["balance_after"]) == ("debit", "2.50", "7.50")
    assert (posted["counter_account"], posted["description"]) == ("external:adjustments", "count of 31 March")
    assert (await _posted(kernel, another_attempt(down | {"balance": "7.50"}))) == posted
    assert (await kernel.one(adjust(wallet, balance="7.50"))).code == "balance_unchanged"
    up = await _posted(kernel, adjust(wallet, amount="2.5", direction="credit"))
    assert (up["direction"], up["balance_after"]) == ("credit", "10.00")
    assert (await _posted(kernel, adjust(wallet, balance="0")))["balance_after"] == "0.00"
    before = await kernel.state()
    for members, code in (
        ({"balance": "-1"}, "insufficient_funds"),
        ({"balance": "1.005"}, "amount_precision"),
        ({"balance": "x"}, "amount_invalid"),
        ({"balance": "-0"}, "amount_invalid"),
        ({}, "validation_failed"),
        ({"amount": "1"}, "validation_failed"),
        ({"amount": "1", "direction": "up"}, "validation_failed"),
        ({"balance": "1", "amount": "1", "direction": "credit"}, "validation_failed"),
        ({"amount": "1", "direction": "credit", "description": None}, "validation_failed"),
    ):
        operation = {name: each for name, each in (adjust(wallet) | members).items() if each is not None}
        assert (await kernel.one(operation)).code == code, members
    assert (await kernel.one(op("deposit", wallet, "1", direction="credit"))).code == "validation_failed"
    assert (await kernel.one(refund(posted["transaction_id"]))).code == "not_refundable"
    assert await kernel.state() == before


@check
async def a_mirrored_wallet_is_a_record(kernel: Kernel) -> None:
    """It stands below zero, and its other side is mirrored, too."""
    card = await kernel.wallet(keeping="mirrored")
    spent = await _posted(kernel, op("withdraw", card, "30"))
    assert (spent["balance_after"], spent["counter_account"]) == ("-30.00", "mirrored:withdrawals")
    paid = await _posted(kernel, op("deposit", card, "10", counter_account="mirrored:salary"))
    assert (paid["balance_after"], paid["counter_account"]) == ("-20.00", "mirrored:salary")
    assert (await _posted(kernel, adjust(card, balance="-25")))["amount"] == "5.00"
    bank = await kernel.wallet(keeping="mirrored")
    assert (await kernel.one(transfer(bank, card, "25"))).status == "posted"
    assert (await kernel.balance(bank), await kernel.balance(card)) == (-25, 0)
    assert (await kernel.one(refund(spent["transaction_id"], "1"))).status == "posted"
    money = await kernel.wallet("10")
    before = await kernel.state()
    for operation, code in (
        (op("consume", card, "1"), "wallet_mirrored"),
        (op("reward", card, "1"), "wallet_mirrored"),
        (op("fee", card, "1"), "wallet_mirrored"),
        (transfer(money, card, "1"), "wallet_mirrored"),
        (transfer(card, money, "1"), "wallet_mirrored"),
        (
            several("exchange", entry(card, "-1", "mirrored:fx:USD-EUR"), entry(money, "1", "fx:USD-EUR")),
            "wallet_mirrored",
        ),
        (op("deposit", card, "1", counter_account="external:deposits"), "validation_failed"),
        (op("deposit", money, "1", counter_account="mirrored:deposits"), "validation_failed"),
    ):
        assert (await kernel.one(operation)).code == code, operation
    assert await kernel.state() == before


@check
async def users_write_their_own_records_and_mint_nothing(kernel: Kernel) -> None:
    mine, money = await kernel.wallet(user="me", keeping="mirrored"), await kernel.wallet("10", user="me")
    theirs = await kernel.wallet(user="other", keeping="mirrored")
    me = {"acting_user_id": "me"}
    deposit = op("deposit", mine, "5", **me)
    for operation in (
        deposit,
        op("withdraw", mine, "1", **me),
        adjust(mine, balance="9", **me),
        refund(deposit, "1", **me),
        op("withdraw", money, "1", **me),
        transfer(mine, await kernel.wallet(user="me", keeping="mirrored"), "1", **me),
    ):
        assert (await kernel.one(operation)).status_or_code == "posted", operation
    before = await kernel.state()
    for operation, code in (
        (op("deposit", money, "1", **me), "forbidden"),
        (op("reward", money, "1", **me), "forbidden"),
        (adjust(money, balance="99", **me), "forbidden"),
        (op("deposit", theirs, "1", **me), "forbidden"),
        (op("withdraw", theirs, "1", **me), "wallet_not_found"),
        (transfer(mine, theirs, "1", **me), "wallet_not_found"),
        (adjust(theirs, balance="1", **me), "forbidden"),
    ):
        assert (await kernel.one(operation)).code == code, operation
    assert await kernel.state() == before
    assert await kernel.balance(money) == Decimal(9)
