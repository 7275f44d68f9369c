"""Logs and traces."""

from typing import Literal

from pydantic import Field, field_validator

from wallet_service.core.settings import RoomSettings


class TelemetrySettings(RoomSettings):
    """The level of the log, and whether requests are traced."""

    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info",
        description="`debug`, `info`, `warning`, `error` or `critical`. A health check with response "
        "200 is a `request` line at `debug`, any other request at `info`",
    )
    tracing: bool = Field(
        default=False,
        description="export a trace of each request by OTLP over HTTP; needs the extra `otel`. See "
        "[tracing](operations.md#tracing)",
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level
