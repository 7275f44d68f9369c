"""Examples of the API's document. Each response is what the service answers to the example of its request.

They are one story: a wallet with 100 credits, from which ``billing`` then consumes 2.5.
"""

from collections.abc import Mapping
from typing import Any

USER_ID = "user-1"
WALLET_ID = "0199d0a8-0000-7000-8000-0000000000aa"
OTHER_WALLET_ID = "0199d0a8-0000-7000-8000-0000000000bb"
_TRANSACTION_ID = "0199d0a8-0000-7000-8000-000000000001"
_TIME = "2026-01-02T03:04:05.678901Z"

WALLET: Mapping[str, Any] = {
    "wallet_id": WALLET_ID,
    "user_id": USER_ID,
    "organization_id": None,
    "name": "main",
    "wallet_type": "fiat",
    "currency": "CREDIT",
    "keeping": "operating",
    "network": None,
    "address": None,
    "balance": "100.000000",
    "locked_balance": "0.000000",
    "available_balance": "100.000000",
    "credit_limit": "0.000000",
    "status": "active",
    "is_primary": True,
    "version": 1,
    "last_entry": 1,
    "metadata": {},
    "created_at": _TIME,
    "updated_at": _TIME,
}
"""The wallet after its creation."""

ENTRY: Mapping[str, Any] = {
    "transaction_id": _TRANSACTION_ID,
    "leg": 0,
    "transaction_type": "consume",
    "wallet_id": WALLET_ID,
    "user_id": USER_ID,
    "currency": "CREDIT",
    "direction": "debit",
    "amount": "2.500000",
    "balance_before": "100.000000",
    "balance_after": "97.500000",
    "wallet_version": 2,
    "counter_account": "revenue:usage",
    "original_transaction_id": None,
    "client_id": "billing",
    "reference": "invoice-42",
    "description": None,
    "metadata": {},
    "effective_at": _TIME,
    "created_at": _TIME,
}
"""The entry of the consumption."""

OPENING_ENTRY: Mapping[str, Any] = {
    **ENTRY,
    "transaction_id": "0199d0a8-0000-7000-8000-000000000000",
    "transaction_type": "deposit",
    "direction": "credit",
    "amount": "100.000000",
    "balance_before": "0.000000",
    "balance_after": "100.000000",
    "wallet_version": 1,
    "counter_account": "external:deposits",
    "reference": None,
}
"""The entry of the initial balance."""


def transaction(*legs: Mapping[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """A transaction with these entries."""
    return {**legs[0], "legs": [*legs] if len(legs) > 1 else None, "dry_run": dry_run}


def _debit(kind: str, counter_account: str) -> dict[str, Any]:
    return {**ENTRY, "transaction_type": kind, "counter_account": counter_account}


def _credit(kind: str, counter_account: str) -> dict[str, Any]:
    return _debit(kind, counter_account) | {"direction": "credit", "balance_after": "102.500000"}


MOVEMENTS: Mapping[str, Mapping[str, Any]] = {
    "deposit": _credit("deposit", "external:deposits"),
    "withdraw": _debit("withdraw", "external:withdrawals"),
    "consume": ENTRY,
    "reward": _credit("reward", "promotions"),
    "fee": _debit("fee", "revenue:fees"),
}
"""The entry of an operation on the new wallet, by operation type."""

TRANSFER: tuple[Mapping[str, Any], Mapping[str, Any]] = (
    _debit("transfer", f"wallet:{OTHER_WALLET_ID}") | {"reference": None},
    {
        **_credit("transfer", f"wallet:{WALLET_ID}"),
        "leg": 1,
        "wallet_id": OTHER_WALLET_ID,
        "user_id": "user-2",
        "balance_before": "0.000000",
        "balance_after": "2.500000",
        "wallet_version": 1,
        "reference": None,
    },
)
"""The entries of a transfer from the new wallet to an empty one."""

ADJUSTMENT: Mapping[str, Any] = {
    **_debit("adjustment", "external:adjustments"),
    "reference": None,
    "description": "count of 31 March",
}
"""The entry of an adjustment of the new wallet to 97.50."""


def _exchanged(leg: int, wallet_id: str, currency: str, *amounts: str) -> dict[str, Any]:
    amount, before, after = amounts
    return {
        **ENTRY,
        "leg": leg,
        "transaction_type": "exchange",
        "wallet_id": wallet_id,
        "currency": currency,
        "direction": "credit" if leg else "debit",
        "amount": amount,
        "balance_before": before,
        "balance_after": after,
        "wallet_version": 1 if leg else 2,
        "counter_account": "fx:EUR-USD",
        "reference": None,
    }


EXCHANGE: tuple[Mapping[str, Any], Mapping[str, Any]] = (
    _exchanged(0, WALLET_ID, "EUR", "10.00", "100.00", "90.00"),
    _exchanged(1, OTHER_WALLET_ID, "USD", "11.00", "0.00", "11.00"),
)
"""The entries of an exchange from a wallet with 100 euros to an empty one of the same user in dollars."""

REFUND: Mapping[str, Any] = {
    **ENTRY,
    "transaction_id": "0199d0a8-0000-7000-8000-000000000002",
    "transaction_type": "refund",
    "direction": "credit",
    "amount": "1.000000",
    "balance_before": "97.500000",
    "balance_after": "98.500000",
    "wallet_version": 3,
    "original_transaction_id": _TRANSACTION_ID,
    "reference": None,
}
"""The entry of a refund of a part of the consumption."""

CHANGED_WALLET: Mapping[str, Any] = {**WALLET, "name": "travel", "version": 2, "metadata": {"team": "blue"}}
"""The wallet after a change of its name and metadata."""

CLOSED_WALLET: Mapping[str, Any] = {
    **WALLET,
    "balance": "0.000000",
    "available_balance": "0.000000",
    "status": "closed",
    "is_primary": False,
    "version": 2,
    "last_entry": 0,
}
"""A wallet without entries that was closed."""


def example(name: str, value: Any) -> dict[str, Any]:
    """The ``content`` of a response with an example, where that of its schema belongs to another request."""
    return {"application/json": {"examples": {name: {"value": value}}}}
