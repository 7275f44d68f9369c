"""The routes of budgets. Each answers with and without a slash at the end of its path."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import VersionMismatch, WalletBusy, WalletNotFound
from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccess, BookAccessOf, KnownBook
from wallet_service.finance.budgets.figure_schemas import (
    BudgetDetails,
    BudgetProgressList,
    OnDay,
    ProgressQuery,
)
from wallet_service.finance.budgets.problems import BudgetLimit, BudgetNotFound
from wallet_service.finance.budgets.repository import BudgetRepository
from wallet_service.finance.budgets.room import BUDGETS_READ, BUDGETS_WRITE, PATH
from wallet_service.finance.budgets.schemas import Budget, BudgetCreate, BudgetPage, BudgetPut, BudgetQuery
from wallet_service.finance.labels.problems import LabelNotFound
from wallet_service.finance.parts.service import CataloguingOf
from wallet_service.ledger.problems import AmountInvalid, AmountPrecision, CurrencyUnknown
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.created import request_hash
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.etag import ETAG, IfMatch, etag_of, version_of, versioned_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix=PATH, tags=["budgets"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(BUDGETS_READ)]
Writer = Annotated[Principal, requires(BUDGETS_WRITE)]
Repository = Annotated[BudgetRepository, on_database(BudgetRepository)]
BudgetInPath = Annotated[UUID, Path(description="The budget's id.")]

_ID = TypeAdapter(tuple[UUID])
_OF_BOOK = (*READS, BookNotFound, UpstreamUnavailable)
_BY_ID = (BudgetNotFound, UpstreamUnavailable)
_VALUES = (WalletNotFound, LabelNotFound, CurrencyUnknown, AmountInvalid, AmountPrecision, WalletBusy)

_Endpoint = Callable[..., Awaitable[Response]]


def _route(method: str, path: str, summary: str, **options: Any) -> Callable[[_Endpoint], _Endpoint]:
    """A route, and the same one with a slash at the end of its path, which the document does not have."""

    def add(endpoint: _Endpoint) -> _Endpoint:
        name = endpoint.__name__
        router.add_api_route(
            path, endpoint, methods=[method], name=name, operation_id=name, summary=summary, **options
        )
        router.add_api_route(
            f"{path}/", endpoint, methods=[method], name=name, include_in_schema=False, **options
        )
        return endpoint

    return add


@_route(
    "POST",
    "",
    "Create a budget",
    status_code=201,
    response_model=Budget,
    responses={
        201: {"headers": ETAG | created_headers("budget")},
        **problems(*WRITES, *KEYED, *_VALUES, BookNotFound, BudgetLimit, UpstreamUnavailable),
    },
)
async def create_budget(
    caller: Writer, request: BudgetCreate, repository: Repository, access: BookAccessOf, header_key: HeaderKey
) -> Response:
    """Create a budget in a book. The same idempotency key and request create one.

    What was spent is read from the book's entries whenever it is asked for, so a budget may begin in the past.
    """
    book = await access.find(request.user_id, request.organization_id, place="body")
    chosen = request.model_dump(mode="json", exclude={"user_id", "organization_id"})
    budget = {"book_id": book.book_id, **chosen}
    created = await repository.create(new_id(), caller.client_id, header_key, request_hash(1, budget), budget)
    await repository.check(book.book_id)
    document: dict[str, Any] = json.loads(created.document)
    return created_response(
        created.document,
        f"{PATH}/{document['budget_id']}",
        replayed=created.replayed,
        headers=etag_of(document),
    )


@_route("GET", "", "List budgets", response_model=BudgetPage, responses=problems(*_OF_BOOK))
async def list_budgets(
    request: Request,
    caller: Reader,
    query: Annotated[BudgetQuery, Query()],
    repository: Repository,
    access: BookAccessOf,
) -> Response:
    """The budgets of a book, oldest first. A key names the book by `user_id` or `organization_id`."""
    del caller
    book = await access.find(query.user_id, query.organization_id)
    read_concerns(request, user_id=book.owner.user_id)
    selection = {"book_id": book.book_id}
    after = None if query.cursor is None else str(decode_cursor("budgets", selection, query.cursor, _ID)[0])
    items, following = await repository.page(book.book_id, after, query.limit)
    return page_response("budgets", selection, items, following and [following])


@_route(
    "GET",
    "/progress",
    "Read how far budgets are",
    response_model=BudgetProgressList,
    responses=problems(*_OF_BOOK),
)
async def get_budget_progress(
    request: Request,
    caller: Reader,
    query: Annotated[ProgressQuery, Query()],
    repository: Repository,
    access: BookAccessOf,
    cataloguing: CataloguingOf,
) -> Response:
    """All budgets of a book: what each may spend in its current period, with what it took over, and what was spent.

    Nothing of it is stored: the carry is folded from the first period on, at each call.
    """
    del caller
    book = await access.find(query.user_id, query.organization_id)
    read_concerns(request, user_id=book.owner.user_id)
    return JsonBytes(
        await repository.progress(book.book_id, query.on, await cataloguing.catch_up(book.book_id))
    )


@_route(
    "GET",
    "/{budget_id}",
    "Read a budget",
    response_model=Budget,
    responses={200: {"headers": ETAG}, **problems(*READS, *_BY_ID)},
)
async def get_budget(
    request: Request, caller: Reader, budget_id: BudgetInPath, repository: Repository, access: BookAccessOf
) -> Response:
    """`ETag` is for `If-Match` of a change. Budgets of others' books are not found."""
    del caller
    found, book = await _find(budget_id, repository, access)
    read_concerns(request, user_id=book.owner.user_id)
    return versioned_response(found)


