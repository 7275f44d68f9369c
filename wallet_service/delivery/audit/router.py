"""The route of the audit trail."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wallet_service.core.fields import Timestamp
from wallet_service.delivery.audit.permissions import AUDIT_READ
from wallet_service.delivery.audit.repository import AuditRepository
from wallet_service.delivery.audit.schemas import AuditPage, AuditQuery
from wallet_service.delivery.audit.service import PAGE_ROWS, csv_chunks
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.csv_text import wants_csv
from wallet_service.platform.web.openapi import READS, problems
from wallet_service.platform.web.pagination import BigInt, decode_cursor, page_response
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["audit"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(AUDIT_READ)]
Repository = Annotated[AuditRepository, on_database(AuditRepository)]

_POSITION = TypeAdapter(tuple[Timestamp, BigInt])
_VARY = {"Vary": "Accept"}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "headers": {"Vary": {"description": "`Accept`", "schema": {"type": "string"}}},
    },
    **problems(*READS),
}


@router.get(
    "/audit",
    response_model=AuditPage,
    responses=_RESPONSES,
    operation_id="list_audit_entries",
    summary="List the audit trail",
)
async def list_audit_entries(
    caller: Reader, request: Request, query: Annotated[AuditQuery, Query()], repository: Repository
) -> Response:
    """Who changed what, and who read another person's data, newest first. This read is itself recorded.

    Entries of a change are written in its transaction. Postings have none: the ledger has them. With filters a page may
    be short, even empty, and not be the last: follow `next_cursor`. With `Accept: text/csv` the response has all entries
    from the cursor on, and `limit` has no effect.
    """
    del caller
    filters = query.filters()
    before = None
    if query.cursor is not None:
        before = decode_cursor("audit", filters, query.cursor, _POSITION)
    if wants_csv(request.headers.get("accept", "")):
        # The first page is read before the status is sent. A later failure breaks the connection.
        first = await repository.page(filters, before, PAGE_ROWS)
        return StreamingResponse(
            csv_chunks(first, repository, filters),
            media_type="text/csv",
            headers={"Content-Disposition": 'attachment; filename="audit.csv"', **_VARY},
        )
    page = await repository.page(filters, before, query.limit)
    return page_response("audit", filters, page.items, page.position, _VARY)
