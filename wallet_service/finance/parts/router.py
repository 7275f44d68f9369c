"""The routes of parts, and of what takes their changes back."""

import json
import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query
from pydantic import Field, TypeAdapter, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import ValidationFailed, VersionMismatch, WalletBusy, WalletNotFound, error_of
from wallet_service.core.fields import Day
from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccessOf
from wallet_service.finance.labels.problems import LabelNotFound
from wallet_service.finance.parts.bulk_schemas import BulkAnswer, BulkRequest, Undone
from wallet_service.finance.parts.problems import EntryNotFound, EntryPending, PartsUnbalanced, RunNotFound
from wallet_service.finance.parts.repository import PartRepository
from wallet_service.finance.parts.room import PARTS_READ, PARTS_WRITE
from wallet_service.finance.parts.schemas import (
    ChangedParts,
    EntryParts,
    EntryPartsPut,
    PartPage,
    PartQuery,
)
from wallet_service.finance.parts.service import CataloguingOf, owner_of_wallet
from wallet_service.ledger.problems import AmountInvalid, AmountPrecision
from wallet_service.money.parameters import WalletInPath
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, WRITES, problems
from wallet_service.platform.web.pagination import BigInt, decode_cursor, encode_cursor
from wallet_service.platform.web.problems import problem_document
from wallet_service.platform.web.query import DIGITS
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["parts"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(PARTS_READ)]
Writer = Annotated[Principal, requires(PARTS_WRITE)]
Repository = Annotated[PartRepository, on_database(PartRepository)]
VersionInPath = Annotated[
    int, Path(ge=1, le=2**53, description="The number of the entry within its wallet."), DIGITS
]
RunInPath = Annotated[UUID, Path(description="The run's id, from the response to a change.")]
IfMatch = Annotated[
    Annotated[str, WithJsonSchema({"type": "string", "pattern": r'^(\*|(W/)?"?[0-9a-f]{16}"?)$'})]
    | SkipJsonSchema[None],
    Header(alias="If-Match", description="The ETag that the caller read, or `*` for any."),
]

_PLACE_OF = ("booked_on", "wallet_id", "wallet_version", "part")
_PLACE = TypeAdapter(tuple[Day, UUID, BigInt, Annotated[int, Field(ge=0, le=32_767)]])
_ETAG: dict[str, Any] = {"ETag": {"description": '`"<etag>"`, for If-Match.', "schema": {"type": "string"}}}
_FORM = re.compile(r'(?:W/)?"?([0-9a-f]{1,16})"?', re.ASCII)
_ENTRY = (WalletNotFound, BookNotFound, EntryNotFound, EntryPending, UpstreamUnavailable)
_EDITS = (*WRITES, LabelNotFound, AmountPrecision, AmountInvalid, PartsUnbalanced, WalletBusy)
_UNDONE_AT_ONCE = 500


def pending_page(items: bytes, next_cursor: str | None, pending: int) -> Response:
    """A page of what is catalogued, with how many entries are not."""
    cursor = json.dumps(next_cursor).encode()
    return JsonBytes(b'{"items":' + items + b',"next_cursor":' + cursor + b',"pending_entries":%d}' % pending)


@router.get(
    "/parts",
    response_model=PartPage,
    responses=problems(
        *READS, BookNotFound, WalletNotFound, LabelNotFound, AmountInvalid, UpstreamUnavailable
    ),
    operation_id="list_parts",
    summary="List parts",
)
async def list_parts(
    request: Request,
    caller: Reader,
    query: Annotated[PartQuery, Query()],
    repository: Repository,
    cataloguing: CataloguingOf,
    access: BookAccessOf,
) -> Response:
    """Those of a book, newest day first. A key names the book by `user_id` or `organization_id`.

    Entries that were posted just now get their parts first, 2,000 at most; `pending_entries` says how many are left.
    """
    del caller
    book = await access.find(query.user_id, query.organization_id)
    read_concerns(request, user_id=book.owner.user_id)
    if query.wallet_id is not None:
        _, of_wallet = await owner_of_wallet(repository, access, str(query.wallet_id))
        if of_wallet.book_id != book.book_id:
            raise WalletNotFound(wallet_id=str(query.wallet_id))
    filters = query.filters()
    selection = {"book_id": book.book_id, **filters}
    before: dict[str, Any] | None = None
    if query.cursor is not None:
        place = decode_cursor("parts", selection, query.cursor, _PLACE)
        before = dict(zip(_PLACE_OF, (place[0], str(place[1]), *place[2:]), strict=True))
    pending = await cataloguing.catch_up(book.book_id)
    items, following = await repository.page(book.book_id, filters, before, query.limit)
    cursor = None
    if following is not None:
        cursor = encode_cursor("parts", selection, [following[name] for name in _PLACE_OF])
    return pending_page(items, cursor, pending)


