"""Paths of the sample room."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import (
    DEFAULT_LIMIT,
    CursorText,
    Limit,
    decode_cursor,
    page_response,
)
from wallet_service.platform.web.state import on_database

from .problems import NoteTooLong
from .repository import NotesRepository
from .room import NOTES_READ, NOTES_WRITE
from .schemas import KeptNote, Note, NotePage

router = APIRouter(prefix="/api/v1", tags=["notes"], route_class=StrictRoute)

Repository = Annotated[NotesRepository, on_database(NotesRepository)]

_POSITION = TypeAdapter(tuple[UUID])


@router.post(
    "/wallets/{wallet_id}/notes",
    status_code=201,
    response_model=KeptNote,
    responses={201: {"headers": created_headers("note")}, **problems(*WRITES, *KEYED, NoteTooLong)},
    operation_id="write_note",
    summary="Write a note",
)
async def write_note(
    request: Request,
    caller: Annotated[Principal, requires(NOTES_WRITE)],
    wallet_id: UUID,
    note: Note,
    repository: Repository,
    key: HeaderKey,
) -> Response:
    """Store a note about a wallet. The same idempotency key and request store one note."""
    if len(note.text) > request.app.state.notes_longest:
        raise NoteTooLong
    created = await repository.write(caller.client_id, key, str(wallet_id), note.text)
    location = f"/api/v1/wallets/{wallet_id}/notes"
    return created_response(created.document, location, replayed=created.replayed)


@router.get(
    "/wallets/{wallet_id}/notes",
    response_model=NotePage,
    responses=problems(*READS),
    operation_id="list_notes",
    summary="List a wallet's notes",
)
async def list_notes(
    _caller: Annotated[Principal, requires(NOTES_READ)],
    wallet_id: UUID,
    repository: Repository,
    cursor: CursorText = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """The notes of a wallet, oldest first."""
    selection = {"wallet_id": str(wallet_id)}
    after = None if cursor is None else str(decode_cursor("notes", selection, cursor, _POSITION)[0])
    items, following = await repository.page(str(wallet_id), after, limit)
    return page_response("notes", selection, items, following and [following])
