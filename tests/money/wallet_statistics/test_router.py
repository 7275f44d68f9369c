"""Sums and currencies over HTTP."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from babel.core import get_global
from pydantic import BaseModel
from support.ledger_database import LedgerDatabase, op

from wallet_service.money.wallet_statistics.schemas import (
    CurrencyPage,
    ServiceStats,
    TrialBalance,
    UserStatistics,
    WalletStatistics,
)

SCRIPT = Path(__file__).parents[3] / "scripts" / "currencies.py"

ISO_EXPONENTS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"], 0),
    **dict.fromkeys(["VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}
OWN = {
    "CREDIT": (6, "credit"),
    "TOKEN": (6, "credit"),
    "BTC": (8, "crypto"),
    "ETH": (18, "crypto"),
    "USDT": (6, "crypto"),
    "USDC": (6, "crypto"),
}


def same_shape(document: dict[str, Any], model: type[BaseModel]) -> None:
    """The bytes from SQL have exactly the members that the model documents."""
    assert model.model_validate(document).model_dump(mode="json", by_alias=True).keys() == document.keys()


async def test_statistics_of_a_wallet_and_a_user(newest_ledger_database: LedgerDatabase) -> None:
    wallet = await newest_ledger_database.wallet("ann")
    await newest_ledger_database.post(op("deposit", wallet, 10), op("consume", wallet, "2.5"))

    async with newest_ledger_database.client() as client:
        query = {"from": "2026-01-01T00:00:00Z", "interval": "month"}
        of_wallet = await client.get(f"/api/v1/wallets/{wallet}/statistics", params=query)
        of_user = await client.get("/api/v1/users/ann/statistics")

    assert (of_wallet.status_code, of_user.status_code) == (200, 200)
    WalletStatistics.model_validate(of_wallet.json())
    UserStatistics.model_validate(of_user.json())
    same_shape(of_wallet.json(), WalletStatistics)
    same_shape(of_user.json(), UserStatistics)
    (currency,) = of_wallet.json()["currencies"]
    assert currency["closing_balance"] == currency["steps"][-1]["closing_balance"] == "7.500000"
    assert currency["by_type"] == [
        {"transaction_type": "consume", "direction": "debit", "transactions": 1, "amount": "2.500000"},
        {"transaction_type": "deposit", "direction": "credit", "transactions": 1, "amount": "10.000000"},
    ]
    assert of_user.json()["currencies"][0]["credited"] == "10.000000"


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "2026-01-01T00:00:00"},
        {"interval": "day"},
        {"interval": "year", "from": "2026-01-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"},
        {"since": "2026-01-01T00:00:00Z"},
    ],
)
async def test_a_period_that_is_not_one(
    newest_ledger_database: LedgerDatabase, query: dict[str, str]
) -> None:
    wallet = await newest_ledger_database.wallet("ann")
    async with newest_ledger_database.client() as client:
        for path in (f"wallets/{wallet}", "users/ann"):
            answer = await client.get(f"/api/v1/{path}/statistics", params=query)
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
            assert answer.json()["errors"][0]["in"] == "query"


async def test_the_whole_service(newest_ledger_database: LedgerDatabase) -> None:
    wallet, other = await newest_ledger_database.wallet("ann"), await newest_ledger_database.wallet("bob")
    await newest_ledger_database.post(
        op("deposit", wallet, 10), op("transfer", wallet, 4, to_wallet_id=other)
    )

    async with newest_ledger_database.client() as client:
        stats = await client.get("/api/v1/wallet/stats")
        trial = await client.get("/api/v1/ledger/trial-balance")

    ServiceStats.model_validate(stats.json())
    same_shape(stats.json(), ServiceStats)
    assert stats.json()["ledger_entries"] == 3
    same_shape(trial.json(), TrialBalance)
    assert trial.json() == {
        "wallets": 2,
        "currencies": [
            {
                "currency": "CREDIT",
                "lines": [
                    {"account": "external:deposits", "balance": "-10.000000"},
                    {"account": "transfers", "balance": "0.000000"},
                    {"account": "wallets", "balance": "10.000000"},
                ],
                "sum": "0",
            }
        ],
    }


async def test_a_user_reads_their_own_sums_only(newest_ledger_database: LedgerDatabase) -> None:
    mine, theirs = await newest_ledger_database.wallet("ann"), await newest_ledger_database.wallet("bob")

    async with newest_ledger_database.client("ann") as client:
        for path, status in (
            (f"wallets/{mine}/statistics", 200),
            ("users/ann/statistics", 200),
            ("currencies", 200),
            (f"wallets/{theirs}/statistics", 404),
            ("users/bob/statistics", 404),
            ("wallet/stats", 403),
            ("ledger/trial-balance", 403),
        ):
            assert (await client.get(f"/api/v1/{path}")).status_code == status, path


def currencies_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("currencies_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_currencies_are_the_legal_tenders_with_isos_exponents_and_our_own(
    newest_ledger_database: LedgerDatabase,
) -> None:
    async with newest_ledger_database.client() as client:
        answer = await client.get("/api/v1/currencies")

    CurrencyPage.model_validate(answer.json())
    same_shape(answer.json(), CurrencyPage)
    listed = {item["code"]: item for item in answer.json()["items"]}
    assert list(listed) == sorted(listed)
    territories = get_global("territory_currencies").values()
    tenders = {code for uses in territories for code, _, end, tender in uses if end is None and tender}
    assert tenders <= listed.keys()
    fiat = {code: item["exponent"] for code, item in listed.items() if item["kind"] == "fiat"}
    assert fiat == {code: ISO_EXPONENTS.get(code, 2) for code in fiat}
    assert {
        code: (item["exponent"], item["kind"]) for code, item in listed.items() if item["kind"] != "fiat"
    } == OWN
    assert (listed["HUF"]["exponent"], listed["HUF"]["name"]) == (2, "Hungarian Forint")


async def test_the_script_writes_nothing_that_the_table_lacks(newest_ledger_database: LedgerDatabase) -> None:
    """When babel learns a currency this fails: run the script into a new migration."""
    kept = await newest_ledger_database.superuser.fetch("select code, exponent, kind from wallet.currencies")

    written = {(code, exponent, kind) for code, exponent, kind, _ in currencies_script().currencies()}

    assert written <= {tuple(row) for row in kept}
    await newest_ledger_database.superuser.execute("delete from wallet.currencies")
    await newest_ledger_database.superuser.execute(currencies_script().migration())
    again = await newest_ledger_database.superuser.fetchval("select count(*) from wallet.currencies")
    assert again == len(written)
