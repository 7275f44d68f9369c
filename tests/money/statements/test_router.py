"""Histories, statements, balances and postings over HTTP."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support.ledger_database import LedgerDatabase, op

from wallet_service.core.identifiers import new_id
from wallet_service.money.schemas import Transaction
from wallet_service.money.statements.schemas import Balance, TransactionPage
from wallet_service.platform.web.pagination import encode_cursor

START = datetime(2026, 1, 1, tzinfo=UTC)


async def pages(client: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = await client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        TransactionPage.model_validate(answer.json())
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        query["cursor"] = answer.json()["next_cursor"]


async def test_histories_go_on_over_cursors(newest_ledger_database: LedgerDatabase) -> None:
    first, second = await newest_ledger_database.wallet("ann"), await newest_ledger_database.wallet("ann")
    for number in range(12):
        at = START + timedelta(hours=number)
        await newest_ledger_database.post(op("deposit", first, number + 1), op("reward", second, 1), at=at)

    async with newest_ledger_database.client() as client:
        of_wallet = await pages(client, f"/api/v1/wallets/{first}/transactions", limit=5)
        of_user = await pages(client, "/api/v1/users/ann/transactions", limit=5)
        some = await pages(
            client,
            "/api/v1/users/ann/transactions",
            limit=2,
            type="deposit",
            **{"from": "2026-01-01T02:00:00Z", "to": "2026-01-01T09:00:00+02:00"},
            min_amount="4",
            max_amount="6.5",
        )

    assert [item["wallet_version"] for item in of_wallet] == list(range(12, 0, -1))
    assert len({(item["wallet_id"], item["wallet_version"]) for item in of_user}) == len(of_user) == 24
    assert [item["created_at"] for item in of_user] == sorted(
        (i["created_at"] for i in of_user), reverse=True
    )
    assert [item["amount"] for item in some] == ["6.000000", "5.000000", "4.000000"]


async def test_filters_on_texts_and_metadata(newest_ledger_database: LedgerDatabase) -> None:
    wallet = await newest_ledger_database.wallet()
    await newest_ledger_database.post(
        op("consume", wallet, 1, reference="a b=c", metadata={"model": "x=y", "tier": 2}),
        op("consume", wallet, 2, counter_account="revenue:usage:b", metadata={"model": "x=y"}),
    )
    path = f"/api/v1/wallets/{wallet}/transactions"

    async with newest_ledger_database.client() as client:
        for query, amounts in (
            ({"reference": "a b=c"}, ["1.000000"]),
            ({"counter_account": "revenue:usage:b"}, ["2.000000"]),
            ({"metadata": "model=x=y"}, ["2.000000", "1.000000"]),
            ({"metadata": ["model=x=y", "tier=2"]}, ["1.000000"]),
            ({"metadata": ["tier=2", "tier=3"]}, []),
        ):
            assert [item["amount"] for item in await pages(client, path, **query)] == amounts, query


async def test_a_cursor_is_good_for_its_own_list_only(newest_ledger_database: LedgerDatabase) -> None:
    wallets = [await newest_ledger_database.wallet("ann") for _ in range(2)]
    await newest_ledger_database.post(*(op("deposit", wallet, 1) for wallet in wallets for _ in range(3)))
    own, other = (f"/api/v1/wallets/{wallet}/transactions" for wallet in wallets)

    async with newest_ledger_database.client() as client:
        cursor = (await client.get(own, params={"limit": 1})).json()["next_cursor"]
        assert (await client.get(own, params={"cursor": cursor})).status_code == 200
        for path, query in (
            (other, {"cursor": cursor}),
            (own, {"cursor": cursor, "type": "deposit"}),
            ("/api/v1/users/ann/transactions", {"cursor": cursor}),
            (own, {"cursor": "nonsense"}),
        ):
            answer = await client.get(path, params=query)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "cursor_invalid")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 0}, "validation_failed"),
        ({"limit": 101}, "validation_failed"),
        ({"unknown": "x"}, "validation_failed"),
        ({"type": "gift"}, "validation_failed"),
        ({"from": "2026-01-01"}, "validation_failed"),
        ({"min_amount": "-1"}, "amount_invalid"),
        ({"max_amount": "1e5"}, "amount_invalid"),
        ({"reference": "a\u0000b"}, "validation_failed"),
        ({"metadata": "no-sign"}, "validation_failed"),
        ({"metadata": "=x"}, "validation_failed"),
        ({"metadata": ["a=b"] * 11}, "validation_failed"),
    ],
)
async def test_questions_that_are_refused(
    newest_ledger_database: LedgerDatabase, query: dict[str, Any], code: str
) -> None:
    wallet = await newest_ledger_database.wallet("ann")
    async with newest_ledger_database.client() as client:
        for path in (f"wallets/{wallet}", "users/ann"):
            answer = await client.get(f"/api/v1/{path}/transactions", params=query)
            assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_statement_is_the_whole_history_as_csv(newest_ledger_database: LedgerDatabase) -> None:
    wallet = await newest_ledger_database.wallet("ann")
    await newest_ledger_database.bulk(wallet, START, 1203, timedelta(seconds=1))

    async with newest_ledger_database.client() as client:
        for path, name in (
            (f"wallets/{wallet}", f"wallet-{wallet}.csv"),
            ("users/ann", "user-statement.csv"),
        ):
            answer = await client.get(f"/api/v1/{path}/transactions", headers={"Accept": "text/csv"})
            assert answer.headers["content-type"] == "text/csv; charset=utf-8"
            assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
            rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
            assert [int(row["wallet_version"]) for row in rows] == list(range(1203, 0, -1))
            assert {row["amount"] for row in rows} == {"1.000000"}
        some = await client.get(
            f"/api/v1/wallets/{wallet}/transactions",
            params={"metadata": "n=3"},
            headers={"Accept": "application/json;q=0.5, text/csv"},
        )
        assert some.text.count("\r\n") == 1 + 2
        json_wanted = {"Accept": "text/csv;q=0.5, application/json"}
        page = await client.get(f"/api/v1/wallets/{wallet}/transactions", headers=json_wanted)
        assert page.json()["next_cursor"] is not None
        missing = await client.get(f"/api/v1/wallets/{new_id()}/transactions", headers={"Accept": "text/csv"})
        assert (missing.status_code, missing.json()["code"]) == (404, "wallet_not_found")


async def test_a_statement_keeps_texts_apart_and_spreadsheets_from_running_them(
    newest_ledger_database: LedgerDatabase,
) -> None:
    wallet = await newest_ledger_database.wallet()
    await newest_ledger_database.post(
        op("deposit", wallet, 1, description='a "quoted", text\nof two lines', metadata={"n": 0.1, "t": "é"}),
        op("consume", wallet, 5, reference='=HYPERLINK("http://x")', description="-1"),
    )

    async with newest_ledger_database.client() as client:
        answer = await client.get(f"/api/v1/wallets/{wallet}/transactions", headers={"Accept": "text/csv"})

    debit, deposit = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert deposit["description"] == 'a "quoted", text\nof two lines'
    assert json.loads(deposit["metadata"]) == {"n": 0.1, "t": "é"}
    assert (debit["reference"], debit["description"]) == ('\'=HYPERLINK("http://x")', "'-1")
    assert debit["balance_after"] == "-4.000000"  # an amount is no text of a caller's


async def test_balance_and_transaction(newest_ledger_database: LedgerDatabase) -> None:
    wallet = await newest_ledger_database.wallet()
    (transaction,) = await newest_ledger_database.post(op("deposit", wallet, 3), at=START)

    async with newest_ledger_database.client() as client:
        now = await client.get(f"/api/v1/wallets/{wallet}/balance")
        await newest_ledger_database.clock.set(START + timedelta(days=1))
        then = await client.get(f"/api/v1/wallets/{wallet}/balance", params={"at": "2025-12-31T23:59:59Z"})
        to_come = await client.get(f"/api/v1/wallets/{wallet}/balance", params={"at": "2026-02-01T00:00:00Z"})
        posting = await client.get(f"/api/v1/transactions/{transaction}")
        unknown = await client.get(f"/api/v1/transactions/{new_id()}")

    for answer in (now, then):
        assert Balance.model_validate(answer.json()).model_dump().keys() == answer.json().keys()
    assert (now.json()["balance"], then.json()["balance"]) == ("3.000000", "0.000000")
    assert then.json()["at"] == "2025-12-31T23:59:59.000000Z"
    assert (to_come.status_code, to_come.json()["errors"][0]["pointer"]) == (422, "/at")
    assert Transaction.model_validate(posting.json()).model_dump().keys() == posting.json().keys()
    assert (unknown.status_code, unknown.json()["code"]) == (404, "transaction_not_found")


async def test_a_user_reads_their_own_only(newest_ledger_database: LedgerDatabase) -> None:
    mine, theirs = await newest_ledger_database.wallet("ann"), await newest_ledger_database.wallet("bob")
    own, other = await newest_ledger_database.post(op("deposit", mine, 1), op("deposit", theirs, 1))

    async with newest_ledger_database.client("ann") as client:
        for path, status in (
            (f"wallets/{mine}/transactions", 200),
            (f"wallets/{mine}/balance", 200),
            ("users/ann/transactions", 200),
            (f"transactions/{own}", 200),
            (f"wallets/{theirs}/transactions", 404),
            (f"wallets/{theirs}/balance", 404),
            ("users/bob/transactions", 404),
            (f"transactions/{other}", 404),
        ):
            assert (await client.get(f"/api/v1/{path}")).status_code == status, path


async def test_a_forged_position_is_refused_or_harmless(newest_ledger_database: LedgerDatabase) -> None:
    wallet = await newest_ledger_database.wallet("ann")
    await newest_ledger_database.post(op("deposit", wallet, 1))
    async with newest_ledger_database.client() as client:
        for position, status in (
            (["2026-01-01T00:00:00Z", wallet, 2**63 - 1], 200),
            (["9999-12-31T23:59:59.999999Z", new_id(), 0], 200),
            (["0001-01-01T00:00:00Z", new_id(), 5], 200),
            (["never", wallet, 1], 422),
            (["2026-01-01T00:00:00Z", "nothing", 1], 422),
            (["2026-01-01T00:00:00Z", wallet, 2**63], 422),
            (["2026-01-01T00:00:00Z", wallet, -1], 422),
        ):
            cursor = encode_cursor("user_transactions", {"user_id": "ann"}, position)
            answer = await client.get("/api/v1/users/ann/transactions", params={"cursor": cursor})
            assert answer.status_code == status, position
