"""The Consul agent, and how this instance is registered."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import Dependency, RoomSettings, require_header_text

_NEED_AN_AGENT = (
    *("WALLET_CONSUL_TOKEN", "WALLET_CONSUL_CA_FILE", "WALLET_CONSUL_REQUIRED", "WALLET_CONSUL_SERVICE_NAME"),
    *("WALLET_CONSUL_TAGS", "WALLET_CONSUL_TIMEOUT_MS", "WALLET_CONSUL_SYNC_INTERVAL_MS"),
    *("WALLET_CONSUL_RETRY_MAX_MS", "WALLET_CONSUL_CHECK_INTERVAL_MS", "WALLET_CONSUL_CHECK_TIMEOUT_MS"),
    *("WALLET_CONSUL_DEREGISTER_AFTER_MS", "WALLET_CONSUL_LEAVE_PAUSE_MS"),
    *("WALLET_ADVERTISE_ADDRESS", "WALLET_ADVERTISE_PORT"),
)


class ConsulSettings(RoomSettings):
    """Without an agent, the service neither registers itself nor uses Consul for discovery."""

    model_config = SettingsConfigDict(env_prefix="WALLET_CONSUL_")

    url: HttpUrl | None = Field(
        default=None,
        description="address of the Consul agent, `http://127.0.0.1:8500` or `https://…`; not set, the "
        "service neither registers itself nor uses Consul for discovery. `CONSUL_HTTP_…` variables "
        "are not read",
    )
    token: SecretStr | None = Field(
        default=None,
        description="ACL token for Consul: `service:write` on this service, `service:read` and `node:read` on "
        "the services that it calls",
    )
    ca_file: Path | None = Field(
        default=None,
        description="file with the certificates of the authority that signed the agent's certificate, in addition to "
        "those of the machine",
    )
    required: bool = Field(default=False, description="do not start if the first registration fails")
    service_name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,63}$")] = Field(
        default="wallet_service", description="name in Consul"
    )
    tags: str = Field(default="http", description="tags in Consul, separated by commas")
    timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        default=2000, description="milliseconds for one request to the agent"
    )
    sync_interval_ms: Annotated[int, Field(ge=100, le=3_600_000)] = Field(
        default=5000,
        description="milliseconds between two checks whether the agent still knows this instance",
    )
    retry_max_ms: Annotated[int, Field(ge=100, le=3_600_000)] = Field(
        default=15_000, description="maximum milliseconds between two attempts while the agent is unavailable"
    )
    check_interval_ms: Annotated[int, Field(ge=1000, le=3_600_000)] = Field(
        default=5000, description="milliseconds between two of Consul's checks of `/health/ready`"
    )
    check_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        default=2000, description="milliseconds for such a check"
    )
    deregister_after_ms: Annotated[int, Field(ge=60_000)] = Field(
        default=600_000,
        description="milliseconds for which the check fails until Consul removes the instance; Consul checks "
        "this every 30 s",
    )
    leave_pause_ms: Annotated[int, Field(ge=0, le=600_000)] = Field(
        default=2000,
        description="milliseconds between the deregistration and closing the port, so that callers notice it",
    )
    advertise_address: Annotated[
        str | None,
        Field(pattern="^[A-Za-z0-9_.:-]{1,253}$", validation_alias="WALLET_ADVERTISE_ADDRESS"),
    ] = Field(
        default=None,
        description="address at which callers reach this instance. Not set: `WALLET_HOST`; if that is every "
        "address, the one on the route to the agent, or the agent's own if the agent is on this machine",
    )
    advertise_port: Annotated[int | None, Field(ge=1, le=65535, validation_alias="WALLET_ADVERTISE_PORT")] = (
        Field(
            default=None,
            description="port at which callers reach this instance. Not set: the port that the service "
            "listens on",
        )
    )

    DEPENDENCIES: ClassVar = (
        Dependency(
            _NEED_AN_AGENT, "WALLET_CONSUL_URL", lambda settings: settings[ConsulSettings].url is not None
        ),
    )

    @field_validator("url")
    @classmethod
    def _address_alone(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url and ((url.path or "/") != "/" or url.query or url.fragment or url.username or url.password):
            raise ValueError("should be only the agent's address, as in http://127.0.0.1:8500")
        return url

    @field_validator("token")
    @classmethod
    def _printable(cls, token: SecretStr | None) -> SecretStr | None:
        if token:
            require_header_text(token.get_secret_value())
        return token

    @model_validator(mode="after")
    def _agent_for_registration(self) -> Self:
        if self.required and self.url is None:
            raise ValueError("WALLET_CONSUL_REQUIRED needs WALLET_CONSUL_URL")
        return self
