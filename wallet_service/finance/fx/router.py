"""The routes of exchange rates."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import WalletBusy
from wallet_service.core.fields import Day
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccessOf
from wallet_service.finance.fx.repository import RatePlace, RateRepository
from wallet_service.finance.fx.room import FX_READ, FX_WRITE
from wallet_service.finance.fx.schemas import (
    Converted,
    ConvertQuery,
    RateList,
    RatePage,
    RateQuery,
    RatesPut,
)
from wallet_service.ledger.problems import AmountInvalid, AmountPrecision, CurrencyUnknown
from wallet_service.money.permissions import RATES_WRITE
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.jobs.responses import ACCEPTED, JOB, accepted
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1/fx", tags=["exchange"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(FX_READ)]
Writer = Annotated[Principal, requires(FX_WRITE, RATES_WRITE)]
Operator = Annotated[Principal, requires(RATES_WRITE)]
Repository = Annotated[RateRepository, on_database(RateRepository)]

_PLACE = TypeAdapter(tuple[Day, str, str])


@router.get(
    "/rates",
    response_model=RatePage,
    responses=problems(*READS, BookNotFound, UpstreamUnavailable),
    operation_id="list_rates",
    summary="List exchange rates",
)
async def list_rates(
    request: Request,
    caller: Reader,
    query: Annotated[RateQuery, Query()],
    repository: Repository,
    access: BookAccessOf,
) -> Response:
    """The rates of the service, or with `book_id` a book's own ones, as they are stored, the newest day first.

    Weekends and holidays have none: `GET /fx/convert` finds the rate that counts for a day.
    """
    del caller
    book_id: str | None = None
    if query.book_id is not None:
        book = await access.require(str(query.book_id))
        book_id = book.book_id
        read_concerns(request, user_id=book.owner.user_id)
    filters = query.filters()
    selection: dict[str, Any] = {"book_id": book_id, **filters}
    after = (
        None if query.cursor is None else RatePlace(*decode_cursor("rates", selection, query.cursor, _PLACE))
    )
    items, following = await repository.page(book_id, filters, after, query.limit)
    return page_response("rates", selection, items, following)


@router.put(
    "/rates",
    response_model=RateList,
    responses=problems(*WRITES, BookNotFound, AmountInvalid, WalletBusy, UpstreamUnavailable),
    operation_id="set_rates",
    summary="Set exchange rates",
)
async def set_rates(
    caller: Writer, request: RatesPut, repository: Repository, access: BookAccessOf
) -> Response:
    """Set up to 500 rates, all or none: those of the service, which needs `rates:write`, or those of a book.

    A book's own rates win in it, and nowhere else. They never price money of operating wallets. What the service's
    provider sends later does not change a rate that was set.
    """
    rates = [each.model_dump(mode="json") for each in request.rates]
    if request.book_id is None:
        caller.require(RATES_WRITE)
        return JsonBytes(await repository.put(None, rates))
    caller.require(FX_WRITE)
    book = await access.require(str(request.book_id))
    return JsonBytes(await repository.put(book.book_id, rates))


@router.post(
    "/rates/refresh",
    status_code=202,
    response_model=JOB,
    responses={**ACCEPTED, **problems(*WRITES, WalletBusy)},
    operation_id="refresh_rates",
    summary="Refresh exchange rates",
)
async def refresh_rates(caller: Operator, request: Request) -> Response:
    """Store the newest rates of the provider (`WALLET_FX_URL`), as a job of the type `refresh_rates`.

    The history of the European Central Bank that comes with the package is stored first, where it is missing. The job's
    `result` counts the days and rates that are new.
    """
    return accepted(await request.app.state.jobs.enqueue("refresh_rates", caller=caller))


@router.get(
    "/convert",
    response_model=Converted,
    responses=problems(
        *READS, BookNotFound, CurrencyUnknown, AmountInvalid, AmountPrecision, UpstreamUnavailable
    ),
    operation_id="convert_amount",
    summary="Convert an amount, without posting",
)
async def convert_amount(
    request: Request,
    caller: Reader,
    query: Annotated[ConvertQuery, Query()],
    repository: Repository,
    access: BookAccessOf,
) -> Response:
    """What an amount is worth in another currency on a day. No spread is taken.

    The rate is found direct, inverse, or by way of the euro: the newest one of at most five days before the day
    (`WALLET_FX_MAX_AGE_DAYS`). While no newer one has come, it may be 45 days older than today
    (`WALLET_FX_STALE_AGE_DAYS`), and is `stale`. Without a rate, `converted` is null: nothing takes 1 for it.
    """
    del caller
    book_id: str | None = None
    if query.book_id is not None:
        book = await access.require(str(query.book_id))
        book_id = book.book_id
        read_concerns(request, user_id=book.owner.user_id)
    return JsonBytes(await repository.convert(book_id, query.from_, query.to, query.amount, query.day))
