"""The routes of meters and rate cards."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.billing.rates.card_schemas import (
    Meter,
    MeterCreate,
    MeterPage,
    MeterQuery,
    RateCard,
    RateCardCreate,
    RateCardEnd,
    RateCardPage,
    RateCardQuery,
    RateVersion,
    RateVersionCreate,
)
from wallet_service.billing.rates.problems import (
    MeterExists,
    MeterNotFound,
    RateCardEnded,
    RateCardNotFound,
    RateCardOverlap,
    RateVersionLimit,
    RateVersionOverlap,
)
from wallet_service.billing.rates.repository import RateRepository
from wallet_service.billing.rates.room import RATES_READ, RATES_WRITE
from wallet_service.billing.rates.schemas import MeterName
from wallet_service.billing.rates.settings import RatesSettings
from wallet_service.core.errors import WalletBusy
from wallet_service.ledger.problems import AmountInvalid
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.query import DIGITS
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["rates"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(RATES_READ)]
Writer = Annotated[Principal, requires(RATES_WRITE)]
Repository = Annotated[RateRepository, on_database(RateRepository)]
CardInPath = Annotated[UUID, Path(description="The rate card's id.")]

_NAME = TypeAdapter(tuple[MeterName])
_POSITION = TypeAdapter(tuple[UUID])
_CHANGES = (*WRITES, *KEYED, WalletBusy)


@router.post(
    "/meters",
    status_code=201,
    response_model=Meter,
    responses={201: {"headers": created_headers("meter")}, **problems(*_CHANGES, MeterExists)},
    operation_id="create_meter",
    summary="Create a meter",
)
async def create_meter(
    http_request: Request, caller: Writer, request: MeterCreate, repository: Repository, key: HeaderKey
) -> Response:
    """What is measured: its name, the dimensions of its events, and the account against which usage is posted."""
    settings = http_request.app.state.settings[RatesSettings]
    definition = {"max_age_s": settings.max_age_s} | request.model_dump(exclude_none=True)
    created = await repository.create_meter(caller.client_id, key, definition)
    return created_response(created.document, f"/api/v1/meters/{request.meter}", replayed=created.replayed)


@router.get(
    "/meters",
    response_model=MeterPage,
    responses=problems(*READS),
    operation_id="list_meters",
    summary="List the meters",
)
async def list_meters(
    _caller: Reader, query: Annotated[MeterQuery, Query()], repository: Repository
) -> Response:
    """The meters by name."""
    after = None if query.cursor is None else decode_cursor("meters", {}, query.cursor, _NAME)[0]
    items, following = await repository.list_meters(after, query.limit)
    return page_response("meters", {}, items, following and [following])


@router.get(
    "/meters/{meter}",
    response_model=Meter,
    responses=problems(*READS, MeterNotFound),
    operation_id="get_meter",
    summary="Read a meter",
)
async def get_meter(
    _caller: Reader,
    meter: Annotated[MeterName, Path(description="The meter's name.")],
    repository: Repository,
) -> Response:
    """A meter."""
    return JsonBytes(await repository.get_meter(meter))


@router.post(
    "/rate-cards",
    status_code=201,
    response_model=RateCard,
    responses={
        201: {"headers": created_headers("rate card")},
        **problems(*_CHANGES, AmountInvalid, MeterNotFound, RateCardOverlap),
    },
    operation_id="create_rate_card",
    summary="Create a rate card",
)
async def create_rate_card(
    caller: Writer, request: RateCardCreate, repository: Repository, key: HeaderKey
) -> Response:
    """What usage of a meter costs in a currency. One rate card of a meter and a currency is in force at a time."""
    definition = request.model_dump(exclude_none=True)
    created = await repository.create_card(caller.client_id, key, definition)
    name = json.loads(created.document)["rate_card_id"]
    return created_response(created.document, f"/api/v1/rate-cards/{name}", replayed=created.replayed)


@router.get(
    "/rate-cards",
    response_model=RateCardPage,
    responses=problems(*READS),
    operation_id="list_rate_cards",
    summary="List the rate cards",
)
async def list_rate_cards(
    _caller: Reader, query: Annotated[RateCardQuery, Query()], repository: Repository
) -> Response:
    """The rate cards, newest first, those that have ended too; without their prices."""
    selection = {"meter": query.meter, "currency": query.currency}
    after = (
        None
        if query.cursor is None
        else str(decode_cursor("rate_cards", selection, query.cursor, _POSITION)[0])
    )
    items, following = await repository.list_cards(query.meter, query.currency, after, query.limit)
    return page_response("rate_cards", selection, items, following and [following])


@router.get(
    "/rate-cards/{rate_card_id}",
    response_model=RateCard,
    responses=problems(*READS, RateCardNotFound),
    operation_id="get_rate_card",
    summary="Read a rate card",
)
async def get_rate_card(_caller: Reader, rate_card_id: CardInPath, repository: Repository) -> Response:
    """A rate card with the prices of its newest version."""
    return JsonBytes(await repository.get_card(str(rate_card_id)))


@router.get(
    "/rate-cards/{rate_card_id}/versions/{version}",
    response_model=RateVersion,
    responses=problems(*READS, RateCardNotFound),
    operation_id="get_rate_version",
    summary="Read a version of a rate card",
)
async def get_rate_version(
    _caller: Reader,
    rate_card_id: CardInPath,
    version: Annotated[int, Field(ge=1, le=1_000_000), DIGITS, Path(description="The version's number.")],
    repository: Repository,
) -> Response:
    """A version with its prices, by which an event of usage was rated."""
    return JsonBytes(await repository.get_version(str(rate_card_id), version))


@router.post(
    "/rate-cards/{rate_card_id}/versions",
    status_code=201,
    response_model=RateCard,
    responses={
        201: {"headers": created_headers("version")},
        **problems(
            *_CHANGES, AmountInvalid, RateCardNotFound, RateCardEnded, RateVersionOverlap, RateVersionLimit
        ),
    },
    operation_id="add_rate_version",
    summary="Add a version to a rate card",
)
async def add_rate_version(
    caller: Writer,
    rate_card_id: CardInPath,
    request: RateVersionCreate,
    repository: Repository,
    key: HeaderKey,
) -> Response:
    """New prices from a moment on. What was rated before keeps its rating; tiers go on counting in the month."""
    definition = request.model_dump(exclude_none=True)
    created = await repository.add_version(str(rate_card_id), caller.client_id, key, definition)
    number = json.loads(created.document)["version"]
    location = f"/api/v1/rate-cards/{rate_card_id}/versions/{number}"
    return created_response(created.document, location, replayed=created.replayed)


@router.post(
    "/rate-cards/{rate_card_id}/end",
    response_model=RateCard,
    responses=problems(*WRITES, RateCardNotFound, RateCardEnded, RateCardOverlap, WalletBusy),
    operation_id="end_rate_card",
    summary="End a rate card",
)
async def end_rate_card(
    _caller: Writer, rate_card_id: CardInPath, request: RateCardEnd, repository: Repository
) -> Response:
    """Events from the end on have no price by it. An end that has not come can be moved."""
    return JsonBytes(await repository.end_card(str(rate_card_id), request.ends_at))