@router.get(
    "/wallets/{wallet_id}/entries/{wallet_version}/parts",
    response_model=EntryParts,
    responses={200: {"headers": _ETAG}, **problems(*READS, *_ENTRY)},
    operation_id="get_entry_parts",
    summary="Read the parts of an entry",
)
async def get_entry_parts(
    request: Request,
    caller: Reader,
    wallet_id: WalletInPath,
    wallet_version: VersionInPath,
    repository: Repository,
    cataloguing: CataloguingOf,
    access: BookAccessOf,
) -> Response:
    """The entry, and what it was for. `ETag` is for `If-Match` of a change."""
    del caller
    wallet, book = await owner_of_wallet(repository, access, str(wallet_id))
    read_concerns(request, user_id=wallet.user_id)
    await cataloguing.catch_up(book.book_id)
    return _entry(await repository.get(book.book_id, str(wallet_id), wallet_version))


@router.put(
    "/wallets/{wallet_id}/entries/{wallet_version}/parts",
    response_model=ChangedParts,
    responses={200: {"headers": _ETAG}, **problems(*_EDITS, *_ENTRY, VersionMismatch)},
    operation_id="set_entry_parts",
    summary="Set the parts of an entry",
)
async def set_entry_parts(
    caller: Writer,
    wallet_id: WalletInPath,
    wallet_version: VersionInPath,
    request: EntryPartsPut,
    repository: Repository,
    access: BookAccessOf,
    if_match: IfMatch = None,
) -> Response:
    """Say what an entry was for: all its parts, which sum to it. Rules leave them alone from then on.

    With `booked_on` the entry counts on another day. With `If-Match`, parts that have changed since are refused as
    `version_mismatch`. `run_id` names the change: `POST /api/v1/runs/{run_id}/undo` takes it back.
    """
    del caller
    _, book = await owner_of_wallet(repository, access, str(wallet_id))
    change = request.model_dump(mode="json", exclude_none=True)
    if (etag := _etag_of(if_match)) is not None:
        change["etag"] = etag
    return _entry(await repository.set(book.book_id, str(wallet_id), wallet_version, change, new_id()))


@router.post(
    "/parts/bulk",
    response_model=BulkAnswer,
    responses=problems(*WRITES, BookNotFound, AmountInvalid, WalletBusy, UpstreamUnavailable),
    operation_id="edit_parts",
    summary="Change the parts of up to 500 entries",
)
async def edit_parts(
    caller: Writer, request: BulkRequest, repository: Repository, access: BookAccessOf
) -> Response:
    """An outcome for each change, in order: one that is refused leaves the others standing. They are one run.

    A change gives all `parts` of its entry, or `changes` of each part that it has, such as another category.
    """
    del caller
    book = await access.find(request.user_id, request.organization_id, place="body")
    answer = await repository.edit(book.book_id, [each.change() for each in request.changes], new_id())
    results = [_outcome(each) for each in answer["items"]]
    return JsonBytes(
        json.dumps({"run_id": answer["run_id"], "results": results}, ensure_ascii=False).encode()
    )


@router.post(
    "/runs/{run_id}/undo",
    response_model=Undone,
    responses=problems(*READS, RunNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="undo_run",
    summary="Take a change of parts back",
)
async def undo_run(
    caller: Writer, run_id: RunInPath, repository: Repository, access: BookAccessOf
) -> Response:
    """Give all entries of a run the parts again that they had before it. The same request again changes nothing.

    Entries whose parts were changed after the run stay as they are, and are listed. The undoing is a run itself.
    """
    del caller
    book_id = await repository.book_of_run(str(run_id))
    try:
        await access.require(book_id)
    except BookNotFound:
        raise RunNotFound(run_id=str(run_id)) from None
    undo_run_id = new_id()
    while True:
        undone = await repository.undo(book_id, str(run_id), undo_run_id, _UNDONE_AT_ONCE)
        if undone.pop("done"):
            return JsonBytes(json.dumps(undone).encode())


def _entry(document: bytes) -> Response:
    return JsonBytes(document, headers={"ETag": f'"{json.loads(document)["etag"]}"'})


def _etag_of(if_match: str | None) -> str | None:
    """The etag that the caller read; None: any."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _FORM.fullmatch(if_match.strip())
    if found is None:
        detail = "If-Match is not the ETag of an entry's parts"
        error = {"in": "header", "pointer": "/If-Match", "detail": detail, "code": "etag_invalid"}
        raise ValidationFailed(detail, errors=[error])
    return found[1]


def _outcome(item: dict[str, Any]) -> dict[str, Any]:
    if item["status"] != "refused":
        return item
    return {"status": "refused", "problem": problem_document(error_of(item["code"], **item["facts"]))}
