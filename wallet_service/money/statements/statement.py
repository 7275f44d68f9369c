"""A history as CSV. It is written page by page, so only one page is in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import simplejson

from wallet_service.money.schemas import Entry
from wallet_service.money.statements.repository import Page, Position
from wallet_service.platform.database.gateway import Json
from wallet_service.platform.web.csv_text import csv_lines, guarded

PAGE_ROWS = 500

COLUMNS = tuple(Entry.model_fields)

_WRITTEN_BY_CALLERS = frozenset({"user_id", "client_id", "reference", "description"})


async def csv_chunks(page: Page, read_next: Callable[[Position], Awaitable[Page]]) -> AsyncIterator[bytes]:
    """The statement that begins with this page: a line of column names, then a line for each entry."""
    yield csv_lines([COLUMNS])
    while True:
        entries: list[dict[str, Any]] = simplejson.loads(page.items, parse_float=Decimal, parse_int=Decimal)
        if entries:
            yield csv_lines([_cell(name, entry[name]) for name in COLUMNS] for entry in entries)
        if page.position is None:
            return
        page = await read_next(page.position)


def _cell(name: str, value: Any) -> str:
    """A value as text. An apostrophe keeps spreadsheets from running a caller's text as a formula."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return Json.of(value).text
    text = str(value)
    return guarded(text) if name in _WRITTEN_BY_CALLERS else text
