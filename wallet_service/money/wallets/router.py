"""The routes of wallets."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query
from pydantic import TypeAdapter, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from wallet_service.core.errors import VersionMismatch, WalletBusy, WalletNotFound
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    CurrencyUnknown,
    WalletClosed,
    WalletFrozen,
)
from wallet_service.money.callers import StatsReader, WalletReader, WalletWriter
from wallet_service.money.examples import CHANGED_WALLET, CLOSED_WALLET, example
from wallet_service.money.parameters import UserInPath, WalletInPath
from wallet_service.money.wallets.problems import (
    CreditLimitInUse,
    WalletExists,
    WalletNotEmpty,
)
from wallet_service.money.wallets.repository import WalletRepository
from wallet_service.money.wallets.schemas import (
    AllWalletsQuery,
    Wallet,
    WalletCreate,
    WalletPage,
    WalletPatch,
    WalletQuery,
)
from wallet_service.money.wallets.service import WalletService, version_of
from wallet_service.platform.membership.access import CallerAccessOf, MembershipOf
from wallet_service.platform.membership.problems import OrganizationUnknown, UserUnknown
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["wallets"], route_class=StrictRoute)

_POSITION = TypeAdapter(tuple[UUID])
_ETAG = {
    "ETag": {"description": '`"<version>.<last_entry>"`, for If-Match.', "schema": {"type": "string"}},
}

_ETAG_FORM = {"type": "string", "pattern": r'^(\*|(W/)?"?[0-9]{1,18}(\.[0-9]{1,18})?"?)$'}

IfMatch = Annotated[
    Annotated[str, WithJsonSchema(_ETAG_FORM)] | SkipJsonSchema[None],
    Header(
        alias="If-Match",
        description="The ETag that the caller read, or `*` for any. Only its version is compared.",
    ),
]


Repository = Annotated[WalletRepository, on_database(WalletRepository)]


def _etag(wallet: Mapping[str, Any]) -> str:
    """The ETag of a wallet: its version and its last entry."""
    return f'"{wallet["version"]}.{wallet["last_entry"]}"'


def _response(wallet: bytes) -> Response:
    """A wallet with its ETag."""
    return JsonBytes(wallet, headers={"ETag": _etag(json.loads(wallet))})


@router.post(
    "/wallets",
    status_code=201,
    response_model=Wallet,
    responses={
        201: {"headers": _ETAG | created_headers("wallet")},
        **problems(
            *WRITES,
            *KEYED,
            WalletExists,
            CurrencyUnknown,
            AmountInvalid,
            AmountPrecision,
            WalletBusy,
            UserUnknown,
            OrganizationUnknown,
            UpstreamUnavailable,
        ),
    },
    operation_id="create_wallet",
    summary="Create a wallet",
)
async def create_wallet(
    caller: WalletWriter,
    request: WalletCreate,
    repository: Repository,
    membership: MembershipOf,
    header_key: HeaderKey,
) -> Response:
    """Create a wallet of a user in a currency, with an opening balance if `initial_balance` is given.

    The same idempotency key and request create one wallet. A user has one open wallet of each keeping, type, currency
    and name; another one is refused as `wallet_exists`. A user token creates wallets of its own user only.
    `initial_balance` also needs the permission `deposits:write`, and `credit_limit` the permission
    `credit_limits:write`.
    """
    created = await WalletService(repository, membership).create(caller, request, header_key)
    wallet: dict[str, Any] = json.loads(created.document)
    location = f"/api/v1/wallets/{wallet['wallet_id']}"
    return created_response(
        created.document, location, replayed=created.replayed, headers={"ETag": _etag(wallet)}
    )


@router.get(
    "/wallets",
    response_model=WalletPage,
    responses=problems(*READS),
    operation_id="list_wallets",
    summary="List all wallets",
)
async def list_wallets(
    caller: StatsReader, query: Annotated[AllWalletsQuery, Query()], repository: Repository
) -> Response:
    """The wallets of all users, oldest first. A page may be short and not be the last: follow `next_cursor`.

    `verified=false` lists the wallets whose user has not been checked yet. A user token is refused.
    """
    del caller
    selection = {"verified": query.verified}
    after: str | None = None
    if query.cursor is not None:
        after = str(decode_cursor("all_wallets", selection, query.cursor, _POSITION)[0])
    items, following = await repository.page_of_all(query.verified, after, query.limit)
    return page_response("all_wallets", selection, items, following and [following])


@router.get(
    "/wallets/{wallet_id}",
    response_model=Wallet,
    responses={200: {"headers": _ETAG}, **problems(*READS, WalletNotFound, UpstreamUnavailable)},
    operation_id="get_wallet",
    summary="Read a wallet",
)
async def get_wallet(caller: WalletReader, wallet_id: WalletInPath, repository: Repository) -> Response:
    """The wallet with its current balance, credit limit and status. `ETag` is for `If-Match` of a change.

    Amounts are in units of the wallet's currency. A user token reads the wallets of its own user only; others are
    `wallet_not_found`.
    """
    return _response(await repository.get(str(wallet_id), caller.user_id))


@router.patch(
    "/wallets/{wallet_id}",
    response_model=Wallet,
    responses={
        200: {"headers": _ETAG, "content": example("changed", CHANGED_WALLET)},
        **problems(
            *WRITES,
            WalletNotFound,
            WalletClosed,
            WalletExists,
            CreditLimitInUse,
            VersionMismatch,
            AmountInvalid,
            AmountPrecision,
            WalletBusy,
            UpstreamUnavailable,
        ),
    },
    operation_id="update_wallet",
    summary="Change a wallet",
)
async def update_wallet(
    caller: WalletWriter,
    wallet_id: WalletInPath,
    request: WalletPatch,
    repository: Repository,
    membership: MembershipOf,
    if_match: IfMatch = None,
) -> Response:
    """Change name, metadata, status (active or frozen), is_primary or credit_limit by a merge patch (RFC 7396).

    Members that are absent stay as they are. When `is_primary` becomes true, the user's other primary wallet in that
    currency stops being primary. With `If-Match`, a wallet that has changed since is refused as `version_mismatch`.
    A user token can freeze a wallet and lift that freeze again, but not an operator's. It can't set `credit_limit`,
    which also needs `credit_limits:write`.
    """
    service = WalletService(repository, membership)
    changed = await service.update(caller, str(wallet_id), version_of(if_match), request)
    return _response(changed)


@router.delete(
    "/wallets/{wallet_id}",
    response_model=Wallet,
    responses={
        200: {"headers": _ETAG, "content": example("closed", CLOSED_WALLET)},
        **problems(
            *READS,
            WalletNotFound,
            WalletClosed,
            WalletFrozen,
            WalletNotEmpty,
            VersionMismatch,
            WalletBusy,
            UpstreamUnavailable,
        ),
    },
    operation_id="close_wallet",
    summary="Close a wallet",
)
async def close_wallet(
    caller: WalletWriter, wallet_id: WalletInPath, repository: Repository, if_match: IfMatch = None
) -> Response:
    """Close a wallet for good. Its history stays, and its name can be used for a new wallet.

    Balance and locked balance must be 0, or it is refused as `wallet_not_empty`. A user token can't close a frozen
    wallet.
    """
    return _response(await repository.close(str(wallet_id), caller.user_id, version_of(if_match)))


@router.get(
    "/users/{user_id}/wallets",
    response_model=WalletPage,
    responses=problems(*READS, WalletNotFound, UpstreamUnavailable),
    operation_id="list_user_wallets",
    summary="List a user's wallets",
)
async def list_user_wallets(
    caller: WalletReader,
    user_id: UserInPath,
    repository: Repository,
    access: CallerAccessOf,
    query: Annotated[WalletQuery, Query()],
) -> Response:
    """The wallets of a user, oldest first. Closed wallets are included unless `status` is given.

    For a user token, wallets of organizations to which the user does not belong are left out.
    """
    caller.require_user(user_id)
    filters = query.filters()
    selection = {"user_id": user_id, **filters}
    after: str | None = None
    if query.cursor is not None:
        after = str(decode_cursor("wallets", selection, query.cursor, _POSITION)[0])
    visibility = access.visibility()
    items, following = await repository.page_of_user(user_id, filters, after, query.limit, visibility)
    return page_response("wallets", selection, items, following and [following])
