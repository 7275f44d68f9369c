"""The book of G1, entered through the ledger: what sum_money and the day sums say of it, to the cent."""

import csv
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from conftest import FreshDatabase

from .home import Home

ENTRIES = Path(__file__).parent / "d1-entries.csv"
RATES = {
    # The reference rates of the ECB that the case needs: what a euro is worth in dollars.
    "2024-01-15": "1.0945",
    "2024-01-19": "1.0887",
    "2024-01-31": "1.0837",
    "2024-02-20": "1.0802",
    "2024-02-29": "1.0826",
    "2024-03-08": "1.0932",
    "2024-03-28": "1.0811",
    "2024-04-30": "1.0718",
}
WANTED = {
    "2024-01": ("4113.66", "1200.29", "2913.37", "2922.27"),
    "2024-02": ("3200.00", "1123.33", "2076.67", "4999.66"),
    "2024-03": ("3200.00", "1153.71", "2046.29", "7046.22"),
    "2024-04": ("0.00", "-28.12", "28.12", "7082.45"),
}
CATEGORIES = {
    "Income:Salary": "salary",
    "Income:Freelance": "self_employment",
    "Expense:Housing:Rent": "rent",
    "Expense:Groceries": "groceries",
    "Expense:Household": "household",
    "Expense:Software": "software",
    "Expense:Utilities": "utilities",
    "Expense:Clothing": "clothing",
    "Expense:Travel": "travel",
    "Transfer:Own": "own_transfers",
}


def cents(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


async def enter(home: Home) -> None:
    await home.client.send(
        "PUT", f"/books/{home.book_id}/wallets/{home.wallets['EUR']}", {"purpose": "personal"}
    )
    home.wallets["checking"] = home.wallets["EUR"]
    await home.add_wallet("EUR", "savings")
    await home.add_wallet("USD", "dollars")
    for day, rate in RATES.items():
        await home.rate("EUR", "USD", day, rate)
    for row in csv.DictReader(ENTRIES.read_text().splitlines()):
        parts = [each.split("=") for each in row["parts"].split("|")]
        total = sum(Decimal(amount) for _, amount in parts)
        body = {
            "amount": f"{abs(total)}",
            "effective_at": f"{row['date']}T12:00:00Z",
            "parts": [
                {"category_id": home.category(CATEGORIES[name]), "amount": amount} for name, amount in parts
            ],
        }
        path = f"/wallets/{home.wallets[row['wallet']]}/{'deposit' if total > 0 else 'withdraw'}"
        answer = await home.client.post(path, body)
        assert answer.status_code == 201, answer.text
    await home.catalogue()


async def test_the_table_of_g1(fresh_database: FreshDatabase) -> None:
    async with Home.on(await fresh_database()) as home:
        await home.set_day("2024-05-02")
        await enter(home)
        bounds = [date(2024, month, 1) for month in range(1, 6)]
        rows = await home.connection.fetch(
            "select s.place, c.root, sum(s.amount) as amount, sum(s.left_out) as left_out"
            " from finance.sum_money($1, 'EUR', $2) s"
            " join finance.list_category_paths($1) c on c.category_id = s.category_id group by 1, 2",
            home.book_id,
            bounds,
        )
        assert all(row["left_out"] == 0 for row in rows)
        sums = {(row["place"], row["root"]): row["amount"] for row in rows}
        worth = await home.connection.fetch(
            "select e.day, sum(d.balance * r.rate_to / r.rate_from) as worth from unnest($2::date[]) e (day)"
            " cross join lateral (select w.currency, sum(d.credits - d.debits) as balance from finance.day_sums d"
            "   join wallet.wallets w on w.wallet_id = d.wallet_id"
            "   where d.book_id = $1 and d.category_id is null and d.booked_on < e.day group by w.currency) d"
            " cross join lateral finance.find_rates($1, 'EUR', array[d.currency], e.day - 1, e.day - 1) r"
            " group by e.day",
            home.book_id,
            bounds[1:],
        )
        closing = {row["day"]: row["worth"] for row in worth}
        zero = Decimal(0)
        for place, (month, wanted) in enumerate(WANTED.items(), 1):
            income, expense = sums.get((place, "income"), zero), -sums.get((place, "expense"), zero)
            found = (income, expense, income - expense, closing[bounds[place]])
            assert tuple(map(cents, found)) == wanted, month
        totals = [
            sum((sums.get((place, root), zero) for place in range(1, 5)), zero)
            for root in ("income", "expense")
        ]
        assert [cents(totals[0]), cents(-totals[1])] == ["10513.66", "3449.20"]

        budget = await home.add("1200.00", carry="full")
        spent = [each["spent"] for each in (await home.details(budget, "2024-04-30"))["history"]]
        assert spent == [WANTED[month][1] for month in ("2024-03", "2024-02", "2024-01")]
