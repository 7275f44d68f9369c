"""A book of four months, entered through REST: its balances, and the sums of its days."""

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import Api, open_api, posted

from wallet_service.ledger.verify import verify
from wallet_service.rooms import ROOMS

ENTRIES = """\
date,wallet,currency,parts
2024-01-02,checking,EUR,salary=3200.00
2024-01-03,checking,EUR,rent=-950.00
2024-01-05,checking,EUR,groceries=-60.00|household=-24.37
2024-01-10,checking,EUR,own_transfers=-500.00
2024-01-10,savings,EUR,own_transfers=500.00
2024-01-15,dollars,USD,self_employment=1000.00
2024-01-20,dollars,USD,software=-49.99
2024-01-31,checking,EUR,utilities=-120.00
2024-02-01,checking,EUR,salary=3200.00
2024-02-03,checking,EUR,rent=-950.00
2024-02-10,checking,EUR,clothing=-210.00
2024-02-18,checking,EUR,clothing=70.00
2024-02-20,checking,EUR,own_transfers=-200.00
2024-02-20,dollars,USD,own_transfers=216.34
2024-02-29,checking,EUR,groceries=-33.33
2024-03-01,checking,EUR,salary=3200.00
2024-03-02,checking,EUR,rent=-950.00
2024-03-09,dollars,USD,travel=-120.00
2024-03-29,dollars,USD,travel=-35.50
2024-03-30,checking,EUR,groceries=-41.10|household=-20.00
"""
REFUND = ("2024-04-05", "checking", "28.12")
"""A refund of the third row, which gets its parts by itself."""

SUMS = """
select to_char(s.booked_on, 'YYYY-MM') as month, l.system_key as root, w.currency, sum(s.credits - s.debits) as total
from finance.day_sums s join wallet.wallets w using (wallet_id)
  cross join lateral (select finance.find_label_path(s.category_id) as ids) p
  join finance.labels l on l.label_id = p.ids[cardinality(p.ids)]
where s.book_id = $1 and s.category_id is not null
group by 1, 2, 3
"""


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def api(database: TestDatabase, locate_database: Locate) -> AsyncIterator[Api]:
    async with open_api(await locate_database(database)) as opened:
        yield opened


async def test_the_book_of_four_months(api: Api, database: TestDatabase) -> None:
    user = api.user()
    members = {"base_currency": "EUR", "time_zone": "Europe/Berlin"}
    book_id = (await user.post("/books", members)).json()["book_id"]
    listed = (await user.get("/categories", limit=100)).json()["items"]
    labels = {each["system_key"]: each["label_id"] for each in listed}
    keys = {label_id: key for key, label_id in labels.items()}
    wallets = {
        name: (await user.wallet(currency=currency, keeping="mirrored", name=name))["wallet_id"]
        for name, currency in (("checking", "EUR"), ("savings", "EUR"), ("dollars", "USD"))
    }
    moved: list[dict[str, Any]] = []
    for row in csv.DictReader(io.StringIO(ENTRIES)):
        given = [each.split("=") for each in row["parts"].split("|")]
        amount = sum(Decimal(text) for _, text in given)
        parts = [{"amount": text, "category_id": labels[key]} for key, text in given]
        kind = "deposit" if amount > 0 else "withdraw"
        at = f"{row['date']}T11:00:00Z"
        moved.append(
            posted(
                await user.move(kind, wallets[row["wallet"]], str(abs(amount)), effective_at=at, parts=parts)
            )
        )
    day, name, amount_text = REFUND
    refund = {"amount": amount_text, "effective_at": f"{day}T11:00:00Z"}
    path = f"/transactions/{moved[2]['transaction_id']}/refund"
    refunded = posted(await user.post(path, refund))
    assert refunded["wallet_id"] == wallets[name]

    balances = {name: (await user.read(wallet_id))["balance"] for name, wallet_id in wallets.items()}
    assert balances == {"checking": "5639.32", "savings": "500.00", "dollars": "1010.85"}
    entry = f"/wallets/{wallets[name]}/entries/{refunded['wallet_version']}/parts"
    parts = (await user.get(entry)).json()["parts"]
    shares = [(keys[each["category_id"]], each["amount"]) for each in parts]
    assert shares == [("groceries", "20.00"), ("household", "8.12")]

    connection = await asyncpg.connect(database.dsn)
    try:
        found = {
            (each["month"], each["root"], each["currency"]): each["total"]
            for each in await connection.fetch(SUMS, book_id)
        }
    finally:
        await connection.close()
    expected = {
        ("2024-01", "income", "EUR"): "3200.00",
        ("2024-01", "income", "USD"): "1000.00",
        ("2024-01", "expense", "EUR"): "-1154.37",
        ("2024-01", "expense", "USD"): "-49.99",
        ("2024-01", "transfer", "EUR"): "0",
        ("2024-02", "income", "EUR"): "3200.00",
        ("2024-02", "expense", "EUR"): "-1123.33",
        ("2024-02", "transfer", "EUR"): "-200.00",
        ("2024-02", "transfer", "USD"): "216.34",
        ("2024-03", "income", "EUR"): "3200.00",
        ("2024-03", "expense", "EUR"): "-1011.10",
        ("2024-03", "expense", "USD"): "-155.50",
        ("2024-04", "expense", "EUR"): "28.12",
    }
    assert found == {place: Decimal(total) for place, total in expected.items()}
    lines: list[str] = []
    walks = [walk for room in ROOMS for walk in room.verify_walks]
    assert await verify(api.app.state.database, lines.append, walks), lines
