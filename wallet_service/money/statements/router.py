"""The routes that read the ledger: transactions, histories, balances."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.core.fields import Timestamp
from wallet_service.ledger.problems import AmountInvalid, TransactionNotFound
from wallet_service.money.callers import WalletReader
from wallet_service.money.parameters import TransactionInPath, UserInPath, WalletInPath
from wallet_service.money.schemas import Transaction
from wallet_service.money.statements.repository import Page, Position, StatementRepository
from wallet_service.money.statements.schemas import Balance, BalanceQuery, HistoryQuery, TransactionPage
from wallet_service.money.statements.seen import seen_posting
from wallet_service.money.statements.statement import PAGE_ROWS, csv_chunks, wants_csv
from wallet_service.platform.membership.access import CallerAccessOf
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, problems
from wallet_service.platform.web.pagination import BigInt, decode_cursor, page_response
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["statements"], route_class=StrictRoute)

_WALLET_POSITION = TypeAdapter(tuple[BigInt])
_USER_POSITION = TypeAdapter(tuple[Timestamp, UUID, BigInt])

_HISTORY: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "headers": {"Vary": {"description": "`Accept`", "schema": {"type": "string"}}},
    },
    **problems(*READS, WalletNotFound, AmountInvalid, UpstreamUnavailable),
}
_AS_CSV = (
    " With filters a page may be short, even empty, and not be the last: follow `next_cursor`."
    " With `Accept: text/csv` the response is the whole statement from the cursor on, and `limit` has no effect."
    " Text of callers that a spreadsheet would run as a formula has an apostrophe before it."
)

_VARY = {"Vary": "Accept"}

Repository = Annotated[StatementRepository, on_database(StatementRepository)]


@router.get(
    "/transactions/{transaction_id}",
    response_model=Transaction,
    responses=problems(*READS, TransactionNotFound, UpstreamUnavailable),
    operation_id="get_transaction",
    summary="Read a transaction",
)
async def get_transaction(
    caller: WalletReader, transaction_id: TransactionInPath, repository: Repository, access: CallerAccessOf
) -> Response:
    """A posting by its transaction id.

    A user token reads the postings that have a leg on a wallet of its user; others are `transaction_not_found`.
    """
    found = await repository.transaction(str(transaction_id), caller.user_id)
    if access.restricted is not None:
        seen = await seen_posting(access.restricted, found)
        if seen is None:
            raise TransactionNotFound(transaction_id=str(transaction_id))
        return JsonBytes(seen)
    if access.checks:
        posted = json.loads(found)
        for leg in posted["legs"] or [posted]:
            await access.check(leg["wallet_id"])
    return JsonBytes(found)


@router.get(
    "/wallets/{wallet_id}/balance",
    response_model=Balance,
    responses=problems(*READS, WalletNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="get_wallet_balance",
    summary="Read a wallet's balance",
)
async def get_balance(
    caller: WalletReader,
    wallet_id: WalletInPath,
    query: Annotated[BalanceQuery, Query()],
    repository: Repository,
) -> Response:
    """The balance now, or with `at` at a past moment, in units of the wallet's currency.

    The balance at a past moment includes every posting up to that moment and never changes. `locked_balance`,
    `available_balance` and `credit_limit` have no history: with `at` they are null. When a posting is under way that
    could still change the result, the request waits for it; after 2 seconds it is refused as `wallet_busy`.
    """
    return JsonBytes(await repository.balance(str(wallet_id), caller.user_id, query.at, query.by))


@router.get(
    "/wallets/{wallet_id}/transactions",
    response_model=TransactionPage,
    responses=_HISTORY,
    operation_id="list_wallet_transactions",
    summary="List a wallet's transactions",
    description="The entries of the wallet, newest first by posting time, or with `by=effective` by effective time."
    + _AS_CSV,
)
async def list_wallet_transactions(
    request: Request,
    caller: WalletReader,
    wallet_id: WalletInPath,
    query: Annotated[HistoryQuery, Query()],
    repository: Repository,
) -> Response:
    """The entries of a wallet."""
    name, filters = str(wallet_id), query.filters()
    selection = {"wallet_id": name, **filters, **_order(query)}
    before: Position | None = None
    if query.cursor is not None and query.by == "effective":
        at, _, version = decode_cursor("wallet_transactions", selection, query.cursor, _USER_POSITION)
        before = (at, name, version)
    elif query.cursor is not None:
        before = (
            "",
            name,
            decode_cursor("wallet_transactions", selection, query.cursor, _WALLET_POSITION)[0],
        )

    async def read(position: Position | None, limit: int) -> Page:
        return await repository.wallet_page(name, caller.user_id, filters, query.by, position, limit)

    async def read_next(position: Position) -> Page:
        return await read(position, PAGE_ROWS)

    if wants_csv(request.headers.get("accept", "")):
        return _statement(await read(before, PAGE_ROWS), read_next, f"wallet-{name}.csv")
    page = await read(before, query.limit)
    following = page.position if page.position is None or query.by == "effective" else page.position[2:]
    return page_response("wallet_transactions", selection, page.items, following, _VARY)


@router.get(
    "/users/{user_id}/transactions",
    response_model=TransactionPage,
    responses=_HISTORY,
    operation_id="list_user_transactions",
    summary="List a user's transactions",
    description="The entries of all wallets of the user, newest first by posting time, or with `by=effective` by"
    " time." + _AS_CSV,
)
async def list_user_transactions(
    request: Request,
    caller: WalletReader,
    user_id: UserInPath,
    query: Annotated[HistoryQuery, Query()],
    repository: Repository,
    access: CallerAccessOf,
) -> Response:
    """The entries of all wallets of a user."""
    caller.require_user(user_id)
    visibility = access.visibility()
    filters = query.filters()
    selection = {"user_id": user_id, **filters, **_order(query)}
    before: Position | None = None
    if query.cursor is not None:
        at, wallet_id, version = decode_cursor("user_transactions", selection, query.cursor, _USER_POSITION)
        before = (at, str(wallet_id), version)

    async def read(position: Position | None, limit: int) -> Page:
        return await repository.user_page(
            user_id, caller.user_id, filters, query.by, position, limit, visibility
        )

    async def read_next(position: Position) -> Page:
        return await read(position, PAGE_ROWS)

    if wants_csv(request.headers.get("accept", "")):
        return _statement(await read(before, PAGE_ROWS), read_next, "user-statement.csv")
    page = await read(before, query.limit)
    return page_response("user_transactions", selection, page.items, page.position, _VARY)


def _order(query: HistoryQuery) -> dict[str, str]:
    """What a cursor depends on beside the filters. Cursors by posting time are as they were before there were others."""
    return {} if query.by == "posted" else {"by": query.by}


def _statement(first: Page, read_next: Callable[[Position], Awaitable[Page]], filename: str) -> Response:
    # The first page is read before the status is sent, so refusals are problems. A later failure breaks the
    # connection, so that the client can't mistake a part for the whole statement.
    return StreamingResponse(
        csv_chunks(first, read_next),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{filename}"', "Vary": "Accept"},
    )
