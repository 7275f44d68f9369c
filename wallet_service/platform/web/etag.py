"""ETags of what has a version, and If-Match, which compares it."""

import json
import re
from typing import Annotated, Any, Final

from fastapi import Header
from pydantic import WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from wallet_service.core.errors import ValidationFailed
from wallet_service.platform.web.responses import JsonBytes

ETAG: Final[dict[str, Any]] = {
    "ETag": {"description": '`"<version>"`, for If-Match.', "schema": {"type": "string"}}
}
"""The header of a response, for the OpenAPI document."""

IfMatch = Annotated[
    Annotated[str, WithJsonSchema({"type": "string", "pattern": r'^(\*|(W/)?"?[0-9]{1,18}"?)$'})]
    | SkipJsonSchema[None],
    Header(alias="If-Match", description="The ETag that the caller read, or `*` for any."),
]
"""Parameter type ``if_match: IfMatch = None``."""

_FORM = re.compile(r'(?:W/)?"?([0-9]{1,18})"?', re.ASCII)


def version_of(if_match: str | None, what: str, form: re.Pattern[str] = _FORM) -> int | None:
    """The version that the caller read; None: any.

    Args:
        if_match: the header.
        what: has the version, for the message: ``a webhook endpoint``.
        form: of such an ETag, if there is more in it than the version, which is the first group.

    Raises:
        ValidationFailed: it is not the ETag of such a thing.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = form.fullmatch(if_match.strip())
    if found is None:
        detail = f"If-Match is not the ETag of {what}"
        error = {"in": "header", "pointer": "/If-Match", "detail": detail, "code": "etag_invalid"}
        raise ValidationFailed(detail, errors=[error])
    return int(found[1])


def etag_of(document: dict[str, Any]) -> dict[str, str]:
    """The header with the version of a document."""
    return {"ETag": f'"{document["version"]}"'}


def versioned_response(document: bytes) -> JsonBytes:
    """A document with its ETag."""
    return JsonBytes(document, headers=etag_of(json.loads(document)))
