"""/api/v1/users/{user_id}/credits: the user's primary CREDIT wallet, made at first use."""

from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.core.fields import Line
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    InsufficientFunds,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
)
from wallet_service.money.callers import Spender, WalletReader
from wallet_service.money.credits.repository import CreditsRepository
from wallet_service.money.credits.schemas import CreditsBalance
from wallet_service.money.credits.service import credits_wallet
from wallet_service.money.responses import POSTED, posted_response
from wallet_service.money.schemas import MoneyRequest, Transaction
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.membership.access import AccessOf, CallerAccessOf
from wallet_service.platform.membership.problems import UserUnknown
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.idempotency import HeaderKey, chosen_key
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1/users/{user_id}/credits", tags=["credits"], route_class=StrictRoute)


Repository = Annotated[CreditsRepository, on_database(CreditsRepository)]


@router.get(
    "/balance",
    responses=problems(*READS, WalletNotFound, WalletBusy, UserUnknown, UpstreamUnavailable),
    summary="A user's credits",
)
async def credits_balance(
    caller: WalletReader, user_id: Line, repository: Repository, access: AccessOf, own: CallerAccessOf
) -> CreditsBalance:
    """The balance of the user's primary CREDIT wallet; 0 for a user who had none."""
    caller.require_user(user_id)
    wallet = await credits_wallet(repository, access, user_id)
    await own.check(wallet["wallet_id"])
    return CreditsBalance(**{name: wallet[name] for name in CreditsBalance.model_fields})


@router.post(
    "/consume",
    status_code=201,
    response_model=Transaction,
    responses={
        **POSTED,
        **problems(
            *WRITES,
            *KEYED,
            WalletNotFound,
            WalletClosed,
            WalletFrozen,
            InsufficientFunds,
            AmountInvalid,
            AmountPrecision,
            WalletBusy,
            TransactionSuperseded,
            UserUnknown,
            UpstreamUnavailable,
        ),
    },
    summary="Consume a user's credits",
)
async def consume_credits(
    http_request: Request,
    caller: Spender,
    user_id: Line,
    request: MoneyRequest,
    repository: Repository,
    access: AccessOf,
    own: CallerAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Debit the user's primary CREDIT wallet."""
    caller.require_user(user_id)
    key = chosen_key(header_key, request.idempotency_key)
    wallet = await credits_wallet(repository, access, user_id, caller.client_id, key)
    await own.check(wallet["wallet_id"])
    ledger: Ledger = http_request.app.state.ledger
    service = TransactionService(ledger, caller, own, http_request.app.state.posting_hooks)
    return posted_response(await service.move("consume", wallet["wallet_id"], request, key))
