"""The addresses of upstream services, and the time limit of calls."""

from typing import Annotated

from pydantic import Field, HttpUrl, field_validator

from wallet_service.core.settings import RoomSettings, require_plain_base


class UpstreamSettings(RoomSettings):
    """Addresses are used when Consul has no instance."""

    account_url: HttpUrl | None = Field(
        default=None, description="URL of the account service, used if Consul has no instance"
    )
    organization_url: HttpUrl | None = Field(
        default=None, description="URL of the organization service, used if Consul has no instance"
    )
    payment_url: HttpUrl | None = Field(
        default=None, description="URL of the payment service, used if Consul has no instance"
    )
    auth_url: HttpUrl | None = Field(
        default=None,
        description="URL of the auth service; it is not called yet (user tokens are checked with `WALLET_JWT_SECRET` or "
        "`WALLET_JWT_JWKS_URL`)",
    )
    upstream_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        default=2000,
        description="milliseconds for one request to an upstream service with all its attempts; one attempt "
        "takes at most half of it",
    )
    upstream_set_aside_ms: Annotated[int, Field(ge=0, le=3_600_000)] = Field(
        default=10_000,
        description="milliseconds for which an instance that failed is set aside: others are called first",
    )

    @field_validator("account_url", "organization_url", "payment_url", "auth_url")
    @classmethod
    def _base(cls, url: HttpUrl | None) -> HttpUrl | None:
        return require_plain_base(url)
