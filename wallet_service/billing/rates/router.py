"""The routes of usage."""

import json
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.billing.grants.problems import GrantsNotUsable
from wallet_service.billing.rates.list_schemas import (
    MOST_GROUPS,
    UsageEventsQuery,
    UsagePage,
    UsageTotals,
    UsageTotalsQuery,
)
from wallet_service.billing.rates.problems import (
    MeterNotFound,
    PriceNotFound,
    TimestampRefused,
    UsageEventConflict,
    UsageNotFound,
)
from wallet_service.billing.rates.repository import UsageRepository
from wallet_service.billing.rates.room import USAGE_READ
from wallet_service.billing.rates.schemas import Usage, UsageAnswer, UsageBatch
from wallet_service.billing.rates.service import UsageService
from wallet_service.billing.spending_limits.problems import LimitExceeded
from wallet_service.core.errors import ValidationFailed, WalletBusy, WalletNotFound
from wallet_service.ledger.outcomes import Outcome, Posted, Refused
from wallet_service.ledger.problems import (
    AmountInvalid,
    BalanceLimit,
    BatchAborted,
    InsufficientFunds,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
)
from wallet_service.money.callers import UsageWriter
from wallet_service.money.parameters import WalletInPath
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.membership.access import CallerAccessOf
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.idempotency import REPLAYED
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, encode_cursor, page_response
from wallet_service.platform.web.problems import problem_document, problem_response, request_id_of
from wallet_service.platform.web.query import BoolInQuery
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["usage"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(USAGE_READ)]
Repository = Annotated[UsageRepository, on_database(UsageRepository)]

# The service reads it, since it has one of two forms. Their schemas are those of a batch.
UnreadBody = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/UsageEvent"})]

_POSITION = TypeAdapter(tuple[UUID])
_GROUP = TypeAdapter(list[str])
_REPORTS = (
    *WRITES,
    *KEYED,
    WalletNotFound,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
    WalletBusy,
    MeterNotFound,
    PriceNotFound,
    TimestampRefused,
    UsageEventConflict,
    AmountInvalid,
    BalanceLimit,
    InsufficientFunds,
    GrantsNotUsable,
    LimitExceeded,
    TransactionSuperseded,
    UpstreamUnavailable,
)


@router.post(
    "/usage",
    status_code=201,
    response_model=Usage,
    responses={
        200: {
            "model": Usage,
            "description": "The result of a dry run. Nothing was kept.",
        },
        201: {
            "description": "The event is accepted, by this request or by an earlier one with the same event.",
            "headers": created_headers("usage"),
        },
        **problems(*_REPORTS),
    },
    operation_id="report_usage",
    openapi_extra={
        "requestBody": {
            "content": {
                "application/cloudevents+json": {"schema": {"$ref": "#/components/schemas/UsageCloudEvent"}}
            }
        },
    },
    summary="Report usage",
)
async def report_usage(
    http_request: Request,
    caller: UsageWriter,
    request: UnreadBody,
    repository: Repository,
    dry_run: Annotated[BoolInQuery, Query(description="Price the event; keep and post nothing.")] = False,
) -> Response:
    """An event of usage, as a simple object or as a CloudEvent: it is priced, and posted as `consume`.

    An event counts once, for ever: its id within its source is its idempotency key. An event that costs nothing is
    recorded without a posting. A refused event does not count, and can be sent again.
    """
    transactions = TransactionService.of_request(http_request, caller)
    outcome = await UsageService(transactions, repository, caller).report(request, dry_run=dry_run)
    document = outcome.result or b"null"
    if outcome.dry_run:
        return JsonBytes(document)
    location = f"/api/v1/usage/{json.loads(document)['usage_id']}"
    return created_response(document, location, replayed=outcome.replayed)


@router.post(
    "/usage/batch",
    response_model=UsageAnswer,
    responses={200: {"headers": REPLAYED}, **problems(*_REPORTS, BatchAborted)},
    operation_id="report_usage_batch",
    summary="Report a batch of 1 to 500 events of usage",
)
async def report_usage_batch(
    http_request: Request, caller: UsageWriter, request: UsageBatch, repository: Repository
) -> Response:
    """An outcome for each event, in order; each event as in a single request.

    With `atomic` all are accepted or none: the first refusal is the answer, with its `index`, and in `results` the
    others are `batch_aborted`.
    """
    transactions = TransactionService.of_request(http_request, caller)
    service = UsageService(transactions, repository, caller)
    outcomes = await service.report_each(request.events, atomic=request.atomic, dry_run=request.dry_run)
    if request.atomic and any(isinstance(each, Refused) for each in outcomes):
        return _refused_whole(outcomes, request_id_of(http_request))
    headers: dict[str, str] = {}
    if all(isinstance(each, Posted) and each.replayed for each in outcomes):
        headers["Idempotency-Replayed"] = "true"
    return JsonBytes(b'{"results":[' + b",".join(map(_result, outcomes)) + b"]}", headers=headers)


