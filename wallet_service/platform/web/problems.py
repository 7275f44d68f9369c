"""RFC 9457 problem documents: the form of every refusal and fault."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from wallet_service.core.errors import (
    ERRORS,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Unauthorized,
    UnsupportedMediaType,
    ValidationFailed,
    WalletError,
    error_of,
)

MEDIA_TYPE = "application/problem+json"

PROBLEM_CODE = "problem_code"
"""The member of the request's state with the code of the problem that was sent."""

_log = structlog.get_logger(__name__)

MOST_ERRORS = 20
LONGEST_POINTER = 256
LONGEST_CAUSE = 300

_OF_STATUS: Mapping[int, type[WalletError]] = {
    400: MalformedRequest,
    401: Unauthorized,
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}
"""The problems of refusals by the framework, before a route is reached."""


def problem_document(error: WalletError, request_id: str | None = None) -> dict[str, Any]:
    """The members of the problem. A batch request has them in its list of outcomes.

    Args:
        error: the refusal or fault.
        request_id: of this occurrence; without it the document has no ``instance`` and no ``request_id``.
    """
    document: dict[str, Any] = {
        "type": f"urn:wallet:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "retryable": error.retryable,
    }
    if request_id is not None:
        document |= {"instance": f"urn:wallet:request:{request_id}", "request_id": request_id}
    return document | {name: fact for name, fact in error.facts.items() if name not in document}


def problem_headers(error: WalletError) -> dict[str, str]:
    """The headers of the problem: when to retry, how to authenticate."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def problem_response(
    error: WalletError, request_id: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """The response with the problem."""
    # Facts from SQL can have Decimals, which become strings like every amount.
    body = json.dumps(problem_document(error, request_id), default=str, ensure_ascii=False)
    return _ProblemResponse(
        error.code,
        body.encode(errors="backslashreplace"),
        status_code=error.status,
        headers={**problem_headers(error), **(headers or {})},
        media_type=MEDIA_TYPE,
    )


class _ProblemResponse(Response):
    """A response that leaves the problem's code in the state of the request, for the log line."""

    def __init__(self, code: str, content: bytes, **arguments: Any) -> None:
        super().__init__(content, **arguments)
        self._code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.get("state", {})[PROBLEM_CODE] = self._code
        await super().__call__(scope, receive, send)


def validation_problem(errors: Sequence[Mapping[str, Any]]) -> WalletError:
    """The problem for pydantic's errors, without any of the values that were sent.

    If the type of an error is a problem's code (``amount_invalid``), the result is that problem.
    """
    if any(error["type"] == "missing" and tuple(error["loc"]) == ("body",) for error in errors):
        return MalformedRequest("The request has no body")
    items = [_item(error) for error in errors[:MOST_ERRORS]]
    named = next((item for item in items if item["code"] in ERRORS), None)
    if named is None:
        return ValidationFailed(errors=items)
    return error_of(named["code"], named["detail"], errors=items)


def _item(error: Mapping[str, Any]) -> dict[str, str]:
    place, *path = error["loc"] or ("body",)
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    pointer = "".join(f"/{step}" for step in steps)
    return {
        "in": str(place),
        "pointer": pointer[:LONGEST_POINTER],
        "detail": str(error["msg"]).removeprefix("Value error, "),
        "code": str(error["type"]),
    }


def request_id_of(request: Request) -> str | None:
    """The id of this request; None without the middleware."""
    return request.scope.get("state", {}).get("request_id")


async def _handle_error(request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, WalletError) else InternalError()
    # The response does not have the cause, so it is logged.
    if isinstance(refusal, InternalError):
        _log.error("problem", code=refusal.code, exc_info=error)
    elif refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR and refusal.is_logged:
        # Without a traceback, because in an outage there is one line for each request.
        cause = error.__cause__
        _log.error(
            "problem", code=refusal.code, cause=cause and f"{type(cause).__name__}: {cause}"[:LONGEST_CAUSE]
        )
    return problem_response(refusal, request_id_of(request))


async def _handle_validation_error(request: Request, error: Exception) -> Response:
    known = isinstance(error, RequestValidationError)
    refusal = validation_problem(error.errors()) if known else InternalError()
    return problem_response(refusal, request_id_of(request))


async def _handle_http_exception(request: Request, error: Exception) -> Response:
    status, headers, detail = 500, None, None
    if isinstance(error, HTTPException):
        status, headers = error.status_code, error.headers
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = ", ".join(_methods(request))
        headers, detail = {"Allow": methods}, f"This path has only {methods}"
    return problem_response(_OF_STATUS.get(status, InternalError)(detail), request_id_of(request), headers)


def _methods(request: Request) -> list[str]:
    """The methods of this path, over all its routes; the framework would name those of the first route."""
    return sorted(
        {
            method
            for route in iter_route_contexts(request.app.routes)
            if route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
    )


def install_handlers(app: FastAPI) -> None:
    """Respond to every refusal with a problem. Other exceptions go to the middleware."""
    app.add_exception_handler(WalletError, _handle_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
