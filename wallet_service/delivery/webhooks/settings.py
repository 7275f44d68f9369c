"""Settings of webhooks."""

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from wallet_service.core.settings import RoomSettings, comma_separated
from wallet_service.delivery.webhooks.destinations import parse_networks


class WebhooksSettings(RoomSettings):
    """Where webhooks may go, how they are sent, and how long what was sent is kept."""

    model_config = SettingsConfigDict(env_prefix="WALLET_WEBHOOKS_")

    allowed_networks: Annotated[tuple[str, ...], NoDecode, BeforeValidator(comma_separated)] = Field(
        default=(),
        description="networks of your own that [webhooks](webhooks.md) may reach besides the internet, also over plain "
        "HTTP, with commas between them: `10.1.0.0/16,fd00::/8`",
    )
    timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        default=10_000,
        description="longest time of one attempt in milliseconds, from the look-up of the name to the end of the "
        "response",
    )
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=50, description="attempts that one worker makes at the same time"
    )
    per_endpoint: Annotated[int, Field(ge=1, le=100)] = Field(
        default=10,
        description="attempts at the same time for one endpoint, of all workers together; one while it fails",
    )
    disable_after_days: Annotated[int, Field(ge=1, le=365)] = Field(
        default=5, description="days without a success after which an endpoint that fails is disabled"
    )
    retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=30, description="days for which deliveries that have ended are kept, with their attempts"
    )
    max_endpoints: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=20, description="most endpoints of one client"
    )

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        parse_networks(",".join(networks))
        return networks