def _result(outcome: Outcome) -> bytes:
    if isinstance(outcome, Refused):
        return json.dumps(_refused_result(outcome)).encode()
    replayed = b"true" if outcome.replayed else b"false"
    return b'{"status":"accepted","replayed":' + replayed + b',"usage":' + (outcome.result or b"null") + b"}"


def _refused_result(outcome: Refused) -> dict[str, Any]:
    return {"status": "refused", "problem": problem_document(outcome.error)}


def _refused_whole(outcomes: list[Outcome], request_id: str | None) -> Response:
    refusals = [each for each in outcomes if isinstance(each, Refused)]
    first = next((each for each in refusals if not isinstance(each.error, BatchAborted)), refusals[0])
    results = [_refused_result(each) for each in refusals]
    first.error.facts = {**first.error.facts, "index": outcomes.index(first), "results": results}
    return problem_response(first.error, request_id)


@router.get(
    "/usage/{usage_id}",
    response_model=Usage,
    responses=problems(*READS, UsageNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="get_usage",
    summary="Read an event of usage",
)
async def get_usage(
    request: Request,
    caller: Reader,
    usage_id: Annotated[UUID, Path(description="The id of the usage, or of its transaction.")],
    repository: Repository,
    access: CallerAccessOf,
) -> Response:
    """An event with its rating: how the amount of its transaction came about."""
    found = await repository.get(str(usage_id), caller.user_id)
    wallet_id: str = json.loads(found)["wallet_id"]
    try:
        await access.check(wallet_id)
    except WalletNotFound:
        raise UsageNotFound(usage_id=str(usage_id)) from None
    read_concerns(request, wallet_id=wallet_id)
    return JsonBytes(found)


@router.get(
    "/wallets/{wallet_id}/usage/events",
    response_model=UsagePage,
    responses=problems(*READS, WalletNotFound, UpstreamUnavailable),
    operation_id="list_usage_events",
    summary="List the usage of a wallet",
)
async def list_usage_events(
    caller: Reader,
    wallet_id: WalletInPath,
    query: Annotated[UsageEventsQuery, Query()],
    repository: Repository,
) -> Response:
    """The events of the wallet in the order in which they were accepted, newest first."""
    selection = {"wallet_id": str(wallet_id), "meter": query.meter}
    after = (
        None
        if query.cursor is None
        else str(decode_cursor("usage_events", selection, query.cursor, _POSITION)[0])
    )
    items, following = await repository.page(str(wallet_id), caller.user_id, query.meter, after, query.limit)
    return page_response("usage_events", selection, items, following and [following])


@router.get(
    "/wallets/{wallet_id}/usage",
    response_model=UsageTotals,
    responses=problems(*READS, WalletNotFound, UpstreamUnavailable),
    operation_id="get_usage_totals",
    summary="Sum the usage of a wallet",
)
async def get_usage_totals(
    caller: Reader,
    wallet_id: WalletInPath,
    query: Annotated[UsageTotalsQuery, Query()],
    repository: Repository,
) -> Response:
    """What the wallet used, by meter, day, month and dimensions. Days are those of the rate card's time zone."""
    names = query.group_by.split(",")
    if len(set(names)) < len(names) or len(names) > MOST_GROUPS:
        raise _refused("/group_by", "names a group twice", "group_repeated")
    for pointer, text in (("/from", query.from_), ("/to", query.to)):
        _check_day(text, pointer)
    days = (query.from_, query.to)
    selection = {"wallet_id": str(wallet_id), "meter": query.meter, "days": days, "group_by": names}
    after = None if query.cursor is None else decode_cursor("usage", selection, query.cursor, _GROUP)
    document, following = await repository.totals(
        str(wallet_id), caller.user_id, days, names, query.meter, after, query.limit
    )
    cursor = None if following is None else encode_cursor("usage", selection, following)
    return JsonBytes(document[:-1] + b',"next_cursor":' + json.dumps(cursor).encode() + b"}")


def _check_day(text: str | None, pointer: str) -> None:
    try:
        if text is not None:
            date.fromisoformat(text)
    except ValueError:
        raise _refused(pointer, "there is no such day", "timestamp_invalid") from None


def _refused(pointer: str, detail: str, code: str) -> ValidationFailed:
    return ValidationFailed(errors=[{"in": "query", "pointer": pointer, "detail": detail, "code": code}])
