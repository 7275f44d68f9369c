"""The route that imports opening balances."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wallet_service.core.errors import (
    MalformedRequest,
    UnsupportedMediaType,
    WalletBusy,
    WalletError,
)
from wallet_service.money.opening_balances.records import csv_records, json_records
from wallet_service.money.opening_balances.repository import ImportRepository
from wallet_service.money.opening_balances.room import PATH
from wallet_service.money.opening_balances.schemas import ImportLine, ImportOutcome
from wallet_service.money.opening_balances.service import ImportService
from wallet_service.platform.auth.authentication import Admin
from wallet_service.platform.membership.access import MembershipOf
from wallet_service.platform.web.openapi import WRITES, problems
from wallet_service.platform.web.state import DatabaseOf

router = APIRouter(tags=["import"])

_NDJSON = "application/x-ndjson"
_READERS = {
    "text/csv": csv_records,
    _NDJSON: json_records,
    "application/jsonl": json_records,
}
_IN_MEMORY_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_CSV_EXAMPLE = "user_id,currency,balance,effective_at\nuser-1,CREDIT,100,2026-01-01T00:00:00Z\n"
_JSON_EXAMPLE = '{"user_id": "user-1", "currency": "CREDIT", "balance": "100"}\n'
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The columns of the CSV, or the members of each JSON line. Only `user_id` is required.\n\n"
        + "\n".join(f"- `{name}`: {field.description}" for name, field in ImportLine.model_fields.items()),
        "content": {
            "text/csv": {"schema": {"type": "string", "minLength": 1}, "example": _CSV_EXAMPLE},
            _NDJSON: {"schema": {"type": "string", "minLength": 1}, "example": _JSON_EXAMPLE},
        },
    }
}


@router.post(
    PATH,
    responses={
        200: {
            "description": "One JSON line with the result of each line of the body, in order.",
            "content": {_NDJSON: {"schema": ImportOutcome.model_json_schema()}},
        },
        **problems(*WRITES, WalletBusy),
    },
    response_class=StreamingResponse,
    openapi_extra=_BODY,
    operation_id="import_wallets",
    summary="Import opening balances",
)
async def import_wallets(
    caller: Admin, request: Request, database: DatabaseOf, membership: MembershipOf
) -> Response:
    """Create wallets with opening balances from CSV or JSON lines.

    Each line is decided on its own: created, replayed (it was imported before), or refused with a problem.
    When the body can't be read to its end, the request is refused, and `last_line_done` is the last line that was
    decided. To continue an import, send the same body again: lines that were imported before are `replayed`.
    The wallets are unverified where users are checked. Needs the scope `admin`.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in _READERS:
        raise UnsupportedMediaType(f"The body of an import must be {' or '.join(_READERS)}")
    # The account service is not asked about each of a million users: a user is checked after the first debit.
    service = ImportService(
        ImportRepository(database), caller.client_id, verified=not membership.verifies_owners
    )
    # The response is stored until the body was read: not every client reads while it still sends.
    answer: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - see _sent
    try:
        async for lines in service.outcomes(_READERS[declared](request.stream())):
            await asyncio.to_thread(answer.write, lines)
    except BaseException as error:  # also of a cancelled request: the file must not outlive it
        answer.close()
        if isinstance(error, WalletError):
            error.facts = {**error.facts, "last_line_done": service.last_line_done}
        raise
    if answer.tell() == 0:
        answer.close()
        raise MalformedRequest("The body has no lines")
    answer.seek(0)
    return StreamingResponse(_sent(answer), media_type=_NDJSON)


async def _sent(answer: IO[bytes]) -> AsyncIterator[bytes]:
    with answer:
        while chunk := await asyncio.to_thread(answer.read, _CHUNK_BYTES):
            yield chunk
