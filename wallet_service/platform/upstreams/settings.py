"""Where upstream services are, and how long they are waited for."""

from typing import Annotated

from pydantic import Field, HttpUrl, field_validator

from wallet_service.core.settings import RoomSettings, require_plain_base


class UpstreamSettings(RoomSettings):
    """Addresses that are used when Consul knows none."""

    account_url: HttpUrl | None = Field(
        default=None, description="the account service, when Consul knows none"
    )
    organization_url: HttpUrl | None = Field(
        default=None, description="the organization service, when Consul knows none"
    )
    payment_url: HttpUrl | None = Field(default=None, description="the payment service; not called yet")
    auth_url: HttpUrl | None = Field(
        default=None,
        description="the auth service; not called yet (users' tokens are checked with `WALLET_JWT_SECRET` or "
        "`WALLET_JWT_JWKS_URL`)",
    )
    upstream_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        default=2000,
        description="milliseconds for one request to an upstream service with all its attempts; one attempt "
        "takes at most half of it",
    )
    upstream_set_aside_ms: Annotated[int, Field(ge=0, le=3_600_000)] = Field(
        default=10_000,
        description="milliseconds for which other instances are preferred to one that failed",
    )

    @field_validator("account_url", "organization_url", "payment_url", "auth_url")
    @classmethod
    def _base(cls, url: HttpUrl | None) -> HttpUrl | None:
        return require_plain_base(url)
