"""How callers are authenticated."""

from typing import Annotated, ClassVar

from pydantic import Field, HttpUrl, SecretStr, field_validator

from wallet_service.core.settings import Dependency, RoomSettings, require_header_text

SHORTEST_SECRET = 32


class AuthSettings(RoomSettings):
    """The operator's key, and how user tokens are checked."""

    admin_key: SecretStr | None = Field(
        default=None,
        description="the operator's key, at least 32 printable characters; if it is set, the first start creates no key",
    )
    jwt_secret: SecretStr | None = Field(
        default=None, description="secret of HS256 user tokens, at least 32 bytes"
    )
    jwt_jwks_url: HttpUrl | None = Field(default=None, description="URL of the public keys of user tokens")
    jwt_issuer: str | None = Field(default=None, description="if set, a user token must have this issuer")
    jwt_audience: str | None = Field(default=None, description="if set, a user token must have this audience")
    key_cache_ms: Annotated[int, Field(ge=0, le=5000)] = Field(
        default=2000,
        description="milliseconds for which a checked key is cached, at most 5000; a revoked key works that long",
    )

    DEPENDENCIES: ClassVar = (
        Dependency(
            ("WALLET_JWT_ISSUER", "WALLET_JWT_AUDIENCE"),
            "WALLET_JWT_SECRET or WALLET_JWT_JWKS_URL",
            lambda settings: settings[AuthSettings].checks_tokens,
        ),
    )

    @property
    def checks_tokens(self) -> bool:
        """Whether users may call with tokens."""
        return self.jwt_secret is not None or self.jwt_jwks_url is not None

    @field_validator("admin_key")
    @classmethod
    def _long_and_printable(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value() if key else ""
        if key and len(text) < SHORTEST_SECRET:
            raise ValueError(f"should have at least {SHORTEST_SECRET} characters")
        require_header_text(text)
        return key

    @field_validator("jwt_secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and len(secret.get_secret_value().encode()) < SHORTEST_SECRET:
            raise ValueError(f"should have at least {SHORTEST_SECRET} bytes")
        return secret
