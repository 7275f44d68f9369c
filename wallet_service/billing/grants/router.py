"""The routes of grants."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.billing.grants.problems import GrantEnded, GrantLimit, GrantNotFound
from wallet_service.billing.grants.repository import GrantRepository
from wallet_service.billing.grants.room import GRANTS_READ, GRANTS_WRITE
from wallet_service.billing.grants.schemas import (
    GRANT,
    Grant,
    GrantCreate,
    GrantPage,
    GrantQuery,
    GrantVoid,
)
from wallet_service.billing.grants.service import create_grant, void_grant
from wallet_service.billing.grants.settings import GrantsSettings
from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.ledger.outcomes import Posted
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    BalanceLimit,
    TransactionSuperseded,
    WalletClosed,
    WalletMirrored,
)
from wallet_service.money.examples import example
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

router = APIRouter(prefix="/api/v1", tags=["grants"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(GRANTS_READ)]
Writer = Annotated[Principal, requires(GRANTS_WRITE)]
Repository = Annotated[GrantRepository, on_database(GrantRepository)]
GrantInPath = Annotated[UUID, Path(description="The grant's id.")]

_POSITION = TypeAdapter(tuple[UUID])
_WRITES = (
    *WRITES,
    *KEYED,
    WalletClosed,
    WalletMirrored,
    WalletBusy,
    TransactionSuperseded,
    UpstreamUnavailable,
)


def _decided(created: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {
        201: {
            "description": "Done, by this request or by an earlier one with the same key.",
            "headers": created_headers("grant"),
            "content": example("created", created),
        },
    }


_DRY_RUN: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Grant,
        "description": "The result of a dry run. Nothing was changed.",
        "content": example("dry_run", GRANT),
    },
}
_VOIDED = GRANT | {
    "state": "voided",
    "remaining": "0.000000",
    "voided": "20.000000",
    "void_reason": "request",
}


def _response(outcome: Posted, grant_id: str | None = None) -> Response:
    document = outcome.result or b"null"
    if outcome.dry_run:
        return JsonBytes(document)
    name = grant_id or json.loads(document)["grant_id"]
    return created_response(document, f"/api/v1/grants/{name}", replayed=outcome.replayed)


@router.post(
    "/wallets/{wallet_id}/grants",
    status_code=201,
    response_model=Grant,
    responses={
        **_DRY_RUN,
        **_decided(GRANT),
        **problems(*_WRITES, WalletNotFound, AmountInvalid, AmountPrecision, BalanceLimit, GrantLimit),
    },
    operation_id="create_grant",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Grant credits",
)
async def create_wallet_grant(
    http_request: Request,
    caller: Writer,
    wallet_id: WalletInPath,
    request: GrantCreate,
    header_key: HeaderKey,
) -> Response:
    """Credits for a wallet with a source, a priority, and optionally an end and a price; now or from a later moment.

    Debits take from grants by priority, then from what ends first, then from the oldest, and then from what is not
    granted. What is left at the end goes to `breakage`.
    """
    transactions = TransactionService.of_request(http_request, caller)
    settings = http_request.app.state.settings[GrantsSettings]
    key = chosen_key(header_key, request.idempotency_key)
    return _response(await create_grant(transactions, settings, str(wallet_id), request, key))


@router.get(
    "/wallets/{wallet_id}/grants",
    response_model=GrantPage,
    responses=problems(*READS, WalletNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="list_grants",
    summary="List the grants of a wallet",
)
async def list_grants(
    caller: Reader,
    wallet_id: WalletInPath,
    query: Annotated[GrantQuery, Query()],
    repository: Repository,
) -> Response:
    """The grants of the wallet, newest first, those that have ended too, unless `state` or `source` is given."""
    selection = {"wallet_id": str(wallet_id), "state": query.state, "source": query.source}
    after = (
        None if query.cursor is None else str(decode_cursor("grants", selection, query.cursor, _POSITION)[0])
    )
    items, following = await repository.page(
        str(wallet_id), caller.user_id, query.state, query.source, after, query.limit
    )
    return page_response("grants", selection, items, following and [following])


@router.get(
    "/grants/{grant_id}",
    response_model=Grant,
    responses=problems(*READS, GrantNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="get_grant",
    summary="Read a grant",
)
async def get_grant(
    request: Request,
    caller: Reader,
    grant_id: GrantInPath,
    repository: Repository,
    access: CallerAccessOf,
) -> Response:
    """A grant with what is left of it."""
    found = await _seen(repository, access, caller, grant_id)
    read_concerns(request, wallet_id=json.loads(found)["wallet_id"])
    return JsonBytes(found)


@router.post(
    "/grants/{grant_id}/void",
    status_code=201,
    response_model=Grant,
    responses={**_decided(_VOIDED), **problems(*_WRITES, GrantNotFound, GrantEnded)},
    operation_id="void_grant",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Void a grant",
)
async def void_wallet_grant(
    http_request: Request,
    caller: Writer,
    grant_id: GrantInPath,
    request: GrantVoid,
    repository: Repository,
    access: CallerAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Take back what is left of a grant: it goes where it came from. What open holds reserve stays good for them."""
    found = json.loads(await _seen(repository, access, caller, grant_id))
    transactions = TransactionService.of_request(http_request, caller)
    key = chosen_key(header_key, request.idempotency_key)
    return _response(await void_grant(transactions, found, request, key), str(grant_id))


async def _seen(
    repository: GrantRepository, access: CallerAccessOf, caller: Principal, grant_id: UUID
) -> bytes:
    """A grant, as far as the caller may act on its wallet.

    Raises:
        GrantNotFound: there is none, or the key does not cover its wallet.
        Forbidden, UpstreamUnavailable: as ``CallerAccess.check``.
    """
    found = await repository.get(str(grant_id), caller.user_id)
    try:
        await access.check(json.loads(found)["wallet_id"])
    except WalletNotFound:
        raise GrantNotFound(grant_id=str(grant_id)) from None
    return found
