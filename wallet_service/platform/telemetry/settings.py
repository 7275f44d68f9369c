"""Logs and traces."""

from typing import Literal

from pydantic import Field, field_validator

from wallet_service.core.settings import RoomSettings
from wallet_service.platform.telemetry.logging import LogFormat


class TelemetrySettings(RoomSettings):
    """The level and form of the log, and whether requests are traced."""

    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info",
        description="`debug`, `info`, `warning`, `error` or `critical`. A health check with response "
        "200 is a `request` line at `debug`, any other request at `info`",
    )
    log_format: LogFormat = Field(
        default="auto",
        description="`json`: one object per line. `console`: lines for people, in the time zone of the machine. `auto`: "
        "`console` in a terminal, otherwise `json`",
    )
    tracing: bool = Field(
        default=False,
        description="export a trace of each request by OTLP over HTTP; needs the extra `otel`. See "
        "[tracing](operations.md#tracing)",
    )

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value
