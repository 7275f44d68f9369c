"""Paths of the sample room."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, WRITES, problems
from wallet_service.platform.web.pagination import (
    DEFAULT_LIMIT,
    BigInt,
    CursorText,
    Limit,
    decode_cursor,
    page_response,
)
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

from .problems import NoteTooLong
from .repository import NotesRepository
from .room import NOTES_READ, NOTES_WRITE
from .schemas import KeptNote, Note, NotePage

router = APIRouter(prefix="/api/v1", tags=["notes"], route_class=StrictRoute)

Repository = Annotated[NotesRepository, on_database(NotesRepository)]

_POSITION = TypeAdapter(tuple[BigInt])


@router.post(
    "/wallets/{wallet_id}/notes",
    status_code=201,
    response_model=KeptNote,
    responses=problems(*WRITES, NoteTooLong),
    operation_id="write_note",
    summary="Write a note",
)
async def write_note(
    request: Request,
    _caller: Annotated[Principal, requires(NOTES_WRITE)],
    wallet_id: UUID,
    note: Note,
    repository: Repository,
) -> Response:
    """Store a note about a wallet."""
    if len(note.text) > request.app.state.notes_longest:
        raise NoteTooLong
    return JsonBytes(await repository.write(str(wallet_id), note.text), status_code=201)


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
    after = None if cursor is None else decode_cursor("notes", selection, cursor, _POSITION)[0]
    items, following = await repository.page(str(wallet_id), after, limit)
    return page_response("notes", selection, items, None if following is None else [following])
