"""The HTTP server: its address, and limits of requests."""

from typing import Annotated

from pydantic import Field

from wallet_service.core.settings import RoomSettings


class WebSettings(RoomSettings):
    """Address, time limits and sizes."""

    host: Annotated[str, Field(min_length=1)] = Field(default="127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8208, description="TCP port to listen on; `0` takes a free port"
    )
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=1_048_576, description="maximum bytes of a request body"
    )
    keep_alive_ms: Annotated[int, Field(ge=1000, le=3_600_000)] = Field(
        default=75_000,
        description="milliseconds that an idle connection stays open, also before its first request. Callers and the "
        "load balancer should close theirs earlier, or they send a request on a connection that is "
        "just being closed",
    )
    shutdown_grace_ms: Annotated[int, Field(ge=0)] = Field(
        default=8000,
        description="milliseconds that requests under way may still take after SIGTERM",
    )
