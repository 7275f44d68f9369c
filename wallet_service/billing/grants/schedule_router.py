"""The routes of schedules of grants."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.billing.grants.problems import GrantScheduleLimit, GrantScheduleNotFound
from wallet_service.billing.grants.repository import ScheduleRepository
from wallet_service.billing.grants.room import GRANTS_READ, GRANTS_WRITE
from wallet_service.billing.grants.schedule_schemas import (
    GrantSchedule,
    GrantScheduleCreate,
    GrantSchedulePatch,
    GrantSchedules,
)
from wallet_service.billing.grants.service import ScheduleService
from wallet_service.billing.grants.settings import GrantsSettings
from wallet_service.core.errors import VersionMismatch, WalletBusy, WalletNotFound
from wallet_service.ledger.problems import AmountInvalid, AmountPrecision, WalletClosed, WalletMirrored
from wallet_service.money.parameters import WalletInPath
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.etag import ETAG, IfMatch, etag_of, version_of, versioned_response
from wallet_service.platform.web.idempotency import HeaderKey, chosen_key
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(
    prefix="/api/v1/wallets/{wallet_id}/grant-schedules", tags=["grants"], route_class=StrictRoute
)

Reader = Annotated[Principal, requires(GRANTS_READ)]
Writer = Annotated[Principal, requires(GRANTS_WRITE)]
Repository = Annotated[ScheduleRepository, on_database(ScheduleRepository)]
ScheduleInPath = Annotated[UUID, Path(description="The schedule's id.")]

_WHAT = "a grant schedule"
_OF_WALLET = (WalletNotFound, WalletBusy, UpstreamUnavailable)
_CHANGES = (*_OF_WALLET, GrantScheduleNotFound, VersionMismatch, WalletClosed)


async def _schedules(request: Request, caller: Writer, repository: Repository) -> ScheduleService:
    transactions = TransactionService.of_request(request, caller)
    settings = request.app.state.settings[GrantsSettings]
    return ScheduleService(repository, transactions, settings, caller.client_id)


Schedules = Annotated[ScheduleService, Depends(_schedules)]


@router.post(
    "",
    status_code=201,
    response_model=GrantSchedule,
    responses={
        201: {"headers": ETAG | created_headers("schedule")},
        **problems(
            *WRITES,
            *KEYED,
            *_OF_WALLET,
            WalletClosed,
            WalletMirrored,
            AmountInvalid,
            AmountPrecision,
            GrantScheduleLimit,
        ),
    },
    operation_id="create_grant_schedule",
    summary="Grant credits each month",
)
async def create_grant_schedule(
    wallet_id: WalletInPath, request: GrantScheduleCreate, schedules: Schedules, header_key: HeaderKey
) -> Response:
    """Grant credits at the begin of each month, or on another day of it; each period exactly once, by itself.

    The credits of a period end with it, and `rollover` decides what becomes of the rest. A wallet has at most 20
    schedules.
    """
    key = chosen_key(header_key, request.idempotency_key)
    created = await schedules.create(str(wallet_id), request, key)
    schedule: dict[str, Any] = json.loads(created.document)
    return created_response(
        created.document,
        f"/api/v1/wallets/{wallet_id}/grant-schedules/{schedule['schedule_id']}",
        replayed=created.replayed,
        headers=etag_of(schedule),
    )


@router.get(
    "",
    response_model=GrantSchedules,
    responses=problems(*READS, *_OF_WALLET),
    operation_id="list_grant_schedules",
    summary="List the grant schedules of a wallet",
)
async def list_grant_schedules(caller: Reader, wallet_id: WalletInPath, repository: Repository) -> Response:
    """The schedules of the wallet, oldest first, those that have ended too."""
    return JsonBytes(await repository.all(str(wallet_id), caller.user_id))


@router.get(
    "/{schedule_id}",
    response_model=GrantSchedule,
    responses={200: {"headers": ETAG}, **problems(*READS, *_OF_WALLET, GrantScheduleNotFound)},
    operation_id="get_grant_schedule",
    summary="Read a grant schedule",
)
async def get_grant_schedule(
    caller: Reader, wallet_id: WalletInPath, schedule_id: ScheduleInPath, repository: Repository
) -> Response:
    """The schedule, and when its next period begins. `ETag` is for `If-Match` of a change."""
    return versioned_response(await repository.get(str(wallet_id), str(schedule_id), caller.user_id))


@router.patch(
    "/{schedule_id}",
    response_model=GrantSchedule,
    responses={200: {"headers": ETAG}, **problems(*WRITES, *_CHANGES, AmountInvalid, AmountPrecision)},
    operation_id="update_grant_schedule",
    summary="Change a grant schedule",
)
async def update_grant_schedule(
    wallet_id: WalletInPath,
    schedule_id: ScheduleInPath,
    request: GrantSchedulePatch,
    schedules: Schedules,
    if_match: IfMatch = None,
) -> Response:
    """Change a schedule by a merge patch (RFC 7396), for the periods that begin later. Members that are absent stay.

    Periods that have begun before are granted as the schedule was. `ends_at` stops it; if it is set back later, what was
    missed is not granted. The day, the time zone, the source and the counter account stay: for others, create another
    schedule. With `If-Match`, a schedule that has changed since is refused as `version_mismatch`.
    """
    changes = request.model_dump(mode="json", include=request.model_fields_set)
    return versioned_response(
        await schedules.update(str(wallet_id), str(schedule_id), version_of(if_match, _WHAT), changes)
    )


@router.delete(
    "/{schedule_id}",
    status_code=204,
    response_class=Response,
    responses=problems(*READS, *_CHANGES),
    operation_id="delete_grant_schedule",
    summary="Delete a grant schedule",
)
async def delete_grant_schedule(
    wallet_id: WalletInPath, schedule_id: ScheduleInPath, schedules: Schedules, if_match: IfMatch = None
) -> Response:
    """Delete a schedule: nothing more is granted. Its grants stay until they end, and nothing of them is carried over."""
    await schedules.delete(str(wallet_id), str(schedule_id), version_of(if_match, _WHAT))
    return Response(status_code=204)
