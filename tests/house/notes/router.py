"""Paths of the sample room."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request

from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import WRITES, problems

from .problems import NoteTooLong
from .room import NOTES_WRITE

router = APIRouter(prefix="/api/v1", tags=["notes"], route_class=StrictRoute)


class Note(BaseModel):
    """A note about a wallet."""

    text: str


@router.post(
    "/wallets/{wallet_id}/notes",
    status_code=201,
    responses=problems(*WRITES, NoteTooLong),
    summary="Write a note",
)
async def write_note(
    request: Request, caller: Annotated[Principal, requires(NOTES_WRITE)], wallet_id: str, note: Note
) -> dict[str, Any]:
    """Keep a note."""
    if len(note.text) > request.app.state.notes_longest:
        raise NoteTooLong
    return {"wallet_id": wallet_id, "by": caller.client_id}
