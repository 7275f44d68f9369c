"""What a call can end with beside its result.

``WalletError`` is above all of them. Below it:

- ``ServiceError``: the service (or what stands before it) refused. One class for each code of the service, below
  one class for its status, so that a code that is newer than this package is still caught by its status.
- ``NoAnswer``: nothing was heard, and nothing was done: no connection was made, or the call only reads; ``ClientClosed``.
- ``OutcomeUnknown``: nobody can say whether it was done. Call again with ``error.idempotency_key``.
- ``UnexpectedAnswer``: an answer that the service does not give: a page of a proxy, a redirect.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from wallet_client.money import read_or_none


class WalletError(Exception):
    """Whatever a call can end with.

    Attributes:
        idempotency_key: the key under which the call was sent; None where it has none. Never in the message.
    """

    idempotency_key: str | None = None


class ClientClosed(WalletError):
    """The client was closed. Nothing was done."""


class NoAnswer(WalletError):
    """The service was not heard, within the time there was. Nothing was done: it is safe to call anew."""


class OutcomeUnknown(WalletError):
    """The call may have been done, and no answer says so.

    Call again with the same arguments and ``idempotency_key=error.idempotency_key``: it is done once, and the answer
    is the first one. Where the key is None (a change or a closing of a wallet), read the wallet and see.
    ``__cause__`` is what happened last.
    """


class UnexpectedAnswer(WalletError):
    """An answer that the service does not give: not JSON, of another shape, too large, or a redirect."""

    status: int | None = None


class ServiceError(WalletError):
    """A refusal.

    Attributes:
        code: stable, machine-readable, such as ``insufficient_funds``; "" where something before the service answered.
        status: HTTP status.
        detail: what the service says about it.
        retryable: whether the same request can succeed later without a change.
        request_id: under which the service's log knows it; None within a batch's results.
        retry_after_s: how long to wait before trying again, where the service says.
        facts: the other members of the problem document, as they were sent (amounts are text).
        earlier_try_open: an earlier try was not answered, and may be done yet, for a refusal spends no key. Call again
            with ``idempotency_key``, or look for it in the history by its reference.
        outcome_unknown: it may have been done already, too: this is not the ledger's own refusal. Only within a
            batch's results, with ``earlier_try_open``; of a single call, that is ``OutcomeUnknown``.
    """

    code: str = ""
    earlier_try_open: bool = False
    outcome_unknown: bool = False

    def __init__(
        self,
        detail: str = "",
        *,
        status: int = 0,
        retryable: bool = False,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status, self.retryable = status, retryable
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.facts: Mapping[str, Any] = facts or {}

    def __str__(self) -> str:
        """The detail, then the code, the request id, and what is not known of an earlier try."""
        named = [self.code or f"HTTP {self.status}"]
        if self.request_id:
            named.append(f"request {self.request_id}")
        if self.outcome_unknown:
            named.append("an earlier attempt may have done it")
        elif self.earlier_try_open:
            named.append("an earlier attempt may still arrive")
        return f"{self.detail} ({', '.join(named)})"

    @property
    def wallet_id(self) -> str | None:
        """The wallet that it is about, where the service names one."""
        return self.facts.get("wallet_id")

    @property
    def transaction_id(self) -> str | None:
        """The transaction that it is about, where the service names one."""
        return self.facts.get("transaction_id")

    @property
    def index(self) -> int | None:
        """Which operation refused an atomic batch, from 0."""
        return self.facts.get("index")


class BadRequest(ServiceError):
    """400: the request can't be read."""


class Unauthorized(ServiceError):
    """401: no key or token, or one that is wrong, expired or revoked."""

    code = "unauthorized"


class PaymentRequired(ServiceError):
    """402."""


class Forbidden(ServiceError):
    """403: the key or token is valid and does not allow this."""

    code = "forbidden"


class NotFound(ServiceError):
    """404: there is no such thing; as a code of its own, no such path."""

    code = "not_found"


class MethodNotAllowed(ServiceError):
    """405: the path exists, the method does not."""

    code = "method_not_allowed"


class Conflict(ServiceError):
    """409: what there is does not allow it."""


class PreconditionFailed(ServiceError):
    """412."""


class PayloadTooLarge(ServiceError):
    """413: the body is larger than this path reads."""

    code = "payload_too_large"


class UnsupportedMediaType(ServiceError):
    """415: the content type is not one that this path reads."""

    code = "unsupported_media_type"


class Unprocessable(ServiceError):
    """422: readable, and not acceptable. ``errors`` says which values and why."""

    @property
    def errors(self) -> Sequence[Mapping[str, str]]:
        """What is wrong, each with ``in``, ``pointer``, ``detail`` and ``code``; empty where it is not of the form."""
        return self.facts.get("errors") or ()


class RateLimited(ServiceError):
    """429: the client or user has used up its limit. Nothing was done; ``retry_after_s`` says when to come back."""

    code = "rate_limited"

    @property
    def scope(self) -> str | None:
        """Whose limit: ``client`` or ``user``."""
        return self.facts.get("scope")


