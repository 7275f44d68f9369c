"""The refusals of the service: each has a stable code, an HTTP status, a title, and says whether to retry.

The same codes come out of the SQL functions (a refused outcome, or SQLSTATE ``WL001`` with the code as its
message), so that Python, OpenAPI, the documentation and the SDK share one list.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class WalletError(Exception):
    """A refusal that its caller may see.

    Attributes:
        code: stable, machine-readable; part of the API.
        status: HTTP status.
        title: one line for people, the same for every occurrence.
        retryable: whether the same request can succeed later without a change.
        facts: members of the problem document beside the standard ones (``shortfall``, ``wallet_id`` …).
        retry_after_s: seconds to wait before trying again; sent as ``Retry-After``.
        example_facts: the facts of the problem's example in the OpenAPI document.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    retryable: ClassVar[bool] = False
    retry_after_s: int | None = None
    example_facts: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, detail: str | None = None, **facts: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.facts: Mapping[str, Any] = facts


class WalletNotFound(WalletError):
    """No such wallet, or one that the caller may not see."""

    code, status, title = "wallet_not_found", 404, "There is no such wallet"


class TransactionNotFound(WalletError):
    """No such transaction, or one that the caller may not see."""

    code, status, title = "transaction_not_found", 404, "There is no such transaction"


class NotFound(WalletError):
    """No such path."""

    code, status, title = "not_found", 404, "There is nothing at this path"


class MethodNotAllowed(WalletError):
    """The path exists, the method does not."""

    code, status, title = "method_not_allowed", 405, "This path does not answer to this method"


class WalletExists(WalletError):
    """The user already has an open wallet of this type, currency and name."""

    code, status, title = "wallet_exists", 409, "The user already has this wallet"
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": "0199d0a8-0000-7000-8000-0000000000aa"}


class WalletFrozen(WalletError):
    """A frozen wallet refuses debits."""

    code, status, title = "wallet_frozen", 409, "The wallet is frozen"


class WalletClosed(WalletError):
    """A closed wallet refuses debits, credits and changes."""

    code, status, title = "wallet_closed", 409, "The wallet is closed"


class WalletNotEmpty(WalletError):
    """Only a wallet with zero balance and nothing locked can be closed."""

    code, status, title = "wallet_not_empty", 409, "The wallet is not empty"


class CreditLimitInUse(WalletError):
    """The balance is further below zero than the new limit allows."""

    code, status, title = "credit_limit_in_use", 409, "The credit limit is in use"


class InsufficientFunds(WalletError):
    """Available balance and credit limit together are less than the amount."""

    code, status, title = "insufficient_funds", 402, "The available balance is too low"
    example_facts: ClassVar[Mapping[str, Any]] = {"shortfall": "2.500000"}


class CurrencyUnknown(WalletError):
    """The currency is not in the list of currencies."""

    code, status, title = "currency_unknown", 422, "The currency is unknown"


class CurrencyMismatch(WalletError):
    """The two wallets of a transfer hold different currencies."""

    code, status, title = "currency_mismatch", 409, "The wallets hold different currencies"


class AmountInvalid(WalletError):
    """Not a positive decimal number of at most 20 digits before the point."""

    code, status, title = "amount_invalid", 422, "The amount is not a positive decimal number"


class AmountPrecision(WalletError):
    """More decimals than the currency has. Amounts are never rounded."""

    code, status, title = "amount_precision", 422, "The amount has more decimals than its currency"


class BalanceLimit(WalletError):
    """A balance has at most 20 digits before the point."""

    code, status, title = "balance_limit", 409, "The balance would pass the largest that can be kept"


class SameWallet(WalletError):
    """A transfer from a wallet to itself."""

    code, status, title = "same_wallet", 422, "A transfer needs two different wallets"


class RefundExceeds(WalletError):
    """More than what is left to refund."""

    code, status, title = "refund_exceeds", 409, "The refund is more than what is left to refund"


class NotRefundable(WalletError):
    """A refund can't be refunded."""

    code, status, title = "not_refundable", 409, "This transaction can't be refunded"


class IdempotencyKeyReused(WalletError):
    """The key was spent on another request."""

    code, status, title = "idempotency_key_reused", 422, "The idempotency key belongs to another request"


