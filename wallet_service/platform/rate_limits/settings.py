"""Rate limits, and the Redis that shares them."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from wallet_service.core.settings import Dependency, RoomSettings, comma_separated


def _networks(value: Any) -> Any:
    parts: Any = comma_separated(value)
    try:
        networks = tuple(ip_network(part) for part in parts)
    except ValueError as error:
        raise ValueError(
            f"should be networks such as 10.0.0.0/8 or 2001:db8::/32, or addresses: {error}"
        ) from None
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("should not have all addresses: then every caller could choose its own address")
    return networks


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]
"""Networks and single addresses, separated by commas."""


class RateLimitSettings(RoomSettings):
    """Tokens per window, and the Redis by which instances share them."""

    model_config = SettingsConfigDict(env_prefix="WALLET_RATE_LIMIT_")

    client_tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000)] = Field(
        default=None,
        description="rate-limit tokens that one client may spend in a window with all its keys; not set, clients are not "
        "limited. The operator is a client, too. What a request costs: [API](api.md#rate-limits)",
    )
    user_tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000)] = Field(
        default=None,
        description="rate-limit tokens that one user may spend in a window; not set, users are not limited",
    )
    address_tokens: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=300,
        description="requests without valid credentials that one address (of IPv6, one /64) may send to an instance in "
        "a minute; more are refused with 429, and the database is not asked about their keys. `0`: no limit",
    )
    trusted_proxies: Annotated[Networks, Field(validation_alias="WALLET_TRUSTED_PROXIES")] = Field(
        default=(),
        description="networks of the proxies in front of the service, separated by commas. Only from these, the header "
        "`X-Forwarded-For` counts: a request's address is the last one in it that is not a proxy's. Not set: it is the "
        "address of the connection",
    )
    window_s: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=60, description="length of a window in seconds"
    )
    on_redis_down: Literal["local", "deny"] = Field(
        default="local",
        description="`local`: while Redis is unavailable, each instance counts by itself; `deny`: requests "
        "are refused with 429",
    )
    redis_url: Annotated[SecretStr | None, Field(validation_alias="WALLET_REDIS_URL")] = Field(
        default=None,
        description="`redis://host:port/0`, or `rediss://` for TLS: instances share their limits by it. "
        "Not set, each instance counts by itself",
    )
    redis_timeout_ms: Annotated[int, Field(ge=10, le=5000, validation_alias="WALLET_REDIS_TIMEOUT_MS")] = (
        Field(default=250, description="milliseconds for one request to Redis")
    )

    DEPENDENCIES: ClassVar = (
        Dependency(
            ("WALLET_REDIS_URL", "WALLET_RATE_LIMIT_WINDOW_S"),
            "WALLET_RATE_LIMIT_CLIENT_TOKENS or WALLET_RATE_LIMIT_USER_TOKENS",
            lambda settings: settings[RateLimitSettings].limits_callers,
        ),
        Dependency(
            ("WALLET_TRUSTED_PROXIES",),
            "WALLET_RATE_LIMIT_ADDRESS_TOKENS",
            lambda settings: settings[RateLimitSettings].address_tokens > 0,
        ),
        Dependency(
            ("WALLET_REDIS_TIMEOUT_MS", "WALLET_RATE_LIMIT_ON_REDIS_DOWN"),
            "WALLET_REDIS_URL",
            lambda settings: settings[RateLimitSettings].redis_url is not None,
        ),
    )

    @property
    def limits_callers(self) -> bool:
        """Whether clients or users are limited."""
        return bool(self.client_tokens or self.user_tokens)

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not _is_redis(url.get_secret_value()):
            raise ValueError("should be redis://host:port/0, or rediss:// for TLS")
        return url


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return False
    database = parts.path.strip("/")
    known = parts.scheme in {"redis", "rediss"} and bool(parts.hostname)
    # Options in the query would override the timeout and the number of connections.
    return known and not parts.query and (not database or database.isdecimal())
