"""The routes of holds."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.billing.holds.problems import HoldEnded, HoldExceeded, HoldLimit, HoldNotFound
from wallet_service.billing.holds.repository import HoldRepository
from wallet_service.billing.holds.room import HOLDS_READ, HOLDS_WRITE
from wallet_service.billing.holds.schemas import (
    CAPTURE_ENTRY,
    CAPTURED,
    HOLD,
    Capture,
    Hold,
    HoldCapture,
    HoldCreate,
    HoldExtend,
    HoldIncrease,
    HoldPage,
    HoldQuery,
    HoldVoid,
)
from wallet_service.billing.holds.service import HoldChange, HoldService
from wallet_service.billing.holds.settings import HoldsSettings
from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.core.fields import Timestamp
from wallet_service.ledger.outcomes import Posted
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    InsufficientFunds,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
)
from wallet_service.money.examples import example, transaction
from wallet_service.money.parameters import WalletInPath
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.membership.access import CallerAccessOf
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.idempotency import ATTEMPT_PARAMETERS, HeaderKey, chosen_key
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["holds"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(HOLDS_READ)]
Writer = Annotated[Principal, requires(HOLDS_WRITE)]
Repository = Annotated[HoldRepository, on_database(HoldRepository)]
HoldInPath = Annotated[UUID, Path(description="The hold's id.")]

_POSITION = TypeAdapter(tuple[Timestamp, UUID])
_WRITES = (*WRITES, *KEYED, WalletBusy, TransactionSuperseded, UpstreamUnavailable)
_CHANGES = (*_WRITES, HoldNotFound, HoldEnded)
_MONEY = (InsufficientFunds, AmountInvalid, AmountPrecision, WalletFrozen)


def _decided(
    model: type[Hold] | type[Capture], decided: Mapping[str, Any], dry_run: Mapping[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "model": model,
            "description": "The result of a dry run. Nothing was changed.",
            "content": example("dry_run", dry_run or decided),
        },
        201: {
            "description": "Done, by this request or by an earlier one with the same key.",
            "headers": created_headers("hold"),
            "content": example("done", decided),
        },
    }


def _response(outcome: Posted, hold_id: str | None = None) -> Response:
    document = outcome.result or b"null"
    name = hold_id or json.loads(document)["hold_id"]
    if outcome.transaction != b"null":
        document = b'{"hold":' + document + b',"transaction":' + outcome.transaction + b"}"
    if outcome.dry_run:
        return JsonBytes(document)
    return created_response(document, f"/api/v1/holds/{name}", replayed=outcome.replayed)


def _service(request: Request, caller: Principal) -> HoldService:
    transactions = TransactionService.of_request(request, caller)
    return HoldService(transactions, caller, request.app.state.settings[HoldsSettings])


@router.post(
    "/wallets/{wallet_id}/holds",
    status_code=201,
    response_model=Hold,
    responses={
        **_decided(Hold, HOLD),
        **problems(*_WRITES, *_MONEY, WalletNotFound, WalletClosed, WalletMirrored, HoldLimit),
    },
    operation_id="create_hold",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Place a hold",
)
async def create_hold(
    http_request: Request,
    caller: Writer,
    wallet_id: WalletInPath,
    request: HoldCreate,
    header_key: HeaderKey,
) -> Response:
    """Keep an amount of a wallet for a payment. It is locked until it is captured, voided, or expires.

    The wallet must have it available, with its credit limit. Grants that can pay `counter_account` are reserved in their
    order, and stay good for the hold though they end meanwhile.
    """
    key = chosen_key(header_key, request.idempotency_key)
    return _response(await _service(http_request, caller).place(str(wallet_id), request, key))


@router.get(
    "/wallets/{wallet_id}/holds",
    response_model=HoldPage,
    responses=problems(*READS, WalletNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="list_holds",
    summary="List the holds of a wallet",
)
async def list_holds(
    caller: Reader,
    wallet_id: WalletInPath,
    query: Annotated[HoldQuery, Query()],
    repository: Repository,
) -> Response:
    """The holds of the wallet, newest first, those that have ended too, unless `state` is given."""
    filters = query.filters()
    selection = {"wallet_id": str(wallet_id), **filters}
    before: tuple[str, str] | None = None
    if query.cursor is not None:
        moment, hold_id = decode_cursor("holds", selection, query.cursor, _POSITION)
        before = (moment, str(hold_id))
    items, following = await repository.page(str(wallet_id), caller.user_id, filters, before, query.limit)
    return page_response("holds", selection, items, following)


@router.get(
    "/holds/{hold_id}",
    response_model=Hold,
    responses=problems(*READS, HoldNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="get_hold",
    summary="Read a hold",
)
async def get_hold(
    request: Request, caller: Reader, hold_id: HoldInPath, repository: Repository, access: CallerAccessOf
) -> Response:
    """A hold with what it still keeps, and what became of the rest."""
    found = await _seen(repository, access, caller, hold_id)
    read_concerns(request, wallet_id=json.loads(found)["wallet_id"])
    return JsonBytes(found)


@router.post(
    "/holds/{hold_id}/capture",
    status_code=201,
    response_model=Capture,
    responses={
        **_decided(
            Capture,
            {"hold": CAPTURED, "transaction": transaction(CAPTURE_ENTRY)},
            {"hold": CAPTURED, "transaction": transaction(CAPTURE_ENTRY, dry_run=True)},
        ),
        **problems(*_CHANGES, *_MONEY, HoldExceeded),
    },
    operation_id="capture_hold",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Capture a hold",
)
async def capture_hold(
    http_request: Request,
    caller: Writer,
    hold_id: HoldInPath,
    request: HoldCapture,
    repository: Repository,
    access: CallerAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Pay an amount of a hold, by default all that it keeps. Several captures are possible until nothing is left.

    The posting is a `consume`, or the type named, with `hold_id` in its metadata; it is refunded as any other. What is
    within the hold needs nothing else of the wallet. `overage` says what happens with more.
    """
    return await _changed(http_request, caller, hold_id, request, repository, access, header_key)