@_route(
    "PUT",
    "/{budget_id}",
    "Set a budget",
    response_model=Budget,
    responses={200: {"headers": ETAG}, **problems(*WRITES, *_BY_ID, *_VALUES, VersionMismatch)},
)
async def set_budget(
    caller: Writer,
    budget_id: BudgetInPath,
    request: BudgetPut,
    repository: Repository,
    access: BookAccessOf,
    if_match: IfMatch = None,
) -> Response:
    """Set all of a budget. Members that are absent get their defaults.

    Earlier periods are then those of the new values, too. With a higher amount, tiers that are not reached any more can
    be reached again. With `If-Match`, a budget that has changed since is refused as `version_mismatch`.
    """
    del caller
    _, book = await _find(budget_id, repository, access)
    version = version_of(if_match, "a budget")
    changed = await repository.replace(str(budget_id), book.book_id, version, request.model_dump(mode="json"))
    await repository.check(book.book_id)
    return versioned_response(changed)


@_route(
    "DELETE",
    "/{budget_id}",
    "Delete a budget",
    status_code=204,
    response_class=Response,
    responses=problems(*READS, *_BY_ID, VersionMismatch, WalletBusy),
)
async def delete_budget(
    caller: Writer,
    budget_id: BudgetInPath,
    repository: Repository,
    access: BookAccessOf,
    if_match: IfMatch = None,
) -> Response:
    """Delete a budget with its alerts. Nothing else changes."""
    del caller
    _, book = await _find(budget_id, repository, access)
    await repository.delete(str(budget_id), book.book_id, version_of(if_match, "a budget"))
    return Response(status_code=204)


@_route(
    "GET",
    "/{budget_id}/details",
    "Read the figures of a budget",
    response_model=BudgetDetails,
    responses=problems(*READS, *_BY_ID),
)
async def get_budget_details(
    request: Request,
    caller: Reader,
    budget_id: BudgetInPath,
    repository: Repository,
    access: BookAccessOf,
    cataloguing: CataloguingOf,
    on: OnDay = None,
) -> Response:
    """A budget in its current period: progress, pace, what its items have spent, and up to 12 earlier periods."""
    del caller
    _, book = await _find(budget_id, repository, access)
    read_concerns(request, user_id=book.owner.user_id)
    return JsonBytes(await repository.details(str(budget_id), on, await cataloguing.catch_up(book.book_id)))


async def _find(budget_id: UUID, repository: BudgetRepository, access: BookAccess) -> tuple[bytes, KnownBook]:
    """A budget that the caller may see, and its book.

    Raises:
        BudgetNotFound: there is none, or the caller may not see its book.
    """
    found = await repository.get(str(budget_id))
    try:
        book = await access.require(json.loads(found)["book_id"])
    except BookNotFound:
        raise BudgetNotFound(budget_id=str(budget_id)) from None
    return found, book
