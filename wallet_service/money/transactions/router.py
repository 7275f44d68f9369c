"""The paths that move money."""

import json
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import ValidationFailed, WalletBusy, WalletNotFound
from wallet_service.core.room import Permission
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.ledger.outcomes import Outcome, Posted, Refused
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    BalanceLimit,
    BalanceUnchanged,
    BatchAborted,
    CurrencyMismatch,
    EntriesUnbalanced,
    InsufficientFunds,
    NotRefundable,
    RefundExceeds,
    SameWallet,
    TransactionNotFound,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
)
from wallet_service.money.callers import BatchSender
from wallet_service.money.examples import ADJUSTMENT, EXCHANGE, MOVEMENTS, REFUND, TRANSFER
from wallet_service.money.parameters import TransactionInPath, WalletInPath
from wallet_service.money.permissions import (
    ADJUSTMENTS_WRITE,
    DEPOSITS_WRITE,
    EXCHANGES_WRITE,
    FEES_WRITE,
    PAYMENTS_WRITE,
    REFUNDS_WRITE,
    REWARDS_WRITE,
    TRANSFERS_WRITE,
    USAGE_WRITE,
    WITHDRAWALS_WRITE,
)
from wallet_service.money.responses import posted, posted_response
from wallet_service.money.schemas import MoneyRequest, Transaction
from wallet_service.money.transactions.schemas import (
    AdjustRequest,
    BatchAnswer,
    BatchRequest,
    EntriesRequest,
    RefundRequest,
    TransferRequest,
)
from wallet_service.money.transactions.service import LONGEST_BATCH_KEY, TransactionService
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.idempotency import (
    ATTEMPT_PARAMETERS,
    REPLAYED,
    HeaderKey,
    chosen_key,
)
from wallet_service.platform.web.openapi import KEYED, WRITES, problems
from wallet_service.platform.web.problems import problem_document, problem_response, request_id_of
from wallet_service.platform.web.responses import JsonBytes

router = APIRouter(prefix="/api/v1", tags=["transactions"], route_class=StrictRoute)

_MOVES = (
    *WRITES,
    *KEYED,
    WalletNotFound,
    WalletClosed,
    WalletFrozen,
    InsufficientFunds,
    AmountInvalid,
    AmountPrecision,
    BalanceLimit,
    WalletBusy,
    WalletMirrored,
    TransactionSuperseded,
    UpstreamUnavailable,
)
_TRANSFERS = (*_MOVES, SameWallet, CurrencyMismatch)
_REFUNDS = (*_MOVES, TransactionNotFound, RefundExceeds, NotRefundable)


def _add_movement(
    kind: TransactionType, permission: Permission, operation_id: str, summary: str, description: str
) -> None:
    async def move(
        http_request: Request,
        caller: Annotated[Principal, requires(permission)],
        wallet_id: WalletInPath,
        request: MoneyRequest,
        header_key: HeaderKey,
    ) -> Response:
        service = TransactionService.of_request(http_request, caller)
        key = chosen_key(header_key, request.idempotency_key)
        return posted_response(await service.move(kind, str(wallet_id), request, key))

    router.add_api_route(
        f"/wallets/{{wallet_id}}/{kind}",
        move,
        methods=["POST"],
        status_code=201,
        response_model=Transaction,
        responses={**posted(MOVEMENTS[kind]), **problems(*_MOVES)},
        name=kind,
        operation_id=operation_id,
        openapi_extra=ATTEMPT_PARAMETERS,
        summary=summary,
        description=description,
    )


_add_movement(
    "deposit",
    DEPOSITS_WRITE,
    "deposit_to_wallet",
    "Deposit",
    "Money comes in; counter account `external:deposits`.",
)
_add_movement(
    "withdraw",
    WITHDRAWALS_WRITE,
    "withdraw_from_wallet",
    "Withdraw",
    "Money goes out; counter account `external:withdrawals`.",
)
_add_movement(
    "consume",
    USAGE_WRITE,
    "consume_from_wallet",
    "Consume",
    "Usage is paid; counter account `revenue:usage`.",
)
_add_movement(
    "reward", REWARDS_WRITE, "reward_wallet", "Reward", "Credits are given; counter account `promotions`."
)
_add_movement(
    "fee", FEES_WRITE, "charge_fee", "Charge a fee", "A fee is paid; counter account `revenue:fees`."
)


@router.post(
    "/wallets/{wallet_id}/transfer",
    status_code=201,
    response_model=Transaction,
    responses={**posted(*TRANSFER), **problems(*_TRANSFERS)},
    operation_id="transfer_to_wallet",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Transfer to another wallet",
)
async def transfer(
    http_request: Request,
    caller: Annotated[Principal, requires(TRANSFERS_WRITE)],
    wallet_id: WalletInPath,
    request: TransferRequest,
    header_key: HeaderKey,
) -> Response:
    """Both wallets in one posting; both hold the same currency."""
    service = TransactionService.of_request(http_request, caller)
    key = chosen_key(header_key, request.idempotency_key)
    return posted_response(await service.move("transfer", str(wallet_id), request, key))


