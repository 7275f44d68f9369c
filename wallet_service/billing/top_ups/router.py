"""The routes of top-ups."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.billing.top_ups.problems import TopUpNotFound, TopUpRuleNotFound, TopUpUnderWay
from wallet_service.billing.top_ups.repository import NewTopUp, TopUpRepository
from wallet_service.billing.top_ups.room import TOP_UPS_READ, TOP_UPS_WRITE
from wallet_service.billing.top_ups.schemas import (
    NewTopUpRule,
    TopUp,
    TopUpCreate,
    TopUpPage,
    TopUpQuery,
    TopUpRule,
)
from wallet_service.billing.top_ups.service import (
    notice_schema,
    read_notice,
    require_amount,
    rule_of,
    smallest_amount,
)
from wallet_service.billing.top_ups.settings import TopUpsSettings
from wallet_service.core.errors import (
    MalformedRequest,
    Overloaded,
    PayloadTooLarge,
    Unauthorized,
    Unavailable,
    ValidationFailed,
    VersionMismatch,
    WalletBusy,
    WalletNotFound,
)
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    BalanceLimit,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
)
from wallet_service.money.parameters import WalletInPath
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.jobs.context import creator_of
from wallet_service.platform.membership.access import CallerAccessOf
from wallet_service.platform.rate_limits.problems import RateLimited
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers
from wallet_service.platform.web.etag import ETAG, IfMatch, version_of, versioned_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["top-ups"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(TOP_UPS_READ)]
Writer = Annotated[Principal, requires(TOP_UPS_WRITE)]
Repository = Annotated[TopUpRepository, on_database(TopUpRepository)]
TopUpInPath = Annotated[UUID, Path(description="The top-up's id.")]

_RULE = "a rule for top-ups"
_POSITION = TypeAdapter(tuple[UUID])
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "It goes on in the background: by this request or by an earlier one with the same key.",
        "headers": created_headers("top-up"),
    }
}


@router.get(
    "/wallets/{wallet_id}/top-up-rule",
    response_model=TopUpRule,
    responses={
        200: {"headers": ETAG},
        **problems(*READS, WalletNotFound, TopUpRuleNotFound, WalletBusy, UpstreamUnavailable),
    },
    operation_id="get_top_up_rule",
    summary="Read the rule for top-ups of a wallet",
)
async def get_top_up_rule(caller: Reader, wallet_id: WalletInPath, repository: Repository) -> Response:
    """The rule by which the wallet is topped up, and whether it is paused. `ETag` is for `If-Match` of a change."""
    return versioned_response(await repository.rule(str(wallet_id), caller.user_id))


@router.put(
    "/wallets/{wallet_id}/top-up-rule",
    response_model=TopUpRule,
    responses={
        200: {"headers": ETAG},
        **problems(
            *WRITES,
            WalletNotFound,
            WalletClosed,
            WalletMirrored,
            VersionMismatch,
            AmountInvalid,
            AmountPrecision,
            WalletBusy,
            UpstreamUnavailable,
        ),
    },
    operation_id="set_top_up_rule",
    summary="Set the rule for top-ups of a wallet",
)
async def set_top_up_rule(
    http_request: Request,
    caller: Writer,
    wallet_id: WalletInPath,
    request: NewTopUpRule,
    repository: Repository,
    if_match: IfMatch = None,
) -> Response:
    """Set when the wallet is topped up, in place of the rule that it has. A pause ends.

    Each posting that leaves the available balance at the threshold or below starts a top-up; so does this request. A
    wallet has one top-up at a time. The rule charges under the rights of the caller, which are checked again each time.
    With `If-Match`, a rule that has changed since is refused as `version_mismatch`; `"0"` means that there is none.
    """
    require_amount(caller, smallest_amount(request))
    rule = rule_of(request, http_request.app.state.settings[TopUpsSettings])
    version = version_of(if_match, _RULE)
    document = await repository.set_rule(str(wallet_id), version, rule, creator_of(caller))
    http_request.app.state.jobs.enqueued.set()
    return versioned_response(document)


@router.delete(
    "/wallets/{wallet_id}/top-up-rule",
    status_code=204,
    response_class=Response,
    responses=problems(
        *READS, WalletNotFound, TopUpRuleNotFound, VersionMismatch, WalletBusy, UpstreamUnavailable
    ),
    operation_id="delete_top_up_rule",
    summary="Delete the rule for top-ups of a wallet",
)
async def delete_top_up_rule(
    caller: Writer, wallet_id: WalletInPath, repository: Repository, if_match: IfMatch = None
) -> Response:
    """Delete the rule. A top-up of it whose charge has not begun is cancelled; one that is charged is deposited."""
    del caller
    await repository.delete_rule(str(wallet_id), version_of(if_match, _RULE))
    return Response(status_code=204)


@router.post(
    "/wallets/{wallet_id}/top-ups",
    status_code=202,
    response_model=TopUp,
    responses={
        **_ACCEPTED,
        **problems(
            *WRITES,
            *KEYED,
            WalletNotFound,
            WalletClosed,
            WalletFrozen,
            WalletMirrored,
            TopUpUnderWay,
            AmountInvalid,
            AmountPrecision,
            BalanceLimit,
            WalletBusy,
            UpstreamUnavailable,
        ),
    },
    operation_id="create_top_up",
    summary="Top up a wallet now",
)
async def create_top_up(
    http_request: Request,
    caller: Writer,
    wallet_id: WalletInPath,
    request: TopUpCreate,
    repository: Repository,
    key: HeaderKey,
) -> Response:
    """Charge a payment method and deposit the amount, in the background. `Location` has the top-up, with its state.

    The limits and pauses of the wallet's rule do not apply. The same idempotency key and request charge once.
    """
    require_amount(caller, request.amount)
    wanted = NewTopUp(request.amount, request.payment_method, request.reference, request.metadata)
    made = await repository.request(caller.client_id, key, str(wallet_id), wanted, creator_of(caller))
    http_request.app.state.jobs.enqueued.set()
    headers = {"Location": f"/api/v1/top-ups/{json.loads(made.document)['top_up_id']}"}
    if made.replayed:
        headers["Idempotency-Replayed"] = "true"
    return JsonBytes(made.document, 202, headers=headers)


@router.get(
    "/wallets/{wallet_id}/top-ups",
    response_model=TopUpPage,
    responses=problems(*READS, WalletNotFound, UpstreamUnavailable),
    operation_id="list_top_ups",
    summary="List the top-ups of a wallet",
)
async def list_top_ups(
    caller: Reader,
    wallet_id: WalletInPath,
    query: Annotated[TopUpQuery, Query()],
    repository: Repository,
) -> Response:
    """The top-ups of the wallet, by its rule and on request, newest first."""
    selection = {"wallet_id": str(wallet_id), "state": query.state}
    after = (
        None if query.cursor is None else str(decode_cursor("top_ups", selection, query.cursor, _POSITION)[0])
    )
    items, following = await repository.page(str(wallet_id), caller.user_id, query.state, after, query.limit)
    return page_response("top_ups", selection, items, following and [following])


@router.get(
    "/top-ups/{top_up_id}",
    response_model=TopUp,
    responses=problems(*READS, TopUpNotFound, UpstreamUnavailable),
    operation_id="get_top_up",
    summary="Read a top-up",
)
async def get_top_up(
    request: Request, caller: Reader, top_up_id: TopUpInPath, repository: Repository, access: CallerAccessOf
) -> Response:
    """A top-up with its state."""
    found = await repository.get(str(top_up_id), caller.user_id)
    wallet_id: str = json.loads(found)["wallet_id"]
    try:
        await access.check(wallet_id)
    except WalletNotFound:
        raise TopUpNotFound(top_up_id=str(top_up_id)) from None
    read_concerns(request, wallet_id=wallet_id)
    return JsonBytes(found)


_SIGNED: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": text}
        for name, text in (
            ("webhook-id", "Names the message, the same each time that it is sent."),
            ("webhook-timestamp", "When it was sent: seconds since 1970."),
            ("webhook-signature", "`v1,` and the signature; several with blanks between them."),
        )
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": notice_schema()}},
    },
    "security": [],
}


@router.post(
    "/payments/events",
    status_code=204,
    response_class=Response,
    responses=problems(
        Unauthorized,
        MalformedRequest,
        ValidationFailed,
        PayloadTooLarge,
        RateLimited,
        Overloaded,
        Unavailable,
    ),
    openapi_extra=_SIGNED,
    operation_id="receive_payment_event",
    summary="Receive a notice of the payment service",
)
async def receive_payment_event(request: Request, repository: Repository) -> Response:
    """Take a notice about a payment, signed by Standard Webhooks with `WALLET_TOP_UPS_PAYMENT_EVENTS_SECRET`.

    It books nothing: it wakes the job that reads the payment. So notices may come in any order, and any number of times.
    A notice about a payment that is none of a top-up is taken, too, and changes nothing.
    """
    state = request.app.state
    limit = state.address_limit
    is_used_up = limit is not None and limit.is_used_up(request.scope)
    try:
        secret = state.settings[TopUpsSettings].payment_events_secret
        message_id, notice = read_notice(await request.body(), request.headers, secret)
    except Unauthorized:
        if limit is not None:
            await limit.charge(request.scope, is_used_up=is_used_up)
        raise
    if await repository.take_notice(message_id, notice.data.payment_id, notice.data.reference):
        state.jobs.enqueued.set()
    return Response(status_code=204)
