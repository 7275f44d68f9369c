"""Explanations and the summary agree with the ledger and with each other, to the last digit."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from conftest import TestDatabase
from support.api import Api
from support.clock import SettableClock

from wallet_service.billing.explain.schemas import BillingSummary, Explanation
from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.gateway import Json

START = datetime(2031, 5, 1, tzinfo=UTC)


def text(moment: datetime) -> str:
    """A moment as a parameter of a query."""
    return moment.isoformat().replace("+00:00", "Z")


async def post(api: Api, *operations: dict[str, Any]) -> list[str]:
    """The ids of the transactions of these operations, which all post."""
    named = [{"transaction_id": new_id(), "client_id": "billing", **each} for each in operations]
    unit = {"operations": named, "atomic": True, "dry_run": False, "resent": False}
    answer = await api.app.state.database.call("post_transactions", units=Json(json.dumps([unit])))
    assert all(each["status"] == "posted" for each in json.loads(answer)[0]), answer
    return [each["transaction_id"] for each in named]


async def story(api: Api, clock: SettableClock) -> str:
    """A wallet that bought, was given, spent, got back and lost credits."""
    await clock.set(START)
    wallet = (await api.admin.wallet("10", currency="CREDIT"))["wallet_id"]
    on = {"wallet_id": wallet}
    await post(
        api,
        {
            **on,
            "type": "grant",
            "amount": "100",
            "terms": {"source": "purchase", "priority": 1, "unit_cost": "0.0125", "cost_currency": "USD"},
        },
        {
            **on,
            "type": "grant",
            "amount": "20",
            "terms": {"source": "promotion", "priority": 0, "expires_in_s": 86_400},
        },
    )
    await clock.advance(timedelta(hours=1))
    (first,) = await post(
        api, {**on, "type": "consume", "amount": "35.5", "counter_account": "revenue:usage:gpt"}
    )
    await post(api, {"type": "refund", "original_transaction_id": first, "amount": "10.25"})
    await clock.advance(timedelta(days=2))
    await post(api, {**on, "type": "consume", "amount": "7"})
    return wallet


def totals(found: dict[str, Any]) -> Decimal:
    """The opening balance with the movements."""
    signed = (
        Decimal(each["amount"]) * (1 if each["direction"] == "credit" else -1) for each in found["movements"]
    )
    return Decimal(found["opening_balance"]) + sum(signed)


async def test_an_explanation_adds_up(timed_api: Api, clock: SettableClock) -> None:
    wallet = await story(timed_api, clock)

    now = (await timed_api.admin.get(f"/wallets/{wallet}/explain")).json()
    Explanation.model_validate(now)

    assert now["balance"] == (await timed_api.admin.read(wallet))["balance"]
    assert totals(now) == Decimal(now["balance"]) == Decimal(now["granted"]) + Decimal(now["not_granted"])
    assert sum(Decimal(each["remaining"]) for each in now["grants"]) == Decimal(now["granted"])
    assert [each["transaction_type"] for each in now["last_changes"]] == [
        "consume",
        "refund",
        "consume",
        "grant",
        "grant",
        "deposit",
    ]
    assert [part["amount"] for part in now["last_changes"][2]["grants"]] == ["20.000000", "15.500000"]


async def test_a_past_balance_is_explained_as_it_was(timed_api: Api, clock: SettableClock) -> None:
    wallet = await story(timed_api, clock)
    at = text(START + timedelta(minutes=30))

    past = (
        await timed_api.admin.send("GET", f"/wallets/{wallet}/explain", query={"at": at, "from": text(START)})
    ).json()

    assert (past["balance"], past["granted"], past["not_granted"]) == (
        "130.000000",
        "120.000000",
        "10.000000",
    )
    assert totals(past) == 130
    assert [(each["source"], each["remaining"]) for each in past["grants"]] == [
        ("promotion", "20.000000"),
        ("purchase", "100.000000"),
    ]
    assert past["next_expiry"]["amount"] == "20.000000"


async def test_people_read_a_text(timed_api: Api, clock: SettableClock) -> None:
    wallet = await story(timed_api, clock)
    read = await timed_api.admin.send("GET", f"/wallets/{wallet}/explain", headers={"Accept": "text/plain"})
    assert read.headers["content-type"].startswith("text/plain")
    lines = read.text.splitlines()
    assert "100.000000 CREDIT  grant, external:purchases, 1 entry" in read.text
    assert any(line.strip().endswith("CREDIT  balance") for line in lines)


async def test_the_summary_is_the_trial_balance(timed_api: Api, clock: SettableClock) -> None:
    wallet = await story(timed_api, clock)
    del wallet

    summary = (await timed_api.admin.get("/billing/summary")).json()
    BillingSummary.model_validate(summary)
    trial = (await timed_api.admin.get("/ledger/trial-balance")).json()

    (of_credit,) = [each for each in summary["currencies"] if each["currency"] == "CREDIT"]
    (lines,) = [each["lines"] for each in trial["currencies"] if each["currency"] == "CREDIT"]
    wanted = {each["account"]: Decimal(each["balance"]) for each in lines}
    assert Decimal(of_credit["closing_balance"]) == wanted.pop("wallets")
    assert {each["account"]: Decimal(each["amount"]) for each in of_credit["accounts"]} == wanted
    assert (of_credit["purchased"], of_credit["consumed"], of_credit["refunded"]) == (
        "100.000000",
        "42.500000",
        "10.250000",
    )
    # 35.5 were taken from 20 promoted and 15.5 bought ones; 10.25 bought ones came back; then 7 more.
    (cost,) = of_credit["costs"]
    assert (cost["used"], cost["earned"], cost["outstanding"], cost["liability"]) == (
        "12.250000",
        "0.15",
        "87.750000",
        "1.10",
    )


async def test_periods_join(timed_api: Api, clock: SettableClock) -> None:
    await story(timed_api, clock)
    edge = text(START + timedelta(days=1, hours=12))

    async def of(**query: str) -> dict[str, Any]:
        found = (await timed_api.admin.send("GET", "/billing/summary", query=query)).json()["currencies"]
        return next(each for each in found if each["currency"] == "CREDIT")

    whole, before, after = await of(), await of(to=edge), await of(**{"from": edge})

    assert before["closing_balance"] == after["opening_balance"]
    for name in ("granted", "purchased", "deposited", "consumed", "refunded", "expired"):
        assert Decimal(before[name]) + Decimal(after[name]) == Decimal(whole[name]), name
    assert Decimal(before["costs"][0]["used"]) + Decimal(after["costs"][0]["used"]) == Decimal(
        whole["costs"][0]["used"]
    )


async def test_a_part_of_the_summary_ends_after_many_entries(
    timed_api: Api, timed_postgres: TestDatabase, clock: SettableClock
) -> None:
    wallets = sorted([await story(timed_api, clock) for _ in range(3)])
    connection = await asyncpg.connect(timed_postgres.dsn)

    async def part(after: str | None, entries: int) -> list[str]:
        rows = await connection.fetch(
            "select wallet_id from billing.list_summed_wallets(null, null, $1, 200, $2)", after, entries
        )
        return [str(row["wallet_id"]) for row in rows]

    entries: int = await connection.fetchval(
        "select last_entry from wallet.wallets where wallet_id = $1", wallets[0]
    )
    assert await part(None, 1) == wallets[:1]  # one that has more than that by itself
    assert await part(wallets[0], entries) == wallets[1:2]
    assert await part(None, entries + 1) == wallets[:2]
    assert await part(None, 200_000) == wallets
    assert await part(wallets[2], 1) == []
    await connection.close()


async def test_a_grant_that_is_about_to_end_is_recorded_before_a_read(
    timed_api: Api, clock: SettableClock
) -> None:
    await clock.set(START)
    wallet = (await timed_api.admin.wallet(currency="CREDIT"))["wallet_id"]
    terms = {"source": "promotion", "expires_in_s": 86_400, "notice_s": 3600}
    await post(timed_api, {"wallet_id": wallet, "type": "grant", "amount": "20", "terms": terms})
    await clock.advance(timedelta(hours=23, minutes=30))
    assert await timed_api.admin.balance(wallet) == "20.000000"
    await clock.advance(timedelta(hours=1))
    assert await timed_api.admin.balance(wallet) == "0.000000"


async def test_limits_and_who_set_what_are_explained(timed_api: Api, clock: SettableClock) -> None:
    wallet = await story(timed_api, clock)
    path = f"/wallets/{wallet}"
    limits = [
        {"period": "day", "time_zone": "Europe/Berlin", "amount": "50"},
        {"period": "transaction", "amount": "40", "counter_account": "revenue:usage:*"},
    ]
    set_to = await timed_api.admin.send(
        "PUT", f"{path}/limits", {"limits": limits}, headers={"If-Match": '"0"'}
    )
    assert set_to.status_code == 200, set_to.text
    await timed_api.admin.send("PATCH", path, {"credit_limit": "5"}, headers={"If-Match": '"1"'})
    await post(timed_api, {"wallet_id": wallet, "type": "consume", "amount": "3"})

    now = (await timed_api.admin.get(f"{path}/explain")).json()
    Explanation.model_validate(now)
    read = await timed_api.admin.send("GET", f"{path}/explain", headers={"Accept": "text/plain"})

    # The 7 of the story were spent on the same day.
    assert [(each["period"], each["used"], each["remaining"]) for each in now["limits"]] == [
        ("day", "10.000000", "40.000000"),
        ("transaction", "0.000000", "40.000000"),
    ]
    assert now["limits"] == (await timed_api.admin.get(f"{path}/limits")).json()["limits"]
    assert [(each["action"], each["actor"]) for each in now["last_updates"]] == [
        ("wallet.updated", "client:admin"),
        ("limits.updated", "client:admin"),
        ("wallet.created", "client:admin"),
    ]
    assert "/credit_limit" in now["last_updates"][0]["changed"]
    assert "40.000000 CREDIT  of 50.000000 a day (Europe/Berlin), set by the operator, resets at" in read.text
    assert "wallet.updated by client:admin: " in read.text


async def test_a_user_does_not_see_who_else_changed_the_wallet(timed_api: Api, clock: SettableClock) -> None:
    wallet = await story(timed_api, clock)
    user = timed_api.user((await timed_api.admin.read(wallet))["user_id"])
    found = (await user.get(f"/wallets/{wallet}/explain")).json()
    assert [(each["action"], each["actor"]) for each in found["last_updates"]] == [("wallet.created", None)]
    assert {each["client_id"] for each in found["last_changes"]} == {"billing", "admin"}


async def test_a_past_moment_has_the_changes_until_then_and_no_limits(
    timed_api: Api, clock: SettableClock
) -> None:
    wallet = await story(timed_api, clock)
    await timed_api.admin.send(
        "PATCH", f"/wallets/{wallet}", {"status": "frozen"}, headers={"If-Match": '"1"'}
    )
    past = (
        await timed_api.admin.send(
            "GET", f"/wallets/{wallet}/explain", query={"at": text(START + timedelta(hours=1))}
        )
    ).json()
    assert past["limits"] is None
    assert [each["action"] for each in past["last_updates"]] == ["wallet.created"]


async def test_open_holds_and_what_they_reserve_are_explained(timed_api: Api, clock: SettableClock) -> None:
    wallet = await story(timed_api, clock)
    body = {"amount": "90", "expires_in_s": 600, "reference": "answer-7"}
    hold = (await timed_api.admin.post(f"/wallets/{wallet}/holds", body)).json()
    await timed_api.admin.post(f"/holds/{hold['hold_id']}/capture", {"amount": "1.5"})

    now = (await timed_api.admin.get(f"/wallets/{wallet}/explain")).json()
    Explanation.model_validate(now)
    read = await timed_api.admin.read(wallet)
    text_of = await timed_api.admin.send(
        "GET", f"/wallets/{wallet}/explain", headers={"Accept": "text/plain"}
    )

    (kept,) = now["holds"]
    assert (kept["remaining"], kept["captured"], kept["reference"]) == ("88.500000", "1.500000", "answer-7")
    reserved = {each["grant_id"]: each["reserved"] for each in now["grants"]}
    assert {each["grant_id"]: each["amount"] for each in kept["grants"]} == {
        name: amount for name, amount in reserved.items() if Decimal(amount)
    }
    assert (now["locked_balance"], now["available_balance"]) == (
        read["locked_balance"],
        read["available_balance"],
    )
    assert "88.500000 CREDIT  hold answer-7 of 90.000000 for revenue:usage, ends " in text_of.text
    past = await timed_api.admin.send(
        "GET", f"/wallets/{wallet}/explain", query={"at": text(START + timedelta(hours=1))}
    )
    assert (past.json()["holds"], past.json()["locked_balance"]) == (None, None)


async def test_grants_that_are_used_up_cost_an_explanation_nothing(
    timed_api: Api, timed_postgres: TestDatabase, clock: SettableClock
) -> None:
    await clock.set(START)
    wallet = (await timed_api.admin.wallet("10", currency="CREDIT"))["wallet_id"]
    on = {"wallet_id": wallet, "type": "grant", "amount": "1"}

    def terms(priority: int, days: int, **more: Any) -> dict[str, Any]:
        return {"terms": {"source": "promotion", "priority": priority, "expires_in_s": days * 86_400} | more}

    await post(timed_api, *({**on, **terms(1, 9)} for _ in range(60)))
    await post(timed_api, {**on, **terms(2, 3)}, {**on, **terms(3, 2)}, {**on, "amount": "4", **terms(2, 1)})
    later = text(START + timedelta(days=1, hours=1))
    scheduled = {"source": "plan", "effective_at": later, "expires_in_s": 864_000, "priority": 4}
    await post(timed_api, {**on, "terms": scheduled})
    await post(timed_api, {"wallet_id": wallet, "type": "consume", "amount": "60.5"})
    connection = await asyncpg.connect(timed_postgres.dsn)
    await connection.execute("analyze billing.grants")

    async def read_rows(at: str | None) -> tuple[dict[str, Any], int]:
        """An explanation, and how many rows of grants were read for it."""
        table = "pg_stat_xact_user_tables where relid = 'billing.grants'::regclass"
        counts = f"select seq_tup_read + idx_tup_fetch from {table}"
        async with connection.transaction():
            before: int = await connection.fetchval(counts)
            found = await connection.fetchval(
                "select wallet_api.read_explanation($1, p_at => $2::text::timestamptz)", wallet, at
            )
            return json.loads(found), await connection.fetchval(counts) - before

    now, rows = await read_rows(None)
    assert [(each["priority"], each["remaining"], each["state"]) for each in now["grants"]] == [
        (2, "3.500000", "active"),
        (2, "1.000000", "active"),
        (3, "1.000000", "active"),
        (4, "0.000000", "scheduled"),
    ]
    assert (now["granted"], now["balance"]) == ("5.500000", "15.500000")
    assert (now["next_expiry"]["amount"], rows < 20) == ("3.500000", True), rows

    await clock.advance(timedelta(days=1))
    ended, _ = await read_rows(None)
    assert (ended["granted"], ended["balance"]) == ("2.000000", "12.000000")
    assert ended["next_expiry"] == {
        "at": text(START + timedelta(days=2)).replace("Z", ".000000Z"),
        "grant_id": now["grants"][2]["grant_id"],
        "amount": "1.000000",
    }
    past, _ = await read_rows(text(START))
    for name in ("granted", "balance", "next_expiry"):
        assert past[name] == now[name], name
    assert [{**each, "reserved": "0.000000"} for each in past["grants"]] == now["grants"]
    await connection.close()
