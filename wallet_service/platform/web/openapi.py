"""Problems in the OpenAPI document, and the pages under /docs, which need no internet."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from wallet_service.core.errors import (
    ERRORS,
    Forbidden,
    IdempotencyKeyConflict,
    IdempotencyKeyReused,
    MalformedRequest,
    Overloaded,
    PayloadTooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
    WalletError,
)
from wallet_service.platform.rate_limits.problems import RateLimited
from wallet_service.platform.web.components import share_components
from wallet_service.platform.web.page_headers import page_headers
from wallet_service.platform.web.problems import MEDIA_TYPE, problem_document

READS: tuple[type[WalletError], ...] = (
    MalformedRequest,
    Unauthorized,
    Forbidden,
    ValidationFailed,
    RateLimited,
    Unavailable,
)
"""The problems of every endpoint that reads."""

WRITES: tuple[type[WalletError], ...] = (
    *READS,
    PayloadTooLarge,
    UnsupportedMediaType,
    Overloaded,
)
"""The problems of every endpoint with a JSON body."""

KEYED: tuple[type[WalletError], ...] = (IdempotencyKeyReused, IdempotencyKeyConflict)
"""Further problems of an endpoint with an idempotency key."""

_EXAMPLE_ID = "019a0f3e-5a7b-7c11-9d2e-3f4a5b6c7d8e"

_LIMIT_HEADERS: Mapping[str, Any] = {
    "RateLimit-Policy": {
        "description": 'While a limit is set, on every response: q tokens in w seconds, `"client";q=1000;w=60`.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'While a limit is set, on every response: tokens left (r) for t seconds, `"client";r=998;t=31`.',
        "schema": {"type": "string"},
    },
}


def problem_schema(codes: Iterable[str]) -> dict[str, Any]:
    """The schema of a problem document with one of these codes."""
    return {
        "title": "Problem",
        "description": "An RFC 9457 problem document. Some codes add facts of their own.",
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "retryable"],
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "`urn:wallet:problem:<code>`."},
            "title": {"type": "string", "description": "One line for people, the same at every occurrence."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {"type": "string", "description": "A text about this occurrence, for people."},
            "instance": {"type": "string", "description": "A URN that names this occurrence."},
            "code": {
                "type": "string",
                "enum": sorted(codes),
                "description": "Stable. Clients decide by it.",
            },
            "retryable": {"type": "boolean", "description": "Whether the same request can succeed later."},
            "request_id": {
                "type": "string",
                "description": "As in the header `X-Request-Id`, and in the log.",
            },
            "supersedes_earlier_attempts": {
                "type": "boolean",
                "description": "True: the ledger refused a later attempt of the call than the first, and no earlier one "
                "can post any more.",
            },
            "errors": {
                "type": "array",
                "description": "The values that are not acceptable.",
                "items": {
                    "type": "object",
                    "required": ["in", "pointer", "detail", "code"],
                    "properties": {
                        "in": {"type": "string", "description": "`body`, `query`, `path` or `header`."},
                        "pointer": {"type": "string", "description": "A JSON pointer within it."},
                        "detail": {"type": "string", "description": "What would be acceptable, for people."},
                        "code": {"type": "string", "description": "The kind of the fault, for programs."},
                    },
                },
            },
        },
        "additionalProperties": True,
    }


def problems(*errors: type[WalletError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route with these problems, one example for each.

    Args:
        errors: ``problems(*READS, WalletNotFound)``; duplicates are allowed.
    """
    by_status: dict[int, list[type[WalletError]]] = {}
    for error in dict.fromkeys(errors):
        by_status.setdefault(error.status, []).append(error)
    return {status: _response(status, group) for status, group in sorted(by_status.items())}


def _response(status: int, errors: list[type[WalletError]]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": _codes(errors),
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "$ref": "#/components/schemas/Problem",
                    "properties": {"code": {"enum": [error.code for error in errors]}},
                },
                "examples": {
                    error.code: {"summary": error.title, "value": _example(error)} for error in errors
                },
            }
        },
    }
    if any(error.retry_after_s is not None for error in errors):
        text = "Seconds to wait before a retry."
        response["headers"] = {"Retry-After": {"description": text, "schema": {"type": "integer"}}}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response["headers"] |= _LIMIT_HEADERS
    if status == HTTPStatus.UNAUTHORIZED:
        response["headers"] = {"WWW-Authenticate": {"description": "`Bearer`", "schema": {"type": "string"}}}
    return response


def _codes(errors: list[type[WalletError]]) -> str:
    """The code with its title; of several, only the codes, because their examples have the titles."""
    if len(errors) == 1:
        return f"`{errors[0].code}`: {errors[0].title}"
    return ", ".join(f"`{error.code}`" for error in errors)


def _example(error: type[WalletError]) -> dict[str, Any]:
    return problem_document(error(**error.example_facts), _EXAMPLE_ID)


def _add_problems(document: Mapping[str, Any], of_debits: Sequence[type[WalletError]]) -> None:
    """Document for each operation that can lack funds by which other problems a debit is refused."""
    for methods in document["paths"].values():
        for operation in methods.values():
            responses = operation["responses"]
            if str(HTTPStatus.PAYMENT_REQUIRED.value) not in responses:
                continue
            _add_to(responses, of_debits)


