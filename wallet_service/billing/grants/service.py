"""Grants as operations of the ledger."""

from collections.abc import Mapping
from typing import Any

from wallet_service.billing.grants.schemas import GrantCreate, GrantVoid
from wallet_service.billing.grants.settings import GrantsSettings
from wallet_service.core.caller import current_caller
from wallet_service.ledger.outcomes import Posted
from wallet_service.money.transactions.service import TransactionService

_TERMS = (
    "source",
    "priority",
    "effective_at",
    "expires_at",
    "expires_in_s",
    "pays",
    "is_transferable",
    "unit_cost",
    "cost_currency",
)
ACCOUNTS = {
    "purchase": "external:purchases",
    "promotion": "promotions",
    "plan": "promotions:plan",
    "refund": "external:refunds",
    "adjustment": "external:adjustments",
}
"""The default counter account of a grant, by its source, as SQL has it: a restricted key is checked before the kernel."""


async def create_grant(
    transactions: TransactionService,
    settings: GrantsSettings,
    wallet_id: str,
    request: GrantCreate,
    key: str | None,
) -> Posted:
    """Grant credits, now or from a later moment.

    Raises:
        WalletError: the refusal.
    """
    found = {name: getattr(request, name) for name in _TERMS}
    terms: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    terms["notice_s"] = settings.notice_s if request.notice_s is None else request.notice_s
    terms["refund_grace_s"] = (
        settings.refund_grace_s if request.refund_grace_s is None else request.refund_grace_s
    )
    details = {"reference": request.reference, "metadata": request.metadata}
    return await transactions.decide_by_room(
        "grant",
        wallet_id,
        key,
        amount=request.amount,
        counter_account=request.counter_account or ACCOUNTS[request.source],
        terms=terms,
        caller=current_caller().document(),
        details={name: value for name, value in details.items() if value is not None},
        dry_run=request.dry_run,
    )


async def void_grant(
    transactions: TransactionService, grant: Mapping[str, Any], request: GrantVoid, key: str | None
) -> Posted:
    """Take back what is left of a grant.

    The operation names its whole amount and its counter account: they bound what moves, for keys that are restricted.

    Raises:
        WalletError: the refusal.
    """
    return await transactions.decide_by_room(
        "grant_void",
        grant["wallet_id"],
        key,
        amount=grant["amount"],
        counter_account=grant["counter_account"],
        terms={"grant_id": grant["grant_id"]},
        caller=current_caller().document(),
        details={} if request.description is None else {"description": request.description},
    )
