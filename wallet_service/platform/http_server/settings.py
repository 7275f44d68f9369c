"""Limits of connections."""

from typing import Annotated

from pydantic import Field

from wallet_service.core.settings import RoomSettings


class HttpServerSettings(RoomSettings):
    """How many connections there may be, and how long a request may take to arrive."""

    max_connections: Annotated[int, Field(ge=16, le=100_000)] = Field(
        default=2000,
        description="connections at once; 16 more are kept for health checks. At the limit the connection that has "
        "been idle for longest is closed for a new one. The limit is lower where the process may open fewer files, "
        "which the log states",
    )
    head_timeout_ms: Annotated[int, Field(ge=100, le=3_600_000)] = Field(
        default=10_000,
        description="milliseconds from the first byte of a request to the end of its headers; then 408",
    )
    body_timeout_ms: Annotated[int, Field(ge=100, le=3_600_000)] = Field(
        default=30_000,
        description="milliseconds for the body of a request, and one second more for each 10,000 bytes that have "
        "arrived; then 408",
    )
