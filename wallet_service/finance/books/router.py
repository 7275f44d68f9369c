"""The routes of books."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import VersionMismatch, WalletBusy, WalletNotFound
from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.problems import BookExists, BookNotFound
from wallet_service.finance.books.repository import BookRepository
from wallet_service.finance.books.room import BOOKS_READ, BOOKS_WRITE, PATH
from wallet_service.finance.books.schemas import (
    Book,
    BookCreate,
    BookPage,
    BookPatch,
    BookQuery,
    BookWallet,
    BookWalletPage,
    BookWalletPut,
    ChangedBook,
)
from wallet_service.finance.books.service import BookAccessOf, Owner
from wallet_service.ledger.problems import CurrencyUnknown
from wallet_service.money.parameters import WalletInPath
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.jobs.context import creator_of
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.created import request_hash
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.etag import ETAG, IfMatch, etag_of, version_of, versioned_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import (
    DEFAULT_LIMIT,
    CursorText,
    Limit,
    decode_cursor,
    page_response,
)
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix=PATH, tags=["books"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(BOOKS_READ)]
Writer = Annotated[Principal, requires(BOOKS_WRITE)]
Repository = Annotated[BookRepository, on_database(BookRepository)]
BookInPath = Annotated[UUID, Path(description="The book's id.")]

_ID = TypeAdapter(tuple[UUID])


@router.post(
    "",
    status_code=201,
    response_model=Book,
    responses={
        201: {"headers": ETAG | created_headers("book")},
        **problems(*WRITES, *KEYED, BookExists, CurrencyUnknown, WalletBusy),
    },
    operation_id="create_book",
    summary="Create a book",
)
async def create_book(
    caller: Writer, request: BookCreate, repository: Repository, access: BookAccessOf, header_key: HeaderKey
) -> Response:
    """Create the book of a user, or with a key of an organization. The same idempotency key and request create one book.

    Its wallets need not be added: a wallet belongs to the book of its organization, else to that of its user.
    """
    owner = access.owner_of(request.user_id, request.organization_id, place="body")
    await access.require_creation(owner)
    book = request.model_dump(mode="json") | {
        "user_id": owner.user_id,
        "organization_id": owner.organization_id,
    }
    created = await repository.create(new_id(), caller.client_id, header_key, request_hash(1, book), book)
    document: dict[str, Any] = json.loads(created.document)
    return created_response(
        created.document,
        f"{PATH}/{document['book_id']}",
        replayed=created.replayed,
        headers=etag_of(document),
    )


@router.get(
    "",
    response_model=BookPage,
    responses=problems(*READS, UpstreamUnavailable),
    operation_id="list_books",
    summary="List books",
)
async def list_books(
    request: Request,
    caller: Reader,
    query: Annotated[BookQuery, Query()],
    repository: Repository,
    access: BookAccessOf,
) -> Response:
    """The books that the caller sees, oldest first.

    A user sees its own, and with `organization_id` that of an organization of which it is a member.
    """
    del caller
    selection = {"user_id": query.user_id, "organization_id": query.organization_id}
    after = None if query.cursor is None else str(decode_cursor("books", selection, query.cursor, _ID)[0])
    owners = [Owner(**{name: value}) for name, value in selection.items() if value is not None]
    if not owners and (own := access.own()) is not None:
        owners = [own]
    seen = [owner for owner in owners if await access.covers(owner)]
    sees_all = not owners and await access.covers(Owner())
    if not seen and not sees_all:
        return page_response("books", selection, b"[]", None)
    user_id = next((owner.user_id for owner in seen if owner.user_id is not None), None)
    organization_id = next((owner.organization_id for owner in seen if owner.organization_id), None)
    read_concerns(request, user_id=user_id)
    items, following = await repository.page(user_id, organization_id, after, query.limit)
    return page_response("books", selection, items, following and [following])


@router.get(
    "/{book_id}",
    response_model=Book,
    responses={200: {"headers": ETAG}, **problems(*READS, BookNotFound, UpstreamUnavailable)},
    operation_id="get_book",
    summary="Read a book",
)
async def get_book(
    request: Request, _caller: Reader, book_id: BookInPath, repository: Repository, access: BookAccessOf
) -> Response:
    """The book. `ETag` is for `If-Match` of a change. Books of others are not found."""
    book = await access.require(str(book_id))
    read_concerns(request, user_id=book.owner.user_id)
    return versioned_response(await repository.get(book.book_id))


@router.patch(
    "/{book_id}",
    response_model=ChangedBook,
    responses={
        200: {"headers": ETAG},
        **problems(*WRITES, BookNotFound, CurrencyUnknown, VersionMismatch, WalletBusy, UpstreamUnavailable),
    },
    operation_id="update_book",
    summary="Change a book",
)
async def update_book(
    http_request: Request,
    caller: Writer,
    book_id: BookInPath,
    request: BookPatch,
    repository: Repository,
    access: BookAccessOf,
    if_match: IfMatch = None,
) -> Response:
    """Change base_currency, time_zone or the calendar by a merge patch (RFC 7396). Members that are absent stay.

    Nothing that is stored changes with it: a new base currency is that of figures from now on, a new time zone gives the
    days of later entries. With `"redate": true` a job gives all entries their day in the time zone; the response names
    it. With `If-Match`, a book that has changed since is refused as `version_mismatch`.
    """
    book = await access.require(str(book_id))
    changes = request.model_dump(mode="json", include=request.model_fields_set)
    creator = creator_of(caller, book.owner.organization_id if caller.is_user else None)
    changed = await repository.update(book.book_id, version_of(if_match, "a book"), changes, creator)
    if request.redate:
        http_request.app.state.jobs.enqueued.set()
    return versioned_response(changed)


@router.get(
    "/{book_id}/wallets",
    response_model=BookWalletPage,
    responses=problems(*READS, BookNotFound, UpstreamUnavailable),
    operation_id="list_book_wallets",
    summary="List the wallets of a book",
)
async def list_book_wallets(
    request: Request,
    caller: Reader,
    book_id: BookInPath,
    repository: Repository,
    access: BookAccessOf,
    cursor: CursorText = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """The wallets that belong to the book, oldest first, closed ones too, with what each is for."""
    del caller
    book = await access.require(str(book_id))
    read_concerns(request, user_id=book.owner.user_id)
    selection = {"book_id": book.book_id}
    after = None if cursor is None else str(decode_cursor("book_wallets", selection, cursor, _ID)[0])
    items, following = await repository.wallets(book.book_id, after, limit)
    return page_response("book_wallets", selection, items, following and [following])


@router.put(
    "/{book_id}/wallets/{wallet_id}",
    response_model=BookWallet,
    responses=problems(*WRITES, BookNotFound, WalletNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="set_book_wallet",
    summary="Set what a wallet is for",
)
async def set_book_wallet(
    caller: Writer,
    book_id: BookInPath,
    wallet_id: WalletInPath,
    request: BookWalletPut,
    repository: Repository,
    access: BookAccessOf,
) -> Response:
    """Set the purpose of a wallet that belongs to the book. Another wallet is `wallet_not_found`."""
    del caller
    book = await access.require(str(book_id))
    return JsonBytes(await repository.set_wallet(book.book_id, str(wallet_id), request.purpose))
