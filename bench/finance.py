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

from bench.finance_data import build_book
from bench.server import server_of
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres

Figures = dict[str, float]

_MONTH = """
select s.category_id, sum(s.credits), sum(s.debits) from finance.day_sums s
where s.book_id = $1 and s.booked_on >= '2024-03-01' and s.booked_on < '2024-04-01'
  and s.category_id is not null group by 1
"""
_PAGE = "select wallet_api.list_book_parts($1, $2, null, 50)"
_CATALOGUE = "select wallet_api.catalogue_book($1, 2000)"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def measure(connection: "asyncpg.Connection[Any]", parts: int, calls: int) -> Figures:
    """Medians in milliseconds, and entries catalogued a second.

    Args:
        connection: as superuser, to a migrated database.
        parts: of the book.
        calls: of each kind.
    """
    book_id = await build_book(connection, parts)
    fresh = await build_book(connection, 10_000, catalogued=False)
    began, written = time.perf_counter(), 0
    while done := json.loads(await connection.fetchval(_CATALOGUE, fresh))["written"]:
        written += done
    figures = {"catalogued_per_s": written / (time.perf_counter() - began)}
    figures["month_by_category_ms"] = await _median(connection, calls, _MONTH, book_id)
    for name, filters in (
        ("page", {}),
        ("page_of_expense", {"type": "expense"}),
        ("page_of_text", {"text": "shop 7"}),
    ):
        figures[f"{name}_ms"] = await _median(connection, calls, _PAGE, book_id, json.dumps(filters))
    return {name: round(value, 2) for name, value in figures.items()}


async def _median(connection: "asyncpg.Connection[Any]", calls: int, query: str, *values: Any) -> float:
    taken: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        await connection.fetch(query, *values)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


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
    """Build a book of ten years, and measure cataloguing, a month by category, and pages of its parts."""
    typer.echo(json.dumps(asyncio.run(_run(parts, calls)), indent=2))


if __name__ == "__main__":
    app(prog_name="python -m bench.finance")
