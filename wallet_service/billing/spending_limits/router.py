"""The routes of limits."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from wallet_service.billing.spending_limits.repository import LimitRepository
from wallet_service.billing.spending_limits.room import LIMITS_READ, LIMITS_WRITE
from wallet_service.billing.spending_limits.schemas import Limits, NewLimits
from wallet_service.core.errors import VersionMismatch, WalletBusy, WalletNotFound
from wallet_service.ledger.problems import AmountInvalid, AmountPrecision, WalletClosed, WalletMirrored
from wallet_service.money.parameters import WalletInPath
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.etag import ETAG, IfMatch, version_of, versioned_response
from wallet_service.platform.web.openapi import READS, WRITES, problems
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1/wallets/{wallet_id}/limits", tags=["limits"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(LIMITS_READ)]
Writer = Annotated[Principal, requires(LIMITS_WRITE)]
Repository = Annotated[LimitRepository, on_database(LimitRepository)]


@router.get(
    "",
    response_model=Limits,
    responses={200: {"headers": ETAG}, **problems(*READS, WalletNotFound, UpstreamUnavailable)},
    operation_id="get_limits",
    summary="Read the limits of a wallet",
)
async def get_limits(caller: Reader, wallet_id: WalletInPath, repository: Repository) -> Response:
    """What the wallet may spend: the limits of the operator and those of its owner, with what is used of each.

    A debit must fit into each of them. `ETag` is for `If-Match` of a change.
    """
    return versioned_response(await repository.get(str(wallet_id), caller.user_id))


@router.put(
    "",
    response_model=Limits,
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
    operation_id="set_limits",
    summary="Set the limits of a wallet",
)
async def set_limits(
    caller: Writer,
    wallet_id: WalletInPath,
    request: NewLimits,
    repository: Repository,
    if_match: IfMatch = None,
) -> Response:
    """Replace the caller's limits of a wallet: a user token those of the owner, an API key those of the operator.

    The limits of the other side stay. A limit that was there keeps its id and what is used of it, also with another
    amount; a new one counts what was spent in its period before. With `If-Match`, limits that have changed since are
    refused as `version_mismatch`. What is above a limit already stays spent; further debits are refused.
    """
    limits = [each.model_dump(exclude_none=True) for each in request.limits]
    return versioned_response(
        await repository.replace(str(wallet_id), caller.user_id, version_of(if_match, "limits"), limits)
    )