class IdempotencyKeyConflict(WalletError):
    """Header and body name different keys."""

    code, status, title = "idempotency_key_conflict", 400, "Header and body name different idempotency keys"


class TransactionSuperseded(WalletError):
    """A late first attempt of an operation whose second attempt was already refused."""

    code, status, title = "transaction_superseded", 409, "This attempt was already answered"


class BatchAborted(WalletError):
    """Refused only because another operation of the same atomic batch was."""

    code, status, title = "batch_aborted", 409, "Another operation of the atomic batch was refused"


class WalletBusy(WalletError):
    """Somebody else held the wallet for longer than a request may wait."""

    code, status, title = "wallet_busy", 503, "The wallet is busy"
    retryable = True
    retry_after_s = 1


class VersionMismatch(WalletError):
    """``If-Match`` names another version than the present one."""

    code, status, title = "version_mismatch", 412, "The wallet has changed since it was read"


class Unauthorized(WalletError):
    """No key or token, or one that is wrong, expired or revoked."""

    code, status, title = "unauthorized", 401, "A valid key or token is needed"


class Forbidden(WalletError):
    """The key or token is valid and does not allow this."""

    code, status, title = "forbidden", 403, "The key or token does not allow this"
    example_facts: ClassVar[Mapping[str, Any]] = {"scope": "transactions:write"}


class RateLimited(WalletError):
    """The client or user has used up its limit, or Redis can't count it. Nothing was done."""

    code, status, title = "rate_limited", 429, "Too many requests"
    retryable = True
    retry_after_s = 1
    example_facts: ClassVar[Mapping[str, Any]] = {"scope": "client", "limit": 1000, "window_s": 60}


class Overloaded(WalletError):
    """More work is waiting than the service accepts."""

    code, status, title = "overloaded", 503, "The service has too much to do"
    retryable = True
    retry_after_s = 1


class Unavailable(WalletError):
    """The database can't be reached, or did not answer in time. Nothing is half done.

    Attributes:
        passing: whether it may be over in a moment, so that the service itself tries again.
    """

    code, status, title = "unavailable", 503, "The service can't reach its database"
    retryable = True
    retry_after_s = 2

    def __init__(self, detail: str | None = None, *, passing: bool = True, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.passing = passing


class UpstreamUnavailable(WalletError):
    """Another service had to be asked first, and it does not answer. Nothing was done."""

    code, status, title = "upstream_unavailable", 503, "Another service does not answer"
    retryable = True
    retry_after_s = 5


class UserUnknown(WalletError):
    """The account service knows no such user, so they get no wallet."""

    code, status, title = "user_unknown", 422, "There is no such user"


class OrganizationUnknown(WalletError):
    """The organization service knows no such organization."""

    code, status, title = "organization_unknown", 422, "There is no such organization"


class ValidationFailed(WalletError):
    """The request is readable and its values are not acceptable; ``errors`` says which and why."""

    code, status, title = "validation_failed", 422, "Some values are not acceptable"
    example_facts: ClassVar[Mapping[str, Any]] = {
        "errors": [{"in": "body", "pointer": "/name", "detail": "Field required", "code": "missing"}]
    }


class MalformedRequest(WalletError):
    """The request can't be read."""

    code, status, title = "malformed_request", 400, "The request can't be read"


class UnsupportedMediaType(WalletError):
    """The content type is not one that this path reads."""

    code, status, title = "unsupported_media_type", 415, "This content type is not read here"


class PayloadTooLarge(WalletError):
    """The body is larger than this path reads."""

    code, status, title = "payload_too_large", 413, "The body is too large"
    example_facts: ClassVar[Mapping[str, Any]] = {"limit_bytes": 1048576}


class InternalError(WalletError):
    """A fault of the service. Its cause is in the log under the request id, not in the answer."""

    code, status, title = "internal_error", 500, "The service made a mistake"


def _tree(error: type[WalletError]) -> list[type[WalletError]]:
    return [found for child in error.__subclasses__() for found in (child, *_tree(child))]


ERRORS: Mapping[str, type[WalletError]] = {error.code: error for error in _tree(WalletError)}
"""Every refusal by its code."""


def error_of(code: str, detail: str | None = None, /, **facts: Any) -> WalletError:
    """The refusal with this code; an unknown code is a fault of ours."""
    return ERRORS.get(code, InternalError)(detail, **facts)
