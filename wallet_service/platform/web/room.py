"""Declares the room."""

from wallet_service.core.errors import (
    IdempotencyKeyConflict,
    IdempotencyKeyReused,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from wallet_service.core.room import Room
from wallet_service.platform.web.settings import WebSettings

ROOM = Room(
    name="web",
    module=__name__,
    summary="HTTP: strict JSON, problem documents, idempotency keys, cursors, request log, OpenAPI",
    settings=WebSettings,
    schema="platform",
    problems=(
        NotFound,
        MethodNotAllowed,
        MalformedRequest,
        UnsupportedMediaType,
        PayloadTooLarge,
        ValidationFailed,
        IdempotencyKeyConflict,
        IdempotencyKeyReused,
        InternalError,
    ),
)