@router.post(
    "/holds/{hold_id}/void",
    status_code=201,
    response_model=Hold,
    responses={
        **_decided(
            Hold,
            HOLD
            | {
                "state": "voided",
                "remaining": "0.000000",
                "voided": "10.000000",
                "ended_at": CAPTURED["ended_at"],
            },
        ),
        **problems(*_CHANGES),
    },
    operation_id="void_hold",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Void a hold",
)
async def void_hold(
    http_request: Request,
    caller: Writer,
    hold_id: HoldInPath,
    request: HoldVoid,
    repository: Repository,
    access: CallerAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Release what a hold still keeps. What was captured stays captured."""
    return await _changed(http_request, caller, hold_id, request, repository, access, header_key)


@router.post(
    "/holds/{hold_id}/extend",
    status_code=201,
    response_model=Hold,
    responses={
        **_decided(Hold, HOLD | {"expires_at": "2026-01-02T05:04:05.678901Z"}),
        **problems(*_CHANGES),
    },
    operation_id="extend_hold",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Extend a hold",
)
async def extend_hold(
    http_request: Request,
    caller: Writer,
    hold_id: HoldInPath,
    request: HoldExtend,
    repository: Repository,
    access: CallerAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Let a hold end later: after its present end, and at most 30 days after its creation (a setting)."""
    return await _changed(http_request, caller, hold_id, request, repository, access, header_key)


@router.post(
    "/holds/{hold_id}/increase",
    status_code=201,
    response_model=Hold,
    responses={
        **_decided(Hold, HOLD | {"authorised": "15.000000", "remaining": "15.000000"}),
        **problems(*_CHANGES, *_MONEY),
    },
    operation_id="increase_hold",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Increase a hold",
)
async def increase_hold(
    http_request: Request,
    caller: Writer,
    hold_id: HoldInPath,
    request: HoldIncrease,
    repository: Repository,
    access: CallerAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Let a hold keep more. The wallet must have it available, as for a new hold."""
    return await _changed(http_request, caller, hold_id, request, repository, access, header_key)


async def _changed(
    http_request: Request,
    caller: Principal,
    hold_id: UUID,
    request: HoldChange,
    repository: HoldRepository,
    access: CallerAccessOf,
    header_key: str | None,
) -> Response:
    found = json.loads(await _seen(repository, access, caller, hold_id))
    key = chosen_key(header_key, request.idempotency_key)
    return _response(await _service(http_request, caller).change(found, request, key), str(hold_id))


async def _seen(
    repository: HoldRepository, access: CallerAccessOf, caller: Principal, hold_id: UUID
) -> bytes:
    """A hold, as far as the caller may act on its wallet.

    Raises:
        HoldNotFound: there is none, or the key does not cover its wallet.
        Forbidden, UpstreamUnavailable: as ``CallerAccess.check``.
    """
    found = await repository.get(str(hold_id), caller.user_id)
    try:
        await access.check(json.loads(found)["wallet_id"])
    except WalletNotFound:
        raise HoldNotFound(hold_id=str(hold_id)) from None
    return found
