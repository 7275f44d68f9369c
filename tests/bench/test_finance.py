"""The data set of money management, and what is measured on it."""

import asyncpg
from conftest import FreshDatabase
from finance.parts.sql_book import verify
from support.kernel.harness import Kernel

from bench.finance import measure


async def test_a_built_book_passes_verify_and_is_measured(fresh_database: FreshDatabase) -> None:
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    figures = await measure(connection, 5000, 2)
    await connection.close()
    assert set(figures) == {
        "budget_progress_ms",
        "catalogued_per_s",
        "month_by_category_ms",
        "page_ms",
        "page_of_expense_ms",
        "page_of_history_ms",
        "page_of_text_ms",
        "page_of_wallet_ms",
        "rates_of_ten_years_ms",
        "rules_ms",
        "wallet_page_of_history",
    }
    assert all(value > 0 for value in figures.values())
    kernel = await Kernel.open(made.dsn)
    assert await verify(kernel, 2000) == set()
    await kernel.close()
