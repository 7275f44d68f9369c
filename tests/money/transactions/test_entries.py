"""Adjustments, operations of several entries, and mirrored wallets, over HTTP."""

from typing import Any

import pytest
from support.api import Api, created, new_user, posted, problem


def entry(wallet_id: str, direction: str, amount: str, counter_account: str | None = None) -> dict[str, Any]:
    named = {"wallet_id": wallet_id, "direction": direction, "amount": amount}
    return named if counter_account is None else named | {"counter_account": counter_account}


async def open_wallet(api: Api, balance: str, **members: Any) -> str:
    return (await api.admin.wallet(balance, **members))["wallet_id"]


async def test_an_exchange_with_its_fee_is_one_posting(api: Api) -> None:
    euros, dollars = await open_wallet(api, "10", currency="EUR"), await open_wallet(api, "0", currency="USD")
    entries = [
        entry(euros, "debit", "10", "fx:EUR-USD"),
        entry(dollars, "credit", "11", "fx:EUR-USD"),
        entry(dollars, "debit", "0.50", "revenue:fees"),
    ]
    body = {"type": "exchange", "entries": entries, "idempotency_key": f"x-{euros}"}
    first = posted(await api.admin.post("/transactions", body))
    assert [(leg["currency"], leg["balance_after"]) for leg in first["legs"]] == [
        ("EUR", "0.00"),
        ("USD", "11.00"),
        ("USD", "10.50"),
    ]
    replayed = await api.admin.post("/transactions", body)
    assert (replayed.json(), replayed.headers["Idempotency-Replayed"]) == (first, "true")
    assert (await api.admin.get(f"/transactions/{first['transaction_id']}")).json() == first | {
        "dry_run": False
    }
    refused = await api.admin.post(
        "/transactions",
        {
            "type": "payment",
            "entries": [
                entry(dollars, "debit", "1", f"wallet:{euros}"),
                entry(euros, "credit", "1", f"wallet:{dollars}"),
            ],
        },
    )
    assert problem(refused, "entries_unbalanced")["wallet_id"] == dollars
    too_many = {"type": "payment", "entries": [entry(dollars, "debit", "0.01", "revenue:fees")] * 21}
    problem(await api.admin.post("/transactions", too_many), "validation_failed")


async def test_a_batch_takes_them(api: Api) -> None:
    wallet = await open_wallet(api, "10")
    outcomes = await api.admin.batch(
        {"type": "adjustment", "wallet_id": wallet, "balance": "8", "reason": "count"},
        {"type": "payment", "entries": [entry(wallet, "debit", "1", "external:shop")]},
        {"type": "adjustment", "wallet_id": wallet, "balance": "7", "reason": "count"},
        {"type": "adjustment", "wallet_id": wallet, "balance": "7"},
        atomic=False,
    )
    found = [each.get("problem", {}).get("code") or each["status"] for each in outcomes.json()["results"]]
    assert found == ["posted", "posted", "balance_unchanged", "validation_failed"]


async def test_adjust_to_a_balance_or_by_an_amount(api: Api) -> None:
    wallet = await open_wallet(api, "10")
    down = posted(await api.admin.move("adjust", wallet, None, balance="7.5", reason="count of 31 March"))
    assert (down["direction"], down["amount"], down["description"]) == (
        "debit",
        "2.500000",
        "count of 31 March",
    )
    up = posted(await api.admin.move("adjust", wallet, "0.5", direction="credit", reason="forgotten"))
    assert (up["transaction_type"], up["balance_after"]) == ("adjustment", "8.000000")
    problem(await api.admin.move("adjust", wallet, None, balance="8", reason="again"), "balance_unchanged")
    for members in ({"balance": "1"}, {"reason": "r"}, {"balance": "1", "direction": "debit", "reason": "r"}):
        problem(await api.admin.post(f"/wallets/{wallet}/adjust", members), "validation_failed")
    problem(await api.admin.post(f"/transactions/{up['transaction_id']}/refund", {}), "not_refundable")


async def test_a_record_does_not_stand_in_the_way_of_an_operating_wallet(api: Api) -> None:
    """A user's token can choose any name for its records, also those that services use."""
    user = api.user()
    record = await user.wallet("5", user_id=user.user_id, keeping="mirrored")
    path = f"/users/{user.user_id}/credits"
    problem(await api.admin.post(f"{path}/consume", {"amount": "1"}), "insufficient_funds")
    again = await user.post("/wallets", {"user_id": user.user_id, "keeping": "mirrored"})
    assert problem(again, "wallet_exists")["wallet_id"] == record["wallet_id"]
    other = await user.wallet(user_id=user.user_id, keeping="mirrored", name="other")
    taken = await user.patch(f"/wallets/{other['wallet_id']}", {"name": record["name"]})
    assert problem(taken, "wallet_exists")["wallet_id"] == record["wallet_id"]
    operating = (await user.get(f"{path}/balance")).json()
    assert operating["wallet_id"] not in (None, record["wallet_id"])
    created(await user.post("/wallets", {"user_id": user.user_id, "name": "other"}))


