"""The HTTP server: its address, and limits of requests."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from wallet_service.core.settings import RoomSettings, comma_separated

_DEFAULT_PORTS = {"http": 80, "https": 443}


class WebSettings(RoomSettings):
    """Address, time limits and sizes."""

    host: Annotated[str, Field(min_length=1)] = Field(default="127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8208, description="TCP port to listen on; `0` takes a free port"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(comma_separated)] = Field(
        default=(),
        description="origins, separated by commas, whose pages may call the service from a browser with a user token, "
        "such as `https://app.example.com`. They are compared exactly, and cookies are never used",
    )
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=1_048_576, description="maximum bytes of a request body"
    )
    request_timeout_ms: Annotated[int, Field(ge=100, le=3_600_000)] = Field(
        default=9000,
        description="longest time from the last byte of a request to the first byte of its response, in milliseconds; "
        "then 503 `unavailable`, and a request that writes may have been done. Callers should wait longer "
        "([waits](operations.md#how-long-a-caller-waits))",
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

    @field_validator("cors_origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _is_origin(origin):
                raise ValueError(
                    "should be origins as browsers send them: https://app.example.com, in lower case, with a port only "
                    "if it is not the default one, without a path and without *"
                )
        return origins


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    plain = f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"
    is_usual = port == _DEFAULT_PORTS.get(parts.scheme, port) and port is not None
    return (
        parts.scheme in _DEFAULT_PORTS
        and bool(host)
        and text == plain
        and text.isascii()
        and not is_usual
        and "*" not in text
    )
