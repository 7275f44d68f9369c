"""The routes of pairs."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import WalletBusy
from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccessOf
from wallet_service.finance.parts.pair_schemas import Pair, PairCreate, PairPage, PairQuery
from wallet_service.finance.parts.problems import EntryNotFound, EntryPending, PairExists, PairNotFound
from wallet_service.finance.parts.router import Reader, Repository, Writer, pending_page
from wallet_service.finance.parts.service import CataloguingOf
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, encode_cursor
from wallet_service.platform.web.responses import JsonBytes

PATH = "/api/v1/pairs"

router = APIRouter(prefix=PATH, tags=["parts"], route_class=StrictRoute)

PairInPath = Annotated[UUID, Path(description="The pair's id.")]

_ID = TypeAdapter(tuple[UUID])


@router.get(
    "",
    response_model=PairPage,
    responses=problems(*READS, BookNotFound, UpstreamUnavailable),
    operation_id="list_pairs",
    summary="List pairs of transfers",
)
async def list_pairs(
    request: Request,
    caller: Reader,
    query: Annotated[PairQuery, Query()],
    repository: Repository,
    cataloguing: CataloguingOf,
    access: BookAccessOf,
) -> Response:
    """The pairs of a book, oldest first, or with `state=suggested` what could be one.

    A debit and a credit of two wallets are paired by themselves if the currency and the amount agree, the credit is
    booked 0 to 4 days after the debit, and neither has another candidate. All else is a suggestion.
    """
    del caller
    book = await access.find(query.user_id, query.organization_id)
    read_concerns(request, user_id=book.owner.user_id)
    selection = {"book_id": book.book_id, "state": query.state}
    after = None if query.cursor is None else str(decode_cursor("pairs", selection, query.cursor, _ID)[0])
    pending = await cataloguing.catch_up(book.book_id)
    items, following = await repository.pairs(book.book_id, query.state, after, query.limit)
    cursor = None if following is None else encode_cursor("pairs", selection, [following])
    return pending_page(items, cursor, pending)


@router.post(
    "",
    status_code=201,
    response_model=Pair,
    responses={
        201: {
            "headers": {"Location": {"description": "The path of the pair.", "schema": {"type": "string"}}}
        },
        **problems(
            *WRITES, BookNotFound, EntryNotFound, EntryPending, PairExists, WalletBusy, UpstreamUnavailable
        ),
    },
    operation_id="create_pair",
    summary="Make two entries a pair",
)
async def create_pair(
    caller: Writer, request: PairCreate, repository: Repository, access: BookAccessOf
) -> Response:
    """A debit and a credit of two wallets of the book are one transfer: neither income nor expense.

    Parts that no caller has set become transfers. The same request again returns the same pair.
    """
    del caller
    book = await access.find(request.user_id, request.organization_id, place="body")
    debit, credit = (each.model_dump(mode="json") for each in (request.debit, request.credit))
    pair = await repository.pair(book.book_id, new_id(), debit, credit, new_id())
    return JsonBytes(pair, 201, headers={"Location": f"{PATH}/{json.loads(pair)['pair_id']}"})


@router.delete(
    "/{pair_id}",
    status_code=204,
    response_class=Response,
    responses=problems(*READS, PairNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="delete_pair",
    summary="Dissolve a pair",
)
async def delete_pair(
    caller: Writer, pair_id: PairInPath, repository: Repository, access: BookAccessOf
) -> Response:
    """The two are no transfer, or the suggestion is dismissed: the service does not pair or suggest them again.

    Parts that no caller has set are what they were before.
    """
    del caller
    book_id = await repository.book_of_pair(str(pair_id))
    try:
        await access.require(book_id)
    except BookNotFound:
        raise PairNotFound(pair_id=str(pair_id)) from None
    await repository.unpair(book_id, str(pair_id), new_id())
    return Response(status_code=204)
