"""Paths of the sample room."""

import json
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import WRITES, problems

from .problems import NoteTooLong
from .room import NOTES_WRITE

router = APIRouter(prefix="/api/v1", tags=["notes"], route_class=StrictRoute)


class Note(BaseModel):
    """A note about a wallet."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "asked twice"}]})

    text: str = Field(description="What the note says.")


class Written(BaseModel):
    """A note that was kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note_id": 1, "wallet_id": "7", "by": "billing"}]}
    )

    note_id: int
    wallet_id: str
    by: str | None


@router.post(
    "/wallets/{wallet_id}/notes",
    status_code=201,
    responses=problems(*WRITES, NoteTooLong),
    summary="Write a note",
)
async def write_note(
    request: Request, caller: Annotated[Principal, requires(NOTES_WRITE)], wallet_id: str, note: Note
) -> Written:
    """Keep a note."""
    if len(note.text) > request.app.state.notes_longest:
        raise NoteTooLong
    kept = await request.app.state.database.call("write_note", wallet_id=wallet_id, text=note.text)
    return Written(note_id=json.loads(kept)["note_id"], wallet_id=wallet_id, by=caller.client_id)
