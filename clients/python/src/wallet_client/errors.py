"""The errors with which a call can end. ``WalletError`` is the base class of all of them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from wallet_client.money import read_or_none


class WalletError(Exception):
    """The base class of all errors of a call.

    Attributes:
        idempotency_key: the key with which the call was sent; None if it has none. The message never contains it.
    """

    idempotency_key: str | None = None


class ClientClosed(WalletError):
    """The client was closed. Nothing was done."""


class TransportNotUsable(WalletError, RuntimeError):
    """The ``transport`` that the client was given belongs to another event loop or process. Nothing was done.

    Create a client within this event loop or process, or leave out ``transport``: then the client has connections of its
    own for each of them.
    """


class NoAnswer(WalletError):
    """There was no response in time. Nothing was done (or the call only reads): it is safe to call again."""


class OutcomeUnknown(WalletError):
    """The call may have been done, and no response says so.

    Call again with the same arguments and ``idempotency_key=error.idempotency_key``: it is done once, and the result is
    the first one. If the key is None (``wallets.update`` and ``wallets.close``), read the wallet.
    ``__cause__`` is the last error.
    """


class UnexpectedAnswer(WalletError):
    """A response that the service does not send: not JSON, without needed members, too large, or a redirect."""

    status: int | None = None


class ServiceError(WalletError):
    """The service, or a proxy or gateway before it, refused the call.

    There is a class for each code, below a class for its status: so a code that is newer than this package is still
    caught by its status.

    Attributes:
        code: stable and machine-readable, such as ``insufficient_funds``; "" if a proxy or gateway responded.
        status: the HTTP status.
        detail: the service's explanation.
        retryable: whether the same request can succeed later without a change.
        request_id: identifies the request in the service's log; None within the results of a batch.
        retry_after_s: seconds to wait before the next attempt, if the service names them.
        facts: the other members of the problem document, as they were sent (amounts are text).
        earlier_attempt_open: an earlier attempt got no response, and may still be done: the creation of a wallet, a
            refusal by another part than the ledger, or a service of release 0.1.0. Call again with
            ``idempotency_key``, or search the history by the reference.
        outcome_unknown: an earlier attempt may also have been done already, since this is not the ledger's own refusal.
            Only within the results of a batch, with ``earlier_attempt_open``; a single call raises ``OutcomeUnknown``.
    """

    code: str = ""
    earlier_attempt_open: bool = False
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
        self.detail: str = detail
        self.status: int = status
        self.retryable: bool = retryable
        self.request_id: str | None = request_id
        self.retry_after_s: float | None = retry_after_s
        self.facts: Mapping[str, Any] = facts or {}

    def __str__(self) -> str:
        """The detail, the code, the request id, and what is not known of an earlier attempt."""
        named = [self.code or f"HTTP {self.status}"]
        if self.request_id:
            named.append(f"request {self.request_id}")
        if self.outcome_unknown:
            named.append("an earlier attempt may have done it")
        elif self.earlier_attempt_open:
            named.append("an earlier attempt may still arrive")
        return f"{self.detail} ({', '.join(named)})"

    @property
    def wallet_id(self) -> str | None:
        """The wallet concerned, if the service names one."""
        return self.facts.get("wallet_id")

    @property
    def transaction_id(self) -> str | None:
        """The transaction concerned, if the service names one."""
        return self.facts.get("transaction_id")

    @property
    def index(self) -> int | None:
        """The index of the operation that refused an atomic batch, from 0."""
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
    """404: the resource does not exist; with the code ``not_found``: the path does not exist."""

    code = "not_found"


class MethodNotAllowed(ServiceError):
    """405: the path exists, the method does not."""

    code = "method_not_allowed"


class RequestTimeout(ServiceError):
    """408: the request did not arrive in time. Nothing was done."""

    code = "request_timeout"


class Conflict(ServiceError):
    """409: the present state does not allow it."""


class Gone(ServiceError):
    """410: what the call continues with is no longer kept."""


class PreconditionFailed(ServiceError):
    """412."""


class PayloadTooLarge(ServiceError):
    """413: the body is larger than this path reads."""

    code = "payload_too_large"


class UriTooLong(ServiceError):
    """414: the path with its query is longer than the service reads."""

    code = "uri_too_long"


class UnsupportedMediaType(ServiceError):
    """415: the content type is not one that this path reads."""

    code = "unsupported_media_type"


class Unprocessable(ServiceError):
    """422: the request can be read, and a value is not acceptable. ``errors`` has the values and reasons."""

    @property
    def errors(self) -> Sequence[Mapping[str, str]]:
        """The values that are not acceptable, each with ``in``, ``pointer``, ``detail`` and ``code``; may be empty."""
        return self.facts.get("errors") or ()


class RateLimited(ServiceError):
    """429: the client or user has used up its rate limit. Nothing was done; call again after ``retry_after_s``."""

    code = "rate_limited"

    @property
    def scope(self) -> str | None:
        """Whose limit is used up: ``client`` or ``user``."""
        return self.facts.get("scope")


class HeadersTooLarge(ServiceError):
    """431: there are too many headers, or they are too large."""

    code = "headers_too_large"


class ServerError(ServiceError):
    """5xx: the service failed."""


class BadGateway(ServerError):
    """502: a gateway got no valid response of the service."""


class ServiceUnavailable(ServerError):
    """503: the service can't do it now."""


