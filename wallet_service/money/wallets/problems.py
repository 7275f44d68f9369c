"""Problems of creating, changing and closing a wallet."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class WalletExists(WalletError):
    """The user already has an open wallet of this keeping, type, currency and name."""

    code, status, title = "wallet_exists", 409, "Wallet already exists"
    details = (
        "The user has an open wallet of this keeping, type, currency and name: {wallet_id}",
        "The user has an open wallet of this keeping, type, currency and name, which the caller may not see",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": "0199d0a8-0000-7000-8000-0000000000aa"}


class WalletNotEmpty(WalletError):
    """Only a wallet with balance and locked balance 0 can be closed."""

    code, status, title = "wallet_not_empty", 409, "Wallet is not empty"
    details = (
        "The wallet {wallet_id} is not empty: only a wallet with balance and locked balance 0 can be closed",
    )


class CreditLimitInUse(WalletError):
    """The available balance is further below zero than the new credit limit allows."""

    code, status, title = "credit_limit_in_use", 409, "Credit limit is in use"
    details = ("The wallet {wallet_id} is further below zero than the new credit limit allows",)
