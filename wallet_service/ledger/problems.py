"""What the ledger refuses. The SQL kernel uses the same codes."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class TransactionNotFound(WalletError):
    """The transaction does not exist, or the caller may not see it."""

    code, status, title = "transaction_not_found", 404, "Transaction not found"
    details = ("There is no transaction {transaction_id}, or the caller may not see it",)


class WalletFrozen(WalletError):
    """A frozen wallet refuses debits."""

    code, status, title = "wallet_frozen", 409, "Wallet is frozen"
    details = ("The wallet {wallet_id} is frozen: it refuses debits",)


class WalletClosed(WalletError):
    """A closed wallet refuses debits, credits and changes."""

    code, status, title = "wallet_closed", 409, "Wallet is closed"
    details = ("The wallet {wallet_id} is closed: it refuses debits, credits and changes",)


class InsufficientFunds(WalletError):
    """Available balance and credit limit together are less than the amount."""

    code, status, title = "insufficient_funds", 402, "Insufficient funds"
    details = (
        "The wallet {wallet_id} lacks {shortfall} {currency}",
        "The wallet {wallet_id} lacks {shortfall}",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
        "shortfall": "2.500000",
        "currency": "CREDIT",
    }


class CurrencyUnknown(WalletError):
    """The currency is not in the list of currencies."""

    code, status, title = "currency_unknown", 422, "Unknown currency"
    details = (
        "There is no currency {currency}; the closest one is {closest}",
        "There is no currency {currency}; GET /api/v1/currencies lists them",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {"currency": "EURO", "closest": "EUR"}

    def __init__(
        self, detail: str | None = None, *, similar: Sequence[str] = (), currency: str = "", **facts: Any
    ) -> None:
        # The database names the currencies that are similar at all; which of them is the closest is decided here.
        closest = get_close_matches(currency, similar, n=1)
        known = {"currency": currency} if currency else {}
        super().__init__(detail, **known, **({"closest": closest[0]} if closest else {}), **facts)


class CurrencyMismatch(WalletError):
    """The two wallets of a transfer hold different currencies."""

    code, status, title = "currency_mismatch", 409, "Currency mismatch"
    details = (
        "A wallet in {currency} can't transfer to a wallet in {to_currency}",
        "The other wallet is not in {currency}",
    )


class AmountInvalid(WalletError):
    """The amount is not a positive decimal number of at most 20 digits before the point."""

    code, status, title = "amount_invalid", 422, "Invalid amount"
    details = ("An amount is a positive decimal number with at most 20 digits before the point",)


class AmountPrecision(WalletError):
    """The amount has more decimals than the currency. Amounts are never rounded."""

    code, status, title = "amount_precision", 422, "Too many decimals"
    details = ("An amount in {currency} has at most {exponent} decimals",)
    example_facts: ClassVar[Mapping[str, Any]] = {"currency": "USD", "exponent": 2}


class BalanceLimit(WalletError):
    """The balance would have more than 20 digits before the point."""

    code, status, title = "balance_limit", 409, "Balance limit exceeded"
    details = ("The balance of the wallet {wallet_id} would have more than 20 digits before the point",)


class SameWallet(WalletError):
    """A transfer names the same wallet twice."""

    code, status, title = "same_wallet", 422, "Source and target are the same wallet"
    details = ("A transfer needs two wallets, and both are {wallet_id}",)


class RefundExceeds(WalletError):
    """The amount is more than what is left to refund."""

    code, status, title = "refund_exceeds", 409, "Refund exceeds the refundable amount"
    details = ("Of the transaction {transaction_id} at most {refundable} can still be refunded",)


class NotRefundable(WalletError):
    """The transaction is of a type that can't be refunded, such as a refund."""

    code, status, title = "not_refundable", 409, "Transaction is not refundable"
    details = (
        "The transaction {transaction_id} is of a type that can't be refunded, such as a refund or an adjustment",
    )


class TransactionSuperseded(WalletError):
    """A late attempt of an operation that was refused in a later attempt."""

    code, status, title = "transaction_superseded", 409, "Attempt was superseded"


class BatchAborted(WalletError):
    """The operation was refused only because another operation of the same atomic batch was refused."""

    code, status, title = "batch_aborted", 409, "Batch aborted"
    details = ("The operation with the index {index} was refused, and the batch is atomic",)


class BalanceUnchanged(WalletError):
    """The wallet already has the balance to which it would be adjusted."""

    code, status, title = "balance_unchanged", 409, "Balance is already that"
    details = ("The wallet {wallet_id} already has this balance: there is nothing to adjust",)


class EntriesUnbalanced(WalletError):
    """Two wallets name each other in the entries of an operation, and their amounts don't add up to zero."""

    code, status, title = "entries_unbalanced", 422, "Entries don't balance"
    details = (
        "Entries between wallet:{wallet_id} and {counter_account} name each other, in one currency, and add up to zero",
    )


class WalletMirrored(WalletError):
    """The wallet mirrors an account kept elsewhere: it has no such operation, and none with operating wallets."""

    code, status, title = "wallet_mirrored", 409, "Wallet mirrors an outside account"
    details = (
        "The wallet {wallet_id} is a record: nothing is consumed, charged or rewarded, or moved to an operating wallet",
        "A wallet that mirrors an account kept elsewhere has no credit limit",
    )
