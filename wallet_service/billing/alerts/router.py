"""The routes of alerts and burn rates."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from wallet_service.billing.alerts.problems import AlertLimit, AlertNotFound, AlertNotOwn
from wallet_service.billing.alerts.repository import AlertRepository
from wallet_service.billing.alerts.room import ALERTS_READ, ALERTS_WRITE
from wallet_service.billing.alerts.schemas import Alert, AlertCreate, AlertPage, AlertPatch, BurnRate
from wallet_service.billing.alerts.text import burn_rate_text
from wallet_service.core.errors import VersionMismatch, WalletBusy, WalletNotFound
from wallet_service.ledger.problems import AmountInvalid, AmountPrecision, WalletClosed
from wallet_service.money.parameters import WalletInPath
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.accept import accepts
from wallet_service.platform.web.body import StrictRoute
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

router = APIRouter(prefix="/api/v1/wallets/{wallet_id}", tags=["alerts"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(ALERTS_READ)]
Writer = Annotated[Principal, requires(ALERTS_WRITE)]
Repository = Annotated[AlertRepository, on_database(AlertRepository)]
AlertInPath = Annotated[UUID, Path(description="The alert's id.")]

_ID = TypeAdapter(tuple[UUID])
_READ = (*READS, WalletNotFound, WalletBusy, UpstreamUnavailable)
_WRITE = (WalletNotFound, WalletClosed, WalletBusy, UpstreamUnavailable)
_VARY = {"Vary": "Accept"}
_BURN: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/plain": {"schema": {"type": "string"}}},
        "headers": {"Vary": {"description": "`Accept`", "schema": {"type": "string"}}},
    },
    **problems(*_READ),
}


@router.post(
    "/alerts",
    status_code=201,
    response_model=Alert,
    responses={
        201: {"headers": ETAG | created_headers("alert")},
        **problems(*WRITES, *KEYED, *_WRITE, AlertLimit, AmountInvalid, AmountPrecision),
    },
    operation_id="create_alert",
    summary="Create an alert",
)
async def create_alert(
    caller: Writer, wallet_id: WalletInPath, request: AlertCreate, repository: Repository, key: HeaderKey
) -> Response:
    """A line of the wallet's available balance: an amount, or a percentage of what was granted.

    Each crossing is an event.

    A user token sets an alert of the owner, an API key one of the operator. The alert has the state of the balance as it
    is; for a balance that is below already, there is no event.
    """
    alert = request.model_dump(exclude_none=True)
    created = await repository.create(caller.client_id, key, str(wallet_id), caller.user_id, alert)
    found: dict[str, Any] = json.loads(created.document)
    return created_response(
        created.document,
        f"/api/v1/wallets/{wallet_id}/alerts/{found['alert_id']}",
        replayed=created.replayed,
        headers=etag_of(found),
    )


@router.get(
    "/alerts",
    response_model=AlertPage,
    responses=problems(*_READ),
    operation_id="list_alerts",
    summary="List the alerts of a wallet",
)
async def list_alerts(
    caller: Reader,
    wallet_id: WalletInPath,
    repository: Repository,
    cursor: CursorText = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """The alerts of the operator and of the owner with their states, newest first."""
    selection = {"wallet_id": str(wallet_id)}
    after = None if cursor is None else str(decode_cursor("alerts", selection, cursor, _ID)[0])
    items, following = await repository.page(str(wallet_id), caller.user_id, after, limit)
    return page_response("alerts", selection, items, following and [following])


@router.get(
    "/alerts/{alert_id}",
    response_model=Alert,
    responses={200: {"headers": ETAG}, **problems(*_READ, AlertNotFound)},
    operation_id="get_alert",
    summary="Read an alert",
)
async def get_alert(
    caller: Reader, wallet_id: WalletInPath, alert_id: AlertInPath, repository: Repository
) -> Response:
    """The alert with its state. `ETag` is for `If-Match` of a change."""
    return versioned_response(await repository.get(str(wallet_id), str(alert_id), caller.user_id))


@router.patch(
    "/alerts/{alert_id}",
    response_model=Alert,
    responses={
        200: {"headers": ETAG},
        **problems(
            *WRITES, *_WRITE, AlertNotFound, AlertNotOwn, VersionMismatch, AmountInvalid, AmountPrecision
        ),
    },
    operation_id="update_alert",
    summary="Change an alert",
)
async def update_alert(
    caller: Writer,
    wallet_id: WalletInPath,
    alert_id: AlertInPath,
    request: AlertPatch,
    repository: Repository,
    if_match: IfMatch = None,
) -> Response:
    """Change name, threshold or hysteresis by a merge patch (RFC 7396). Members that are absent stay.

    The alert gets the state of the balance as it is, without an event of a crossing. With `If-Match`, an alert that has
    changed since is refused as `version_mismatch`.
    """
    changes = request.model_dump(include=request.model_fields_set)
    version = version_of(if_match, "an alert")
    return versioned_response(
        await repository.update(str(wallet_id), str(alert_id), caller.user_id, version, changes)
    )


@router.delete(
    "/alerts/{alert_id}",
    status_code=204,
    response_class=Response,
    responses=problems(*_READ, AlertNotFound, AlertNotOwn, VersionMismatch),
    operation_id="delete_alert",
    summary="Delete an alert",
)
async def delete_alert(
    caller: Writer,
    wallet_id: WalletInPath,
    alert_id: AlertInPath,
    repository: Repository,
    if_match: IfMatch = None,
) -> Response:
    """Delete an alert of the caller's side, also of a closed wallet."""
    await repository.delete(str(wallet_id), str(alert_id), caller.user_id, version_of(if_match, "an alert"))
    return Response(status_code=204)


@router.get(
    "/burn-rate",
    response_model=BurnRate,
    responses=_BURN,
    operation_id="get_burn_rate",
    summary="Read how fast a wallet is spent",
)
async def get_burn_rate(
    request: Request, caller: Reader, wallet_id: WalletInPath, repository: Repository
) -> Response:
    """What was spent in the last hour, 24 hours and 7 days, net of refunds, and when the wallet is empty at that rate.

    From the totals of statistics, so it costs the same for any number of entries. With `Accept: text/plain` the response
    is a text for people.
    """
    found = await repository.burn_rate(str(wallet_id), caller.user_id)
    if accepts(request.headers.get("accept", ""), "text/plain"):
        return PlainTextResponse(burn_rate_text(json.loads(found)), headers=_VARY)
    return JsonBytes(found, headers=_VARY)
