"""The base class of all errors, those without a refusal, and one for each status of a refusal."""

from collections.abc import Mapping, Sequence
from typing import Any


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
