"""Responses about files."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

_EXAMPLE: dict[str, Any] = {
    "file_id": "0199d0a8-0000-7000-8000-0000000000ff",
    "name": "statement.csv",
    "media_type": "text/csv",
    "size_bytes": 21,
    "sha256": "01363c811e1f8f782dde7628ebb945b5a856ad0b93a84c2a17bd3ca2b4cdd8bd",
    "personal": False,
    "created_at": "2026-11-28T12:00:00.000000Z",
    "expires_at": "2027-02-26T12:00:00.000000Z",
}


class File(BaseModel):
    """A file of the caller."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    file_id: UUID = Field(description="The file's id, a UUIDv7.")
    name: str = Field(description="As it was uploaded. It is not encrypted.")
    media_type: str = Field(description="As it was declared at the upload, without parameters.")
    size_bytes: int = Field(description="The length of the content in bytes.")
    sha256: str = Field(description="SHA-256 of the content, hexadecimal.")
    personal: bool = Field(description="Whether the content is encrypted in the database.")
    created_at: AwareDatetime = Field(description="When the upload was complete.")
    expires_at: AwareDatetime = Field(description="From then on the file is not found.")


class OwnedFile(File):
    """A file as events have it."""

    owner: str = Field(description="`user:<id>` or `client:<name>`.")


class FilePage(BaseModel):
    """Files of the caller, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[File] = Field(description="The files of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
