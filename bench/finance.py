# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""``python -m bench.finance``: what a book with many parts costs in SQL."""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer

from bench.finance_data import LAST, add_budgets, add_rates, build_book
from bench.server import server_of
from wallet_service.finance.rules.compiled import CompiledRules
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres

Figures = dict[str, float]

_MONTH = """
select s.category_id, sum(s.credits), sum(s.debits) from finance.day_sums s
where s.book_id = $1 and s.booked_on >= '2024-03-01' and s.booked_on < '2024-04-01'
  and s.category_id is not null group by 1
"""
_PAGE = "select wallet_api.list_book_parts($1, $2, null, 50)"
_HISTORY = "select wallet_api.list_wallet_transactions($1)"
_PROGRESS = "select wallet_api.read_budget_progress($1, $2, 0)"
_RATES = "select count(*) from finance.find_rates(null, 'USD', '{EUR,GBP,CHF}', '2016-01-01', '2025-12-31')"
_CATALOGUE = "select wallet_api.catalogue_book($1, 2000)"
_ENTRIES = "select wallet_api.read_rule_entries($1, null, null, null, true, null, 2000)"
_RULES = 200

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def measure(connection: "asyncpg.Connection[Any]", parts: int, calls: int) -> Figures:
    """Medians in milliseconds; entries catalogued a second; pages of parts a page of history.

    Args:
        connection: as superuser, to a migrated database.
        parts: of the book.
        calls: of each kind.
    """
    book_id = await build_book(connection, parts)
    fresh = await build_book(connection, 10_000, catalogued=False)
    await add_budgets(connection, book_id)
    await add_rates(connection)
    return await measure_book(connection, book_id, fresh, calls)


async def measure_book(
    connection: "asyncpg.Connection[Any]", book_id: str, fresh: str, calls: int
) -> Figures:
    """The figures of a book that is built; ``fresh`` is one without parts, which it catalogues."""
    began, written = time.perf_counter(), 0
    while done := json.loads(await connection.fetchval(_CATALOGUE, fresh))["written"]:
        written += done
    figures = {"catalogued_per_s": written / (time.perf_counter() - began)}
    wallet_id = await connection.fetchval(
        "select wallet_id::text from finance.catalogued where book_id = $1 order by 1 limit 1", book_id
    )
    kinds: dict[str, tuple[Any, ...]] = {
        "month_by_category": (_MONTH, book_id),
        "page": (_PAGE, book_id, "{}"),
        "page_of_expense": (_PAGE, book_id, '{"type": "expense"}'),
        "page_of_text": (_PAGE, book_id, '{"text": "shop 7"}'),
        "page_of_wallet": (_PAGE, book_id, json.dumps({"wallet_id": wallet_id})),
        "page_of_history": (_HISTORY, wallet_id),
        "budget_progress": (_PROGRESS, book_id, LAST),
        "rates_of_ten_years": (_RATES,),
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(calls):  # turn by turn, so that other load disturbs all of them
        for name, (query, *values) in kinds.items():
            began = time.perf_counter()
            await connection.fetch(query, *values)
            taken[name].append(1000 * (time.perf_counter() - began))
    figures |= {f"{name}_ms": statistics.median(each) for name, each in taken.items()}
    figures["wallet_page_of_history"] = statistics.median(
        history / page
        for page, history in zip(taken["page_of_wallet"], taken["page_of_history"], strict=True)
    )
    figures["rules_ms"] = await _apply_rules(connection, book_id)
    return {name: round(value, 2) for name, value in figures.items()}


async def _apply_rules(connection: "asyncpg.Connection[Any]", book_id: str) -> float:
    """Milliseconds for 200 rules on the newest 2,000 entries of a book, once these were read."""
    category_id = await connection.fetchval(
        "select label_id::text from finance.labels where book_id = $1 and system_key = 'groceries'", book_id
    )
    rules = CompiledRules(
        [
            {
                "rule_id": f"rule {number}",
                "match": "all",
                "conditions": [
                    {"field": "description", "op": "contains", "value": f"shop {number}"},
                    {"field": "direction", "op": "is", "value": "debit"},
                ],
                "actions": {"category_id": category_id},
                "stop": False,
            }
            for number in range(_RULES)
        ],
        {"merged": {}, "below": {}},
    )
    entries = json.loads(await connection.fetchval(_ENTRIES, book_id))["entries"]
    began = time.perf_counter()
    await rules.apply(entries)
    return 1000 * (time.perf_counter() - began)


async def _run(parts: int, calls: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedPostgres(Path(folder) / "data") as embedded:
            server = server_of(embedded)
            name = await server.create_database("finance")
            connection = await asyncpg.connect(server.admin_dsn(name))
            try:
                return await measure(connection, parts, calls)
            finally:
                await connection.close()


@app.command()
def finance(
    parts: Annotated[int, typer.Option(min=1000, help="Parts of the book.")] = 1_000_000,
    calls: Annotated[int, typer.Option(min=1, help="Calls of each kind.")] = 20,
) -> None:
    """Build a book of ten years, and measure cataloguing, sums, budgets, rates, rules and pages of its parts."""
    typer.echo(json.dumps(asyncio.run(_run(parts, calls)), indent=2))


if __name__ == "__main__":
    app(prog_name="python -m bench.finance")