def _add_to(responses: dict[str, Any], errors: Sequence[type[WalletError]]) -> None:
    """Add problems to the responses of an operation."""
    for error in errors:
        known: list[type[WalletError]] = []
        if found := responses.get(str(error.status)):
            codes = found["content"][MEDIA_TYPE]["schema"]["properties"]["code"]["enum"]
            known = [ERRORS[code] for code in codes]
        responses[str(error.status)] = _response(error.status, [*dict.fromkeys([*known, error])])


def _add_operations(document: Mapping[str, Any], operations: Mapping[str, type[BaseModel]]) -> None:
    """Document the operations of a batch that rooms decide."""
    schemas = document["components"]["schemas"]
    if not operations:
        return
    choice = schemas["BatchRequest"]["properties"]["operations"]["items"]
    for name, model in operations.items():
        reference = f"#/components/schemas/{model.__name__}"
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
        choice["oneOf"].append({"$ref": reference})
        choice["discriminator"]["mapping"][name] = reference


def _add_members(
    document: Mapping[str, Any], members: Sequence[tuple[type[BaseModel], Sequence[type[WalletError]]]]
) -> None:
    """Document the members that rooms add to requests, and that all others are refused."""
    schemas = document["components"]["schemas"]
    extended = {
        f"#/components/schemas/{name}": schema
        for name, schema in schemas.items()
        if schema.pop("x-members-of-rooms", False)
    }
    for schema in extended.values():
        schema["additionalProperties"] = False
    choice = schemas.get("BatchRequest", {}).get("properties", {}).get("operations", {}).get("items", {})
    if any(each["$ref"] in extended for each in choice.get("oneOf", ())):
        extended["#/components/schemas/BatchRequest"] = {"properties": {}}
    for model, errors in members:
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        for schema in extended.values():
            schema["properties"] |= described["properties"]
        for methods in document["paths"].values():
            for operation in methods.values():
                if _body_of(operation) in extended:
                    _add_to(operation["responses"], errors)


def _body_of(operation: Mapping[str, Any]) -> str | None:
    """The reference of the schema of its body."""
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {}).get("$ref")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentParts:
    """What rooms add to the OpenAPI document beside their routes.

    Attributes:
        codes: of all problems.
        of_debits: the problems by which rooms refuse debits.
        operations: the models of operations of a batch that rooms decide, by the name of their type.
        members: the models of members that rooms add to requests, each with the problems that it brings.
    """

    codes: Collection[str]
    of_debits: Sequence[type[WalletError]] = ()
    operations: Mapping[str, type[BaseModel]] = field(default_factory=dict[str, type[BaseModel]])
    members: Sequence[tuple[type[BaseModel], Sequence[type[WalletError]]]] = ()


def install_docs(app: FastAPI, parts: DocumentParts) -> None:
    """Serve /docs from files of the package, redirect / to it, and complete the document.

    The document gets the schema of problems, shared components, and what rooms add.
    The application is created with ``docs_url=None, redoc_url=None`` and keeps its ``openapi_url``.
    """
    assets = Path(fastapi_offline.__file__).parent / "static"
    app.mount("/docs/assets", StaticFiles(directory=assets), name="docs-assets")

    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/assets/favicon.png",
            swagger_ui_parameters={"persistAuthorization": True},
        )
        page.headers.update(page_headers(bytes(page.body)))
        return page

    async def start(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")

    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/", start, include_in_schema=False)
    written = app.openapi

    def openapi() -> dict[str, Any]:
        document = written()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" in schemas:
            return document  # FastAPI returns the same document until a route is added.
        schemas["Problem"] = problem_schema(parts.codes)
        _add_problems(document, parts.of_debits)
        _add_operations(document, parts.operations)
        _add_members(document, parts.members)
        for schema in schemas.values():
            for example in schema.get("examples", []):
                _put_nulls_back(schema, example, schemas)
        for content in _json_contents(document):
            for example in content.get("examples", {}).values():
                _put_nulls_back(content["schema"], example["value"], schemas)
        share_components(document)
        return document

    documented: Callable[[], dict[str, Any]] = openapi
    app.openapi = documented


def _json_contents(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The contents of all responses that are JSON and no problems."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                yield from (
                    each for name, each in response.get("content", {}).items() if name == "application/json"
                )


def _put_nulls_back(schema: Mapping[str, Any], example: Any, schemas: Mapping[str, Any]) -> None:
    """Complete an example by its members that are null, in the order of the schema: FastAPI leaves out None."""
    schema = _described(schema, example, schemas)
    if isinstance(example, list):
        for item in cast("list[Any]", example):
            _put_nulls_back(schema.get("items", {}), item, schemas)
    elif isinstance(example, dict) and "properties" in schema:
        members = cast("dict[str, Any]", example)
        given = dict(members)
        members.clear()
        for name, member in schema["properties"].items():
            if name in given:
                members[name] = given.pop(name)
                _put_nulls_back(member, members[name], schemas)
            elif name in schema.get("required", []) and _may_be_null(member):
                members[name] = None
        members |= given


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return any(choice.get("type") == "null" for choice in schema.get("anyOf", [schema]))


def _described(schema: Mapping[str, Any], example: Any, schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an example: of several, the one that has the most of its members."""
    choices: list[Mapping[str, Any]] = [
        schemas[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for each in schema.get("anyOf", [schema])
    ]
    if not isinstance(example, dict):
        return choices[0]
    names = {*cast("dict[str, Any]", example)}
    return max(choices, key=lambda each: len(names & {*each.get("properties", {})}))