class GatewayTimeout(ServerError):
    """504: a gateway got no response of the service in time."""


class MalformedRequest(BadRequest):
    """The request can't be read."""

    code = "malformed_request"


class IdempotencyKeyConflict(BadRequest):
    """Header and body name different keys."""

    code = "idempotency_key_conflict"


class InsufficientFunds(PaymentRequired):
    """The available balance and the credit limit of ``wallet_id`` together are less than the amount."""

    code = "insufficient_funds"

    @property
    def shortfall(self) -> Decimal:
        """The missing amount, in ``currency``; 0 if the service does not name it."""
        return read_or_none(self.facts.get("shortfall")) or Decimal(0)

    @property
    def currency(self) -> str | None:
        """The wallet's currency; None if the service does not name it."""
        return self.facts.get("currency")


class WalletNotFound(NotFound):
    """The wallet does not exist, or the caller may not see it."""

    code = "wallet_not_found"


class TransactionNotFound(NotFound):
    """The transaction does not exist, or the caller may not see it."""

    code = "transaction_not_found"


class FileNotFound(NotFound):
    """The file does not exist, has expired, or belongs to another owner."""

    code = "file_not_found"


class CursorExpired(Gone):
    """The events after the cursor are no longer all kept; ``oldest_cursor`` continues with the oldest one."""

    code = "cursor_expired"

    @property
    def oldest_cursor(self) -> str | None:
        """The cursor before the oldest event."""
        cursor = self.facts.get("oldest_cursor")
        return cursor if isinstance(cursor, str) else None


class JobNotFound(NotFound):
    """The job does not exist, was removed some time after its end, or belongs to another user."""

    code = "job_not_found"


class JobStatus(Conflict):
    """The status of the job forbids this: it runs, or has succeeded."""

    code = "job_status"


class FileQuotaExceeded(Conflict):
    """The caller's files would be larger than its quota. Nothing was stored."""

    code = "file_quota_exceeded"


class WebhookNotFound(NotFound):
    """The webhook endpoint does not exist, was deleted, or belongs to another client."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """The event was not for the webhook endpoint, or its delivery was removed some days after its end."""

    code = "delivery_not_found"


class WebhookLimit(Conflict):
    """There are as many webhook endpoints of the client, or valid secrets of the endpoint, as there may be."""

    code = "webhook_limit"


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
    """The amount is more than what is not yet refunded."""

    code = "refund_exceeds"

    @property
    def refundable(self) -> Decimal | None:
        """The amount that is not yet refunded, in the transaction's currency; None if the service does not name it."""
        return read_or_none(self.facts.get("refundable"))


class NotRefundable(Conflict):
    """A refund, an adjustment or an exchange can't be refunded."""

    code = "not_refundable"


