"""CachedResponses that Postgres has already written."""

from starlette.responses import Response


class JsonBytes(Response):
    """JSON that comes from SQL, sent as it is: not decoded, so not a digit of an amount changes."""

    media_type = "application/json"
