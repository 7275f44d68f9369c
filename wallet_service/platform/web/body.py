"""Bodies: read after the caller is authenticated, up to a size, as strict JSON, or refused with a clear problem."""

from collections.abc import Callable, Coroutine, Mapping
from email.message import Message as MimeHeader
from functools import lru_cache
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wallet_service.core.errors import PayloadTooLarge, UnsupportedMediaType
from wallet_service.platform.auth.authentication import BearerPrincipal, principal
from wallet_service.platform.changes.reads import ReadRecorder
from wallet_service.platform.web.problems import problem_response
from wallet_service.platform.web.query import parameters_of, require_known
from wallet_service.platform.web.strict_head import path_params
from wallet_service.platform.web.strict_json import loads, refused_value

_NO_QUERY = QueryParams()


class StrictRequest(Request):
    """A request whose ``json()`` keeps numbers exact and refuses ambiguous JSON."""

    @property
    def headers(self) -> Headers:
        """The headers; after ``json()`` without ``Content-Type``, which FastAPI would parse again, for 9 µs."""
        if not hasattr(self, "_shown_headers"):
            self._shown_headers = Headers(scope=self.scope)
        return self._shown_headers

    @property
    def query_params(self) -> QueryParams:
        """The parameters of the query. FastAPI reads them in each request, and most have none."""
        return super().query_params if self.scope["query_string"] else _NO_QUERY

    async def json(self) -> dict[str, Any]:
        """The object of the body, which is read and parsed once.

        Raises:
            UnsupportedMediaType: the body is not declared as JSON.
            MalformedRequest, ValidationFailed: as ``strict_json.loads``; or the body is not an object.
        """
        if not hasattr(self, "_object"):
            _check_declared(self.headers)
            value = loads(await self.body())
            if not isinstance(value, dict):
                raise refused_value("object_expected", "The body is not a JSON object")
            self._object: dict[str, Any] = value
            self._shown_headers = Headers(
                raw=[(name, text) for name, text in self.scope["headers"] if name != b"content-type"]
            )
        return self._object


class StrictRoute(APIRoute):
    """A route that accepts strict JSON and no unknown parameter, and records reads for the audit trail.

    ``APIRouter(route_class=StrictRoute)``. A route that reads no parameter of the query ignores those that it gets.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        # Not FastAPI's check of Content-Type: StrictRequest has its own.
        options["strict_content_type"] = False
        super().__init__(path, endpoint, **options)
        end = path.rpartition("}")[2]
        self._ends = (end, f"{end}\n")  # with both ends the pattern matches

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As FastAPI's. Most routes end differently than the path, which costs a tenth to find out."""
        if scope["type"] == "http" and not scope["path"].endswith(self._ends):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, after authentication and the strict parser."""
        handler = super().get_route_handler()
        needs_principal = _depends_on_principal(self.dependant)
        has_body = self.body_field is not None
        parameters = parameters_of(self.dependant)
        is_read, name = "GET" in (self.methods or ()), self.name

        async def strict_handler(request: Request) -> Response:
            request.scope["path_params"] = path_params(request.scope)
            strict = StrictRequest(request.scope, request.receive)
            has_query = bool(parameters and strict.scope["query_string"])
            if needs_principal and (has_body or has_query):
                await principal(strict)
            if has_query:
                require_known(strict.query_params, parameters)
            # FastAPI would parse the body before it authenticates the caller, and turn an exception of the
            # parser into a 400 of its own.
            if has_body and await strict.body():
                body = await strict.json()
                if (limiter := strict.app.state.limiter) is not None:
                    await limiter.charge_operations(strict.scope, body)
            response = await handler(strict)
            if is_read and needs_principal:
                reads: ReadRecorder = strict.app.state.reads
                if (read := reads.due(name, strict.scope)) is not None:
                    # Before the first byte leaves: a read that can't be recorded is refused.
                    await reads.record(read, strict.scope)
            return response

        return strict_handler


class BodyLimit:
    """ASGI middleware: refuses a body over the limit, by its declared length or at the chunk that exceeds it.

    Raises:
        ValueError: a limit is that of a template; it would apply to no request.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, limits_of_paths: Mapping[str, int]) -> None:
        if templates := [path for path in limits_of_paths if "{" in path]:
            raise ValueError(f"A limit applies to one path, not to a template: {templates}")
        self.app = app
        self.limit_bytes = limit_bytes
        self.limits_of_paths = limits_of_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, and count the bytes of its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limits_of_paths.get(scope["path"], self.limit_bytes)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            # The connection stays open: closing it with unread data could lose the response.
            request_id = scope.get("state", {}).get("request_id")
            await problem_response(_too_large(limit), request_id)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, counted, send)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes", limit_bytes=limit)


def _check_declared(headers: Headers) -> None:
    if headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Compressed bodies are not supported")
    if not _is_json(headers.get("content-type", "")):
        raise UnsupportedMediaType("The body must be declared as application/json")


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    """Whether this declares JSON in UTF-8. Cached, because parsing is slow and callers send few different values."""
    declared = MimeHeader()
    declared["content-type"] = content_type
    subtype = declared.get_content_subtype()
    is_json = declared.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )
    return is_json and declared.get_content_charset("utf-8") in {"utf-8", "us-ascii"}


def _depends_on_principal(dependant: Dependant) -> bool:
    return isinstance(dependant.call, BearerPrincipal) or any(
        map(_depends_on_principal, dependant.dependencies)
    )
