"""What the ledger refuses. The SQL kernel uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class TransactionNotFound(WalletError):
    """The transaction does not exist, or the caller may not see it."""

    code, status, title = "transaction_not_found", 404, "Transaction not found"


class WalletFrozen(WalletError):
    """A frozen wallet refuses debits."""

    code, status, title = "wallet_frozen", 409, "Wallet is frozen"


class WalletClosed(WalletError):
    """A closed wallet refuses debits, credits and changes."""

    code, status, title = "wallet_closed", 409, "Wallet is closed"


class InsufficientFunds(WalletError):
    """Available balance and credit limit together are less than the amount."""

    code, status, title = "insufficient_funds", 402, "Insufficient funds"
    example_facts: ClassVar[Mapping[str, Any]] = {"shortfall": "2.500000"}


class CurrencyUnknown(WalletError):
    """The currency is not in the list of currencies."""

    code, status, title = "currency_unknown", 422, "Unknown currency"


class CurrencyMismatch(WalletError):
    """The two wallets of a transfer hold different currencies."""

    code, status, title = "currency_mismatch", 409, "Currency mismatch"


class AmountInvalid(WalletError):
    """The amount is not a positive decimal number of at most 20 digits before the point."""

    code, status, title = "amount_invalid", 422, "Invalid amount"


class AmountPrecision(WalletError):
    """The amount has more decimals than the currency. Amounts are never rounded."""

    code, status, title = "amount_precision", 422, "Too many decimals"


class BalanceLimit(WalletError):
    """The balance would have more than 20 digits before the point."""

    code, status, title = "balance_limit", 409, "Balance limit exceeded"


class SameWallet(WalletError):
    """A transfer names the same wallet twice."""

    code, status, title = "same_wallet", 422, "Source and target are the same wallet"


class RefundExceeds(WalletError):
    """The amount is more than what is left to refund."""

    code, status, title = "refund_exceeds", 409, "Refund exceeds the refundable amount"


class NotRefundable(WalletError):
    """The transaction is a refund, which can't be refunded."""

    code, status, title = "not_refundable", 409, "Transaction is not refundable"


class TransactionSuperseded(WalletError):
    """A late attempt of an operation that was refused in a later attempt."""

    code, status, title = "transaction_superseded", 409, "Attempt was superseded"


class BatchAborted(WalletError):
    """The operation was refused only because another operation of the same atomic batch was refused."""

    code, status, title = "batch_aborted", 409, "Batch aborted"
