"""Settings of the process."""

from typing import Annotated, ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import Dependency, RoomSettings


class MetricsSettings(RoomSettings):
    """A listener for Prometheus that needs no key."""

    model_config = SettingsConfigDict(env_prefix="WALLET_METRICS_")

    port: Annotated[int | None, Field(ge=0, le=65535)] = Field(
        default=None,
        description="TCP port of a listener for Prometheus, which needs no key; `0` takes a free port, "
        "which the log names. Not set: metrics are only at `/metrics` of the service, with the "
        "permission `admin`",
    )
    host: Annotated[str, Field(min_length=1)] = Field(
        default="127.0.0.1",
        description="address of that listener. If other machines can reach it, allow only Prometheus to",
    )

    DEPENDENCIES: ClassVar = (
        Dependency(
            ("WALLET_METRICS_HOST",),
            "WALLET_METRICS_PORT",
            lambda settings: settings[MetricsSettings].port is not None,
        ),
    )
