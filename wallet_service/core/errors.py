"""Problems: the base class, and those that several rooms raise. A room's own are in its ``problems.py``.

    WalletError
    ├── NotFound, MethodNotAllowed, MalformedRequest, UnsupportedMediaType, PayloadTooLarge, ValidationFailed,
    │   IdempotencyKeyReused, IdempotencyKeyConflict, InternalError    the web room
    ├── Unauthorized, Forbidden                    the auth room
    ├── Unavailable, Overloaded, WalletBusy        the database room
    └── WalletNotFound, VersionMismatch            the wallets room

Each has a stable code, an HTTP status, a title, and whether a retry can succeed. SQL functions use the same codes (a
refused outcome, or SQLSTATE ``WL001`` with the code as its message), so Python, OpenAPI, docs and SDK share one list.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

ERRORS: "dict[str, type[WalletError]]" = {}
"""Every problem by its code. A room's problems are registered when the room is imported; ``rooms.py`` imports all."""


class ReportedError(Exception):
    """What stops a command and is no fault of the service: a setting, a port in use, an unavailable database.

    The command line reports its text in one line, without a traceback, with exit status 1.
    """


class WalletError(Exception):
    """A refusal or a fault that the caller receives as a problem document.

    Attributes:
        code: stable, machine-readable; part of the API.
        status: HTTP status.
        title: one line for people, the same at every occurrence.
        details: formats of the detail. The first one whose facts are all known is used; the title if there is none.
        retryable: whether the same request can succeed later without a change.
        facts: members of the problem document beside the standard ones (``shortfall``, ``wallet_id`` …).
        retry_after_s: seconds to wait before a retry; sent as ``Retry-After``.
        example_facts: the facts of the problem's example in the OpenAPI document.
        is_logged: whether a 5xx is logged when it is sent; False if the code that raises it logs it.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    details: ClassVar[Sequence[str]] = ()
    retryable: ClassVar[bool] = False
    retry_after_s: int | None = None
    example_facts: ClassVar[Mapping[str, Any]] = {}
    is_logged: bool = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        other = ERRORS.setdefault(cls.code, cls)
        if other.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__name__} and {other.__name__} have the same code {cls.code}")

    def __init__(self, detail: str | None = None, **facts: Any) -> None:
        self.detail = detail or self.explain(facts) or self.title
        self.facts: Mapping[str, Any] = facts
        super().__init__(self.detail)

    @classmethod
    def explain(cls, facts: Mapping[str, Any]) -> str | None:
        """The detail that follows from the facts of an occurrence; None if they do not suffice."""
        if "errors" in facts:
            return _first_fault(facts["errors"])
        for form in cls.details:
            try:
                return form.format_map(facts)
            except KeyError:  # this form needs another fact
                continue
        return None


def _first_fault(errors: Any) -> str | None:
    """The first value that is not acceptable, and how many more there are."""
    match errors:
        case [{"in": place, "pointer": pointer, "detail": detail}, *others]:
            more = f" (and {len(others)} more, see errors)" if others else ""
            return f"{place} {pointer}: {detail}{more}" if pointer else f"{place}: {detail}{more}"
        case _:
            return None


class WalletNotFound(WalletError):
    """The wallet does not exist, or the caller may not see it."""

    code, status, title = "wallet_not_found", 404, "Wallet not found"
    details = (
        "There is no wallet {wallet_id}, or the caller may not see it",
        "The user has no open wallet in {currency}",
    )


class VersionMismatch(WalletError):
    """``If-Match`` has a version that is not the current one."""

    code, status, title = "version_mismatch", 412, "Version mismatch"
    details = ("The wallet {wallet_id} is at version {version}", "It is at version {version}")


class NotFound(WalletError):
    """The path does not exist."""

    code, status, title = "not_found", 404, "Not found"
    details = ("There is no such path; /docs lists them",)


class MethodNotAllowed(WalletError):
    """The path exists, but not with this method."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"


class IdempotencyKeyReused(WalletError):
    """The key was used for another request."""

    code, status, title = "idempotency_key_reused", 422, "Idempotency key used for another request"
    details = (
        "The transaction id {transaction_id} was used for another request",
        "The key was used for another request: each request needs a key of its own",
    )


class IdempotencyKeyConflict(WalletError):
    """Header and body name different keys."""

    code, status, title = "idempotency_key_conflict", 400, "Conflicting idempotency keys"


class WalletBusy(WalletError):
    """Another session has the wallet locked for longer than a request may wait."""

    code, status, title = "wallet_busy", 503, "Wallet is busy"
    retryable = True
    retry_after_s = 1


class Unauthorized(WalletError):
    """The key or token is missing, wrong, expired or revoked."""

    code, status, title = "unauthorized", 401, "Unauthorized"


class Forbidden(WalletError):
    """The key or token is valid, but lacks the permission, or the key is restricted."""

    code, status, title = "forbidden", 403, "Forbidden"
    example_facts: ClassVar[Mapping[str, Any]] = {"scope": "usage:write"}


class Overloaded(WalletError):
    """More work is waiting than the service accepts."""

    code, status, title = "overloaded", 503, "Service overloaded"
    retryable = True
    retry_after_s = 1


class Unavailable(WalletError):
    """The database is unavailable or did not respond in time. No operation is half done.

    Attributes:
        is_temporary: whether it may end within a moment, so that the service itself retries.
    """

    code, status, title = "unavailable", 503, "Database unavailable"
    retryable = True
    retry_after_s = 2

    def __init__(self, detail: str | None = None, *, is_temporary: bool = True, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.is_temporary = is_temporary


class ValidationFailed(WalletError):
    """The request can be read, but some values are not acceptable; ``errors`` lists them."""

    code, status, title = "validation_failed", 422, "Validation failed"
    example_facts: ClassVar[Mapping[str, Any]] = {
        "errors": [{"in": "body", "pointer": "/name", "detail": "Field required", "code": "missing"}]
    }


class MalformedRequest(WalletError):
    """The request can't be read."""

    code, status, title = "malformed_request", 400, "Malformed request"


class UnsupportedMediaType(WalletError):
    """The content type is not one that this path accepts."""

    code, status, title = "unsupported_media_type", 415, "Unsupported media type"


class PayloadTooLarge(WalletError):
    """The body is larger than this path accepts."""

    code, status, title = "payload_too_large", 413, "Payload too large"
    example_facts: ClassVar[Mapping[str, Any]] = {"limit_bytes": 1048576}


class InternalError(WalletError):
    """A fault of the service. Its cause is in the log under the request id, not in the response."""

    code, status, title = "internal_error", 500, "Internal server error"


def error_of(code: str, detail: str | None = None, /, **facts: Any) -> WalletError:
    """The problem with this code. An unknown code is a fault of the service: ``InternalError``."""
    return ERRORS.get(code, InternalError)(detail, **facts)