@router.post(
    "/transactions/{transaction_id}/refund",
    status_code=201,
    response_model=Transaction,
    responses={**posted(REFUND), **problems(*_REFUNDS)},
    operation_id="refund_transaction",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Refund a transaction",
)
async def refund(
    http_request: Request,
    caller: Annotated[Principal, requires(REFUNDS_WRITE)],
    transaction_id: TransactionInPath,
    request: RefundRequest,
    header_key: HeaderKey,
) -> Response:
    """All that is left, or a part; a transfer's refund reverses both legs; a refund can't be refunded."""
    service = TransactionService.of_request(http_request, caller)
    key = chosen_key(header_key, request.idempotency_key)
    return posted_response(await service.refund(str(transaction_id), request, key))


@router.post(
    "/wallets/{wallet_id}/adjust",
    status_code=201,
    response_model=Transaction,
    responses={**posted(ADJUSTMENT), **problems(*_MOVES, BalanceUnchanged)},
    operation_id="adjust_wallet",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Correct a balance",
)
async def adjust(
    http_request: Request,
    caller: Annotated[Principal, requires(ADJUSTMENTS_WRITE)],
    wallet_id: WalletInPath,
    request: AdjustRequest,
    header_key: HeaderKey,
) -> Response:
    """Set the balance to what it should be, or add or take an amount; counter account `external:adjustments`.

    A reason is required. An adjustment can't be refunded: adjust again.
    """
    service = TransactionService.of_request(http_request, caller)
    key = chosen_key(header_key, request.idempotency_key)
    return posted_response(await service.adjust(str(wallet_id), request, key))


@router.post(
    "/transactions",
    status_code=201,
    response_model=Transaction,
    responses={**posted(*EXCHANGE), **problems(*_TRANSFERS, EntriesUnbalanced)},
    operation_id="post_transaction",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Post an operation of several entries",
)
async def post_entries(
    http_request: Request,
    caller: Annotated[Principal, requires(EXCHANGES_WRITE, PAYMENTS_WRITE)],
    request: EntriesRequest,
    header_key: HeaderKey,
) -> Response:
    """1 to 20 entries in one posting: an exchange of currencies, or a payment with its fee.

    Entries between two wallets name each other and add up to zero. Every other entry has an account on its other side,
    so each currency adds up to zero by itself. A user token is refused.
    """
    service = TransactionService.of_request(http_request, caller)
    key = chosen_key(header_key, request.idempotency_key)
    return posted_response(await service.post_entries(request, key))


@router.post(
    "/transactions/batch",
    response_model=BatchAnswer,
    responses={
        200: {"headers": REPLAYED},
        **problems(*_TRANSFERS, *_REFUNDS, BalanceUnchanged, EntriesUnbalanced, BatchAborted),
    },
    operation_id="post_batch",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Post a batch of 1 to 500 operations",
)
async def batch(
    http_request: Request, caller: BatchSender, request: BatchRequest, key: HeaderKey
) -> Response:
    """An outcome for each operation, in order. Each needs the permission of its type; one without it is refused.

    The header's key K names operation i as `K/i`, unless it has a key of its own. With `atomic` all post or
    none: the first refusal is the answer, with its `index`, and in `results` the others are `batch_aborted`.
    """
    if key is not None and len(key) > LONGEST_BATCH_KEY:
        detail = f"A batch's key has at most {LONGEST_BATCH_KEY} characters"
        error = {"in": "header", "pointer": "/Idempotency-Key", "detail": detail, "code": "string_too_long"}
        raise ValidationFailed(detail, errors=[error])
    outcomes = await TransactionService.of_request(http_request, caller).batch(request, key)
    failed = next((each for each in outcomes if isinstance(each, Refused)), None)
    if request.atomic and failed is not None:
        return _refused_whole(outcomes, request_id_of(http_request))
    headers: dict[str, str] = {}
    if all(isinstance(each, Posted) and each.replayed for each in outcomes):
        headers["Idempotency-Replayed"] = "true"
    results = b",".join(_result(each) for each in outcomes)
    return JsonBytes(b'{"results":[' + results + b"]}", headers=headers)


def _result(outcome: Outcome) -> bytes:
    if isinstance(outcome, Posted):
        result = b"" if outcome.result is None else b',"result":' + outcome.result
        return b'{"status":"posted","transaction":' + outcome.transaction + result + b"}"
    return json.dumps(_refused_result(outcome)).encode()


def _refused_result(outcome: Refused) -> dict[str, Any]:
    return {"status": "refused", "problem": problem_document(outcome.error)}


def _refused_whole(outcomes: list[Outcome], request_id: str | None) -> Response:
    refusals = [each for each in outcomes if isinstance(each, Refused)]
    first = next((each for each in refusals if not isinstance(each.error, BatchAborted)), refusals[0])
    error = first.error
    error.facts = {
        **error.facts,
        "index": outcomes.index(first),
        "results": [_refused_result(each) for each in refusals],
    }
    return problem_response(error, request_id)
