"""/api/v1/users/{user_id}/credits: the user's primary CREDIT wallet, created when it is first consumed from."""

import json
from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    InsufficientFunds,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
)
from wallet_service.money.callers import UsageWriter, WalletReader
from wallet_service.money.credits.repository import CreditsRepository
from wallet_service.money.credits.schemas import CreditsBalance
from wallet_service.money.credits.service import CreditsService
from wallet_service.money.examples import ENTRY
from wallet_service.money.parameters import UserInPath
from wallet_service.money.responses import posted, posted_response
from wallet_service.money.schemas import MoneyRequest, Transaction
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.membership.access import CallerAccessOf, MembershipOf
from wallet_service.platform.membership.problems import UserUnknown
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.idempotency import (
    ATTEMPT_PARAMETERS,
    HeaderKey,
    chosen_key,
)
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1/users/{user_id}/credits", tags=["credits"], route_class=StrictRoute)


Repository = Annotated[CreditsRepository, on_database(CreditsRepository)]


@router.get(
    "/balance",
    response_model=CreditsBalance,
    responses=problems(*READS, WalletNotFound, UpstreamUnavailable),
    operation_id="get_user_credits",
    summary="A user's credits",
)
async def credits_balance(
    caller: WalletReader, user_id: UserInPath, repository: Repository, access: CallerAccessOf
) -> Response:
    """The balance of the user's primary CREDIT wallet; 0 and no `wallet_id` for a user who has none."""
    caller.require_user(user_id)
    found = await repository.balance(user_id)
    if access.checks and (wallet_id := json.loads(found)["wallet_id"]) is not None:
        await access.check(wallet_id)
    return JsonBytes(found)


@router.post(
    "/consume",
    status_code=201,
    response_model=Transaction,
    responses={
        **posted(ENTRY),
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
    operation_id="consume_user_credits",
    summary="Consume a user's credits",
    openapi_extra=ATTEMPT_PARAMETERS,
)
async def consume_credits(
    http_request: Request,
    caller: UsageWriter,
    user_id: UserInPath,
    request: MoneyRequest,
    repository: Repository,
    membership: MembershipOf,
    access: CallerAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Debit the user's primary CREDIT wallet; it is created at first use."""
    caller.require_user(user_id)
    key = chosen_key(header_key, request.idempotency_key)
    transactions = TransactionService.of_request(http_request, caller)
    service = CreditsService(repository, transactions, membership, access)
    return posted_response(await service.consume(user_id, request, caller.client_id, key))
