"""Holds as operations of the ledger."""

from collections.abc import Mapping
from typing import Any, Final

from wallet_service.billing.holds.schemas import (
    ExtendDetails,
    HoldCapture,
    HoldCreate,
    HoldDetails,
    HoldExtend,
    HoldIncrease,
    HoldVoid,
)
from wallet_service.billing.holds.settings import HoldsSettings
from wallet_service.core.caller import current_caller
from wallet_service.core.errors import Forbidden
from wallet_service.ledger.outcomes import Posted
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.auth.authentication import Principal

COUNTER_ACCOUNT: Final = "revenue:usage"
"""The default of a hold, as SQL has it: a restricted key is checked before the kernel."""
_DETAILS = ("description", "reference", "metadata", "effective_at")

HoldChange = HoldCapture | HoldVoid | HoldExtend | HoldIncrease


class HoldService:
    """Places and changes holds for the caller of one request.

    Args:
        transactions: posts the operations.
        caller: of the request.
        settings: of holds.
    """

    def __init__(self, transactions: TransactionService, caller: Principal, settings: HoldsSettings) -> None:
        self._transactions = transactions
        self._caller = caller
        self._settings = settings

    async def place(self, wallet_id: str, request: HoldCreate, key: str | None) -> Posted:
        """Keep an amount of a wallet.

        Raises:
            WalletError: the refusal.
        """
        check_account(self._caller, request.counter_account, COUNTER_ACCOUNT)
        return await self._transactions.decide_by_room(
            "hold",
            wallet_id,
            key,
            amount=request.amount,
            counter_account=request.counter_account or COUNTER_ACCOUNT,
            terms=ending(request, self._settings),
            caller=current_caller().document(),
            details=details(request),
            dry_run=request.dry_run,
        )

    async def change(self, hold: Mapping[str, Any], request: HoldChange, key: str | None) -> Posted:
        """Capture, void, extend or increase a hold.

        The operation names an amount and a counter account, as far as it has them: they bound what moves, for keys that
        are restricted. Those of a void and an extension are those of the hold when it was placed.

        Args:
            hold: as the caller sees it.
            request: what to do with it.
            key: the idempotency key of the request.

        Raises:
            WalletError: the refusal.
        """
        terms: dict[str, Any] = {"hold_id": hold["hold_id"]}
        counter_account: str = hold["counter_account"]
        amount: str | None = hold["amount"]
        match request:
            case HoldCapture():
                kind, amount = "hold_capture", request.amount
                check_account(self._caller, request.counter_account, counter_account)
                self._transactions.require(request.type)
                if self._caller.is_user and request.type != "consume":
                    raise Forbidden("A user's token captures a hold as consume")
                counter_account = request.counter_account or counter_account
                terms |= {"final": request.final, "overage": request.overage, "type": request.type}
            case HoldIncrease():
                kind, amount = "hold_increase", request.amount
            case HoldExtend():
                kind = "hold_extend"
                terms |= ending(request, self._settings)
            case HoldVoid():
                kind = "hold_void"
        return await self._transactions.decide_by_room(
            kind,
            hold["wallet_id"],
            key,
            amount=amount,
            counter_account=counter_account,
            terms=terms,
            caller=current_caller().document(),
            details=details(request),
            dry_run=request.dry_run,
        )


def ending(request: HoldDetails | ExtendDetails, settings: HoldsSettings) -> dict[str, Any]:
    """The terms about the end of a hold."""
    named = {"expires_at": request.expires_at, "expires_in_s": request.expires_in_s}
    found = {name: value for name, value in named.items() if value is not None}
    return found | {"defaults": settings.defaults()}


def check_account(caller: Principal, counter_account: str | None, default: str) -> None:
    """Refuse another counter account than the default to a user's token, as for other operations.

    Raises:
        Forbidden: it is another one.
    """
    if caller.is_user and counter_account not in (None, default):
        raise Forbidden("A user's token can't choose the counter account")


def details(request: object) -> dict[str, Any]:
    """What is stored with the posting of a request."""
    found = {name: getattr(request, name, None) for name in _DETAILS}
    return {name: value for name, value in found.items() if value is not None}