class ServerError(ServiceError):
    """5xx: not the caller's fault."""


class BadGateway(ServerError):
    """502: what stands before the service got no answer that it could read."""


class ServiceUnavailable(ServerError):
    """503: the service can't do it now."""


class GatewayTimeout(ServerError):
    """504: what stands before the service got no answer in time."""


class MalformedRequest(BadRequest):
    """The request can't be read."""

    code = "malformed_request"


class IdempotencyKeyConflict(BadRequest):
    """Header and body name different keys."""

    code = "idempotency_key_conflict"


class InsufficientFunds(PaymentRequired):
    """Available balance and credit limit together are less than the amount."""

    code = "insufficient_funds"

    @property
    def shortfall(self) -> Decimal:
        """What is missing; 0 where the service does not say."""
        return read_or_none(self.facts.get("shortfall")) or Decimal(0)


class WalletNotFound(NotFound):
    """No such wallet, or one that the caller may not see."""

    code = "wallet_not_found"


class TransactionNotFound(NotFound):
    """No such transaction, or one that the caller may not see."""

    code = "transaction_not_found"


class WalletExists(Conflict):
    """The user already has an open wallet of this type, currency and name; ``wallet_id`` names it."""

    code = "wallet_exists"


class WalletFrozen(Conflict):
    """A frozen wallet refuses debits."""

    code = "wallet_frozen"


class WalletClosed(Conflict):
    """A closed wallet refuses debits, credits and changes."""

    code = "wallet_closed"


class WalletNotEmpty(Conflict):
    """Only a wallet with zero balance and nothing locked can be closed."""

    code = "wallet_not_empty"


class CreditLimitInUse(Conflict):
    """The balance is further below zero than the new limit allows."""

    code = "credit_limit_in_use"


class CurrencyMismatch(Conflict):
    """The two wallets of a transfer hold different currencies."""

    code = "currency_mismatch"


class BalanceLimit(Conflict):
    """A balance has at most 20 digits before the point."""

    code = "balance_limit"


class RefundExceeds(Conflict):
    """More than what is left to refund."""

    code = "refund_exceeds"

    @property
    def refundable(self) -> Decimal | None:
        """What is left to refund."""
        return read_or_none(self.facts.get("refundable"))


class NotRefundable(Conflict):
    """A refund can't be refunded."""

    code = "not_refundable"


class TransactionSuperseded(Conflict):
    """A late first attempt of an operation whose second attempt was already refused."""

    code = "transaction_superseded"


class BatchAborted(Conflict):
    """Refused only because another operation of the same atomic batch was."""

    code = "batch_aborted"


class VersionMismatch(PreconditionFailed):
    """The wallet has another version than the one named."""

    code = "version_mismatch"

    @property
    def version(self) -> int | None:
        """The version it has now."""
        return self.facts.get("version")


class ValidationFailed(Unprocessable):
    """The request is readable and its values are not acceptable; ``errors`` says which and why."""

    code = "validation_failed"

    def __str__(self) -> str:
        """As of every refusal, and the first value that is not acceptable."""
        match self.errors:  # pyright: ignore[reportMatchNotExhaustive]  # nothing to add otherwise
            case [{"in": place, "pointer": pointer, "detail": detail}, *_]:
                return f"{super().__str__()}: {place} {pointer}: {detail}"
        return super().__str__()


class AmountInvalid(Unprocessable):
    """Not a positive decimal number of at most 20 digits before the point."""

    code = "amount_invalid"


class AmountPrecision(Unprocessable):
    """More decimals than the currency has. Amounts are never rounded."""

    code = "amount_precision"


class CurrencyUnknown(Unprocessable):
    """The currency is not in the list of currencies."""

    code = "currency_unknown"


class SameWallet(Unprocessable):
    """A transfer from a wallet to itself."""

    code = "same_wallet"


class IdempotencyKeyReused(Unprocessable):
    """The key was spent on another request: on other arguments, or on another call."""

    code = "idempotency_key_reused"


class UserUnknown(Unprocessable):
    """The account service knows no such user, so they get no wallet."""

    code = "user_unknown"


class OrganizationUnknown(Unprocessable):
    """The organization service knows no such organization."""

    code = "organization_unknown"


class InternalError(ServerError):
    """A fault of the service, whose log knows it by ``request_id``."""

    code = "internal_error"


class Unavailable(ServiceUnavailable):
    """The database can't be reached, or did not answer in time. Nothing is half done."""

    code = "unavailable"


class Overloaded(ServiceUnavailable):
    """More work is waiting than the service accepts. Nothing was done."""

    code = "overloaded"


class WalletBusy(ServiceUnavailable):
    """Somebody else held the wallet for longer than a request may wait. Nothing was done."""

    code = "wallet_busy"


class NeighbourUnavailable(ServiceUnavailable):
    """Another service had to be asked first, and it does not answer. Nothing was done."""

    code = "neighbour_unavailable"
