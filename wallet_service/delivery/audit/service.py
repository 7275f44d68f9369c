"""The audit trail as CSV. It is written page by page, so only one page is in memory."""

import json
from collections.abc import AsyncIterator
from typing import Any

from wallet_service.delivery.audit.repository import AuditRepository, Page
from wallet_service.delivery.audit.schemas import AuditEntry
from wallet_service.platform.web.csv_text import csv_lines, guarded

PAGE_ROWS = 100

COLUMNS = tuple(AuditEntry.model_fields)


async def csv_chunks(
    page: Page, repository: AuditRepository, filters: dict[str, str]
) -> AsyncIterator[bytes]:
    """The entries from this page on: a line of column names, then a line for each."""
    yield csv_lines([COLUMNS])
    while True:
        entries: list[dict[str, Any]] = json.loads(page.items)
        if entries:
            yield csv_lines([_cell(entry[name]) for name in COLUMNS] for entry in entries)
        if page.position is None:
            return
        page = await repository.page(filters, page.position, PAGE_ROWS)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return guarded(str(value))
