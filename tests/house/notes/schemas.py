"""Bodies of the sample room."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Note(BaseModel):
    """A note about a wallet."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "asked twice"}]})

    text: str = Field(description="The note, in the characters of its author.")


class KeptNote(BaseModel):
    """A note that is stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "note_id": "019a0f3e-5a7b-7c11-9d2e-3f4a5b6c7d8e",
                    "wallet_id": "0190b6f0-7c5e-7c3a-9f6e-2b1d4c5e6f70",
                    "text": "asked twice",
                }
            ]
        }
    )

    note_id: UUID = Field(description="The note's id.")
    wallet_id: str = Field(description="The wallet that it is about.")
    text: str = Field(description="The note.")


class NotePage(BaseModel):
    """Notes of a wallet, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [], "next_cursor": None}]})

    items: list[KeptNote] = Field(description="The notes.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class NotedMovement(BaseModel):
    """A member that movements and transfers have with this room."""

    note: str | None = Field(
        default=None, description="A note about the wallet that the operation names first."
    )
