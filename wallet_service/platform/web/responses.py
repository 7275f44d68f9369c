"""Responses whose JSON was written by PostgreSQL."""

from starlette.responses import Response


class JsonBytes(Response):
    """JSON from SQL, sent unchanged. It is not decoded, so no digit of an amount changes."""

    media_type = "application/json"