async def test_refusals_state_what_would_be_right(api: Api) -> None:
    wallet, record = await open_wallet(api, "1"), await open_wallet(api, "1", keeping="mirrored")
    alone = [entry(wallet, "debit", "1", f"wallet:{record}")]
    mixed = [entry(wallet, "debit", "1", "fx:A-B"), entry(record, "credit", "1", "mirrored:fx:A-B")]
    for answer, code, named in (
        (
            await api.admin.post("/transactions", {"type": "payment", "entries": alone}),
            "entries_unbalanced",
            wallet,
        ),
        (
            await api.admin.post("/transactions", {"type": "exchange", "entries": mixed}),
            "wallet_mirrored",
            record,
        ),
        (await api.admin.move("adjust", wallet, None, balance="1", reason="x"), "balance_unchanged", wallet),
        (await api.admin.patch(f"/wallets/{record}", {"credit_limit": "1"}), "wallet_mirrored", record),
    ):
        document = problem(answer, code)
        assert named in document["detail"], document


async def test_an_adjustment_from_one_end_of_the_range_to_the_other_is_refused(api: Api) -> None:
    most = "9" * 20
    wallet = await open_wallet(api, "1", keeping="mirrored")
    refused = await api.admin.move("adjust", wallet, None, balance=f"-{most}", reason="count")
    assert problem(refused, "balance_limit")["wallet_id"] == wallet
    batch = await api.admin.batch(
        {"type": "adjustment", "wallet_id": wallet, "balance": f"-{most}", "reason": "count"},
        {"type": "adjustment", "wallet_id": wallet, "balance": f"-{most[:-1]}8", "reason": "count"},
    )
    assert [each["status"] for each in batch.json()["results"]] == ["refused", "posted"]


async def test_a_person_keeps_a_mirrored_wallet_and_mints_nothing(api: Api) -> None:
    user = api.user()
    bank = created(
        await user.post(
            "/wallets",
            {"user_id": user.user_id, "keeping": "mirrored", "name": "bank", "initial_balance": "-20.5"},
        )
    )
    assert (bank["keeping"], bank["balance"], bank["is_primary"]) == ("mirrored", "-20.500000", True)
    record = bank["wallet_id"]
    posted(await user.move("deposit", record, "100", counter_account="mirrored:salary"))
    spent = posted(await user.move("withdraw", record, "30"))
    assert spent["counter_account"] == "mirrored:withdrawals"
    posted(await user.post(f"/transactions/{spent['transaction_id']}/refund", {"amount": "5"}))
    posted(await user.move("adjust", record, None, balance="60", reason="statement of May"))
    problem(await user.move("consume", record, "1"), "wallet_mirrored")
    money = (await api.admin.wallet("10", user_id=user.user_id))["wallet_id"]
    for refused in (
        await user.move("deposit", money, "1"),
        await user.move("adjust", money, None, balance="99", reason="please"),
        await user.move("deposit", money, "1", counter_account="external:deposits"),
        await user.post("/wallets", {"user_id": user.user_id, "name": "other", "initial_balance": "5"}),
    ):
        problem(refused, "forbidden")
    problem(await user.move("transfer", money, "1", to_wallet_id=record), "wallet_mirrored")
    spendable = (await api.admin.get(f"/users/{user.user_id}/credits/balance")).json()
    assert (spendable["wallet_id"], spendable["balance"]) == (money, "10.000000")
    problem(await api.admin.patch(f"/wallets/{record}", {"credit_limit": "5"}), "wallet_mirrored")
    problem(
        await api.admin.post("/wallets", {"user_id": new_user(), "initial_balance": "-1"}), "amount_invalid"
    )


async def test_mirrored_wallets_stand_apart_in_sums(api: Api) -> None:
    record = await open_wallet(api, "0", currency="CHF", keeping="mirrored")
    posted(await api.admin.move("withdraw", record, "12"))
    stats = (await api.admin.get("/wallet/stats")).json()["currencies"]
    of_francs = {each["keeping"]: each for each in stats if each["currency"] == "CHF"}
    assert of_francs["mirrored"]["balance"].startswith("-")
    lines = (await api.admin.get("/ledger/trial-balance")).json()["currencies"]
    francs = next(each for each in lines if each["currency"] == "CHF")
    accounts = {line["account"] for line in francs["lines"]}
    assert {"mirrored:wallets", "mirrored:withdrawals"} <= accounts
    assert francs["sum"].strip("0.") == ""


@pytest.mark.parametrize("by", ["owner", "operator"])
async def test_an_owner_freezes_and_lifts_their_own_freeze_only(api: Api, by: str) -> None:
    user = api.user()
    wallet = (await api.admin.wallet("10", user_id=user.user_id))["wallet_id"]
    freezer = user if by == "owner" else api.admin
    assert (await freezer.patch(f"/wallets/{wallet}", {"status": "frozen"})).json()["status"] == "frozen"
    problem(await user.move("consume", wallet, "1"), "wallet_frozen")
    lifted = await user.patch(f"/wallets/{wallet}", {"status": "active"})
    if by == "owner":
        assert lifted.json()["status"] == "active"
        await user.patch(f"/wallets/{wallet}", {"status": "frozen"})
        await api.admin.patch(f"/wallets/{wallet}", {"status": "frozen"})  # an operator's freeze replaces it
        lifted = await user.patch(f"/wallets/{wallet}", {"status": "active"})
    problem(lifted, "wallet_frozen")
    assert (await api.admin.patch(f"/wallets/{wallet}", {"status": "active"})).json()["status"] == "active"
