"""The routes that convert money, and quotes for them."""

from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.caller import current_caller
from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.core.identifiers import new_id
from wallet_service.finance.fx.conversion_schemas import ConversionCreate, PostedConversion
from wallet_service.finance.fx.problems import (
    ConversionOff,
    QuoteExpired,
    QuoteNotFound,
    RateMissing,
    RateStale,
)
from wallet_service.finance.fx.repository import RateRepository
from wallet_service.finance.fx.room import CONVERSIONS_WRITE
from wallet_service.finance.fx.schemas import Quote, QuoteCreate
from wallet_service.finance.fx.service import terms_of
from wallet_service.finance.fx.settings import FxSettings
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    BalanceLimit,
    CurrencyUnknown,
    InsufficientFunds,
    SameWallet,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
)
from wallet_service.money.parameters import WalletInPath
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.idempotency import ATTEMPT_PARAMETERS, HeaderKey, chosen_key
from wallet_service.platform.web.openapi import KEYED, WRITES, problems
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["exchange"], route_class=StrictRoute)

Converter = Annotated[Principal, requires(CONVERSIONS_WRITE)]
Repository = Annotated[RateRepository, on_database(RateRepository)]


@router.post(
    "/fx/quotes",
    status_code=201,
    response_model=Quote,
    responses=problems(
        *WRITES, CurrencyUnknown, AmountInvalid, AmountPrecision, RateMissing, RateStale, WalletBusy
    ),
    operation_id="create_quote",
    summary="Fix the price of a conversion",
)
async def create_quote(
    http_request: Request, caller: Converter, request: QuoteCreate, repository: Repository
) -> Response:
    """A price by the service's rates of today, less the spread, that holds for 60 s (`WALLET_FX_QUOTE_S`).

    The same caller names it as `quote_id` in conversions of this amount. A rate whose day ended more than 72 hours ago
    (`WALLET_FX_MAX_AGE_H`) is `rate_stale`.
    """
    settings = http_request.app.state.settings[FxSettings]
    return JsonBytes(
        await repository.quote(
            new_id(),
            caller.client_id,
            caller.user_id if caller.is_user else None,
            {"from": request.from_, "to": request.to, "amount": request.amount},
            spread_bps=settings.spread_bps,
            max_age_h=settings.max_age_h,
            seconds=settings.quote_s,
        ),
        201,
    )


@router.post(
    "/wallets/{wallet_id}/convert",
    status_code=201,
    response_model=PostedConversion,
    responses={
        200: {
            "model": PostedConversion,
            "description": "The result of a dry run. Nothing was posted.",
        },
        201: {
            "description": "It is posted, by this request or by an earlier one with the same key.",
            "headers": created_headers("transaction"),
        },
        **problems(
            *WRITES,
            *KEYED,
            WalletNotFound,
            WalletClosed,
            WalletFrozen,
            WalletMirrored,
            SameWallet,
            InsufficientFunds,
            AmountInvalid,
            AmountPrecision,
            BalanceLimit,
            RateMissing,
            RateStale,
            QuoteNotFound,
            QuoteExpired,
            ConversionOff,
            WalletBusy,
            TransactionSuperseded,
            UpstreamUnavailable,
        ),
    },
    operation_id="convert_from_wallet",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Convert money to a wallet of another currency",
)
async def convert(
    http_request: Request,
    caller: Converter,
    wallet_id: WalletInPath,
    request: ConversionCreate,
    header_key: HeaderKey,
) -> Response:
    """One `exchange` with an entry in each wallet, against `fx:FROM-TO`. What rounding left is `remainder`.

    In mirrored wallets, give both amounts to record what a bank did; otherwise the rate of the day counts, the book's own
    one first. In operating wallets it is off unless `WALLET_FX_CONVERT` is set; then the rate is the service's of today.
    """
    transactions = TransactionService.of_request(http_request, caller)
    outcome = await transactions.decide_by_room(
        "convert",
        str(wallet_id),
        chosen_key(header_key, request.idempotency_key),
        amount=request.amount,
        terms=terms_of(request, http_request.app.state.settings),
        caller=current_caller().document(),
        details=request.details(),
        to_wallet_id=str(request.to_wallet_id),
        dry_run=request.dry_run,
    )
    document = (
        b'{"conversion":' + (outcome.result or b"null") + b',"transaction":' + outcome.transaction + b"}"
    )
    if outcome.dry_run:
        return JsonBytes(document)
    location = f"/api/v1/transactions/{outcome.transaction_id}"
    return created_response(document, location, replayed=outcome.replayed)
