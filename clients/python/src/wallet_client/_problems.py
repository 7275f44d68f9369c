"""Converts problem documents (RFC 9457) to exceptions."""

from collections.abc import Mapping
from typing import Any

from wallet_client.errors import (
    BadGateway,
    BadRequest,
    Conflict,
    Forbidden,
    GatewayTimeout,
    Gone,
    HeadersTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PaymentRequired,
    PreconditionFailed,
    RateLimited,
    RequestTimeout,
    ServerError,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
    Unprocessable,
    UnsupportedMediaType,
    UriTooLong,
)


def _tree(error: type[ServiceError]) -> list[type[ServiceError]]:
    return [found for child in error.__subclasses__() for found in (child, *_tree(child))]


BY_CODE: Mapping[str, type[ServiceError]] = {error.code: error for error in _tree(ServiceError) if error.code}
"""The exception class of each code of the service."""

BY_STATUS: Mapping[int, type[ServiceError]] = {
    400: BadRequest,
    401: Unauthorized,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    408: RequestTimeout,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    413: PayloadTooLarge,
    414: UriTooLong,
    415: UnsupportedMediaType,
    422: Unprocessable,
    429: RateLimited,
    431: HeadersTooLarge,
    500: InternalError,
    502: BadGateway,
    503: ServiceUnavailable,
    504: GatewayTimeout,
}
"""The exception class of each status, for a code that is not known."""

_PASSING = frozenset({429, 502, 503, 504})

_STANDARD = frozenset({"type", "title", "status", "detail", "code", "retryable", "instance", "request_id"})


def supersedes_earlier_attempts(problem: Mapping[str, Any]) -> bool:
    """Whether no earlier attempt of the call can be done any more: the ledger made sure when it refused this one."""
    return problem.get("supersedes_earlier_attempts") is True


def error_of(
    problem: Mapping[str, Any], status: int | None = None, retry_after_s: float | None = None
) -> ServiceError:
    """The exception for a problem document.

    Args:
        problem: the document; members may be missing.
        status: of the response; default: the document's.
        retry_after_s: from the response's ``Retry-After``.
    """
    code = str(problem.get("code", ""))
    known = status or int(problem.get("status", 0))
    fallback = ServerError if known >= 500 else ServiceError  # noqa: PLR2004 - as in HTTP
    error = BY_CODE.get(code) or BY_STATUS.get(known, fallback)
    made = error(
        str(problem.get("detail") or problem.get("title") or f"The service responded with {known}"),
        status=known,
        # The error of a proxy or gateway has no such member.
        retryable=problem.get("retryable", known in _PASSING) is True,
        request_id=problem.get("request_id"),
        retry_after_s=retry_after_s,
        facts={name: fact for name, fact in problem.items() if name not in _STANDARD},
    )
    made.code = code  # also if the code is newer than this package
    return made
