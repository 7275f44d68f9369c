"""A history as CSV. It is written page by page, so only one page is in memory."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any

import simplejson

from wallet_service.money.schemas import Entry
from wallet_service.money.statements.repository import Page, Position
from wallet_service.platform.database.gateway import Json

PAGE_ROWS = 500

COLUMNS = tuple(Entry.model_fields)

_WRITTEN_BY_CALLERS = frozenset({"user_id", "client_id", "reference", "description"})
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def wants_csv(accept: str) -> bool:
    """Whether this Accept header names text/csv, and not JSON with a higher weight."""
    weights: dict[str, float] = {}
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        weights[name] = max((_weight(parameter) for parameter in parameters), default=1.0)
    return weights.get("text/csv", 0) > 0 and weights["text/csv"] >= weights.get("application/json", 0)


async def csv_chunks(page: Page, read_next: Callable[[Position], Awaitable[Page]]) -> AsyncIterator[bytes]:
    """The statement that begins with this page: a line of column names, then a line for each entry."""
    yield _lines([COLUMNS])
    while True:
        entries: list[dict[str, Any]] = simplejson.loads(page.items, parse_float=Decimal, parse_int=Decimal)
        if entries:
            yield _lines([_cell(name, entry[name]) for name in COLUMNS] for entry in entries)
        if page.position is None:
            return
        page = await read_next(page.position)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(name: str, value: Any) -> str:
    """A value as text. An apostrophe keeps spreadsheets from running a caller's text as a formula."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return Json.of(value).text
    text = str(value)
    return f"'{text}" if name in _WRITTEN_BY_CALLERS and text.startswith(_STARTS_A_FORMULA) else text
