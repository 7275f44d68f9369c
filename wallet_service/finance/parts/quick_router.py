"""The route that notes an income or expense in one step."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import Forbidden, WalletBusy, WalletNotFound
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccess, BookAccessOf
from wallet_service.finance.labels.problems import LabelNotFound
from wallet_service.finance.parts.quick_schemas import QuickTransaction
from wallet_service.finance.parts.repository import PartRepository, WalletOwner
from wallet_service.finance.parts.router import Repository, Writer
from wallet_service.finance.parts.service import owner_of_wallet
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    BalanceLimit,
    InsufficientFunds,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
)
from wallet_service.money.examples import MOVEMENTS
from wallet_service.money.responses import PostedTransaction, posted, posted_response
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.membership.access import caller_access
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.idempotency import ATTEMPT_PARAMETERS, HeaderKey
from wallet_service.platform.web.openapi import KEYED, WRITES, problems

router = APIRouter(prefix="/api/v1", tags=["parts"], route_class=StrictRoute)

_TYPES: Final[dict[str, TransactionType]] = {"income": "deposit", "expense": "withdraw"}


@router.post(
    "/quick-transactions",
    status_code=201,
    response_model=PostedTransaction,
    responses={
        **posted(MOVEMENTS["withdraw"]),
        **problems(
            *WRITES,
            *KEYED,
            *(WalletNotFound, WalletClosed, WalletFrozen, WalletBusy, WalletMirrored),
            *(InsufficientFunds, AmountInvalid, AmountPrecision, BalanceLimit, TransactionSuperseded),
            *(BookNotFound, LabelNotFound, UpstreamUnavailable),
        ),
    },
    operation_id="note_transaction",
    openapi_extra=ATTEMPT_PARAMETERS,
    summary="Note an income or expense",
)
async def note_transaction(
    http_request: Request,
    caller: Writer,
    request: QuickTransaction,
    repository: Repository,
    access: BookAccessOf,
    header_key: HeaderKey,
) -> Response:
    """Post an income as a deposit, or an expense as a withdrawal, with what it was for.

    It needs the permission for that operation, too. A user's token notes them in mirrored wallets only: the money of
    operating wallets moves by their own paths.
    """
    wallet = await _wallet_of(repository, access, caller, request, header_key)
    if caller.is_user and wallet.keeping != "mirrored":
        raise Forbidden(
            "A user's token notes income and expenses only in a mirrored wallet, and this one is operating",
            wallet_id=wallet.wallet_id,
        )
    await caller_access(http_request).check(wallet.wallet_id)
    named = {"amount", "description", "reference", "metadata", "effective_at"}
    members = {**request.model_dump(include=named, exclude_none=True), "parts": [request.part()]}
    service = TransactionService.of_request(http_request, caller)
    return posted_response(await service.move_by(_TYPES[request.type], wallet.wallet_id, members, header_key))


async def _wallet_of(
    repository: PartRepository,
    access: BookAccess,
    caller: Principal,
    request: QuickTransaction,
    key: str | None,
) -> WalletOwner:
    """The wallet in which it is noted.

    Raises:
        BookNotFound, WalletNotFound: there is none, or the caller may not see it.
    """
    if request.wallet_id is not None:
        return (await owner_of_wallet(repository, access, str(request.wallet_id)))[0]
    book = await access.find(request.user_id, request.organization_id, place="body")
    return await repository.quick_wallet(book.book_id, request.currency, caller.client_id, key)
