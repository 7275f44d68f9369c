"""The routes of files."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wallet_service.core.errors import PayloadTooLarge, UnsupportedMediaType, WalletBusy
from wallet_service.core.fields import Line, Timestamp
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.files.media import (
    OCTETS,
    SAFE_TYPES,
    attachment,
    declared_digest,
    declared_type,
    digest_header,
    safe_type,
)
from wallet_service.platform.files.problems import FileIncomplete, FileNotFound, FileQuotaExceeded
from wallet_service.platform.files.room import FILES_READ, FILES_WRITE, PATH
from wallet_service.platform.files.schemas import File, FilePage
from wallet_service.platform.files.service import FileService, NewFile, owner_of
from wallet_service.platform.vault.problems import VaultUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, problems
from wallet_service.platform.web.pagination import (
    DEFAULT_LIMIT,
    CursorText,
    Limit,
    decode_cursor,
    page_response,
)
from wallet_service.platform.web.query import BoolInQuery
from wallet_service.platform.web.responses import JsonBytes

router = APIRouter(tags=["files"], route_class=StrictRoute)


async def _files(request: Request) -> FileService:
    return request.app.state.files


Files = Annotated[FileService, Depends(_files)]
Reader = Annotated[Principal, requires(FILES_READ)]
Writer = Annotated[Principal, requires(FILES_WRITE)]

FileInPath = Annotated[UUID, Path(description="The file's id.")]

_POSITION = TypeAdapter(tuple[UUID])
_OCTETS_SCHEMA = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of the file, with its media type as Content-Type.",
        "content": {OCTETS: {"schema": _OCTETS_SCHEMA, "example": "date,amount\n2026-01-31,1\n"}},
    }
}


_CONTENT: dict[str, Any] = {each: {"schema": _OCTETS_SCHEMA} for each in (OCTETS, *sorted(SAFE_TYPES))}
_DIGEST = {
    "Content-Digest": {
        "description": "`sha-256=:…:` of the whole file (RFC 9530).",
        "schema": {"type": "string"},
    }
}


@router.post(
    PATH,
    status_code=201,
    response_model=File,
    responses={
        201: {"headers": created_headers("file")},
        **problems(
            *READS,
            *KEYED,
            FileQuotaExceeded,
            FileIncomplete,
            PayloadTooLarge,
            UnsupportedMediaType,
            VaultUnavailable,
            WalletBusy,
        ),
    },
    openapi_extra=_BODY,
    operation_id="upload_file",
    summary="Upload a file",
)
async def upload_file(
    request: Request,
    caller: Writer,
    files: Files,
    header_key: HeaderKey,
    name: Annotated[Line, Query(description="The file's name.", examples=["statement.csv"])],
    personal: Annotated[
        BoolInQuery, Query(description="Whether the content is encrypted in the database. The name is not.")
    ] = False,
    expires_at: Annotated[
        Timestamp | None,
        Query(description="From then on the file is not found; by default after `WALLET_FILES_KEEP_DAYS`."),
    ] = None,
    content_digest: Annotated[
        str | None,
        Header(
            alias="Content-Digest",
            max_length=1024,
            description="`sha-256=:…:` with the digest in base64 (RFC 9530): a file that arrives otherwise is refused.",
        ),
    ] = None,
) -> Response:
    """Store the body as a file of the caller. It is read in pieces, so its length need not be known.

    The same idempotency key and request store one file.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Compressed bodies are not supported")
    new = NewFile(
        name,
        declared_type(request.headers.get("content-type")),
        personal,
        expires_at,
        declared_digest(content_digest),
    )
    stored = await files.upload(owner_of(caller), new, request.stream(), header_key)
    location = f"{PATH}/{json.loads(stored.document)['file_id']}"
    return created_response(stored.document, location, replayed=stored.replayed)


@router.get(
    PATH,
    response_model=FilePage,
    responses=problems(*READS),
    operation_id="list_files",
    summary="List files",
)
async def list_files(
    caller: Reader, files: Files, cursor: CursorText = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """The files of the caller, newest first."""
    owner = owner_of(caller)
    selection = {"owner": owner}
    after = None if cursor is None else str(decode_cursor("files", selection, cursor, _POSITION)[0])
    items, following = await files.page(owner, after, limit)
    return page_response("files", selection, items, following and [following])


@router.get(
    f"{PATH}/{{file_id}}",
    response_model=File,
    responses=problems(*READS, FileNotFound),
    operation_id="get_file",
    summary="Read a file's description",
)
async def read_file(caller: Reader, file_id: FileInPath, files: Files) -> Response:
    """The description of a file of the caller. Files of others are not found."""
    return JsonBytes(await files.find(owner_of(caller), str(file_id)))


@router.get(
    f"{PATH}/{{file_id}}/content",
    responses={
        200: {"description": "The bytes of the file.", "content": _CONTENT, "headers": _DIGEST},
        **problems(*READS, FileNotFound, VaultUnavailable),
    },
    response_class=StreamingResponse,
    operation_id="download_file",
    summary="Download a file",
)
async def download_file(caller: Reader, file_id: FileInPath, files: Files) -> Response:
    """The bytes of a file of the caller, as an attachment.

    A media type that is not listed here is sent as `application/octet-stream`. A file that is no longer as it was
    uploaded ends before its `Content-Length`.
    """
    file, content = await files.open(owner_of(caller), str(file_id))
    headers = {
        "Content-Length": str(file["size_bytes"]),
        "Content-Digest": digest_header(file["sha256"]),
        "Content-Disposition": attachment(file["name"]),
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    response = StreamingResponse(content, headers=headers)
    response.headers["Content-Type"] = safe_type(file["media_type"])  # media_type= would add a charset
    return response


@router.delete(
    f"{PATH}/{{file_id}}",
    status_code=204,
    response_class=Response,
    responses=problems(*READS, FileNotFound, WalletBusy),
    operation_id="delete_file",
    summary="Delete a file",
)
async def delete_file(caller: Writer, file_id: FileInPath, files: Files) -> Response:
    """Delete a file of the caller. Its bytes are free for other files at once."""
    await files.delete(owner_of(caller), str(file_id))
    return Response(status_code=204)