class TestClockMissing(Conflict):
    """The service's database has no clock that can be set."""

    code = "test_clock_missing"
    __test__ = False  # pytest does not collect it


class BalanceUnchanged(Conflict):
    """The wallet already has the balance to which it would be adjusted."""

    code = "balance_unchanged"


class WalletMirrored(Conflict):
    """A mirrored wallet has no such operation, and none together with operating wallets; ``wallet_id`` names it."""

    code = "wallet_mirrored"


class TransactionSuperseded(Conflict):
    """A late attempt of an operation that was refused in a later attempt."""

    code = "transaction_superseded"


class BatchAborted(Conflict):
    """Refused only because another operation of the same atomic batch was refused."""

    code = "batch_aborted"


class VersionMismatch(PreconditionFailed):
    """The wallet or webhook endpoint has another version than ``if_version``."""

    code = "version_mismatch"

    @property
    def version(self) -> int | None:
        """The present version."""
        return self.facts.get("version")


class ValidationFailed(Unprocessable):
    """The request can be read, and values are not acceptable. ``errors`` has the values and reasons."""

    code = "validation_failed"

    def __str__(self) -> str:
        """The message of every refusal, which names the first value that is not acceptable."""
        match self.errors:  # pyright: ignore[reportMatchNotExhaustive]  # nothing to add otherwise
            case [{"in": place, "pointer": pointer, "detail": detail}, *_] if str(detail) not in self.detail:
                return f"{super().__str__()}: {place} {pointer}: {detail}"
        return super().__str__()


class AmountInvalid(Unprocessable):
    """Not a positive decimal number of at most 20 digits before the point."""

    code = "amount_invalid"


class AmountPrecision(Unprocessable):
    """More decimals than the currency has. Amounts are never rounded."""

    code = "amount_precision"

    @property
    def currency(self) -> str | None:
        """The currency; None if the service does not name it."""
        return self.facts.get("currency")

    @property
    def exponent(self) -> int | None:
        """How many decimals an amount in ``currency`` may have; None if the service does not name it."""
        return self.facts.get("exponent")


class CurrencyUnknown(Unprocessable):
    """The currency is not in the list of currencies."""

    code = "currency_unknown"

    @property
    def currency(self) -> str | None:
        """The currency that is unknown; None if the service does not name it."""
        return self.facts.get("currency")

    @property
    def closest(self) -> str | None:
        """The currency with the most similar code; None if there is no similar one."""
        return self.facts.get("closest")


class SameWallet(Unprocessable):
    """A transfer from a wallet to itself."""

    code = "same_wallet"


class EntriesUnbalanced(Unprocessable):
    """Two wallets name each other in the entries of an operation, and their amounts don't add up to zero."""

    code = "entries_unbalanced"


class IdempotencyKeyReused(Unprocessable):
    """The key was used for another request: with other arguments, or for another call."""

    code = "idempotency_key_reused"


class UserUnknown(Unprocessable):
    """The account service does not know the user, so no wallet is created."""

    code = "user_unknown"


class OrganizationUnknown(Unprocessable):
    """The organization service does not know the organization."""

    code = "organization_unknown"


class InternalError(ServerError):
    """A fault of the service. ``request_id`` identifies it in the service's log."""

    code = "internal_error"


class Unavailable(ServiceUnavailable):
    """The database can't be reached, or did not respond in time. The call was done completely or not at all."""

    code = "unavailable"


class Overloaded(ServiceUnavailable):
    """The service has more waiting work than it accepts. Nothing was done."""

    code = "overloaded"


class WalletBusy(ServiceUnavailable):
    """Another session locked the wallet for longer than a request may wait. Nothing was done."""

    code = "wallet_busy"


class FileIncomplete(Unprocessable):
    """The content arrived otherwise than it was sent. Nothing was stored."""

    code = "file_incomplete"


class VaultUnavailable(ServiceUnavailable):
    """The service has no key to encrypt or decrypt with: its operator has to set it. Nothing was done."""

    code = "vault_unavailable"


class UpstreamUnavailable(ServiceUnavailable):
    """An upstream service that has to be asked first is unavailable. Nothing was done."""

    code = "upstream_unavailable"
