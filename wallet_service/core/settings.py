"""The settings of the service, all from the environment (``WALLET_…``, and Supabase's own names for its two).

The table is in docs/settings.md.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "WALLET_"

POSTGRES_SCHEMES = ("postgresql://", "postgres://")


class SettingsError(Exception):
    """Some settings are not acceptable; the message names each of them, and never a secret's value."""


def default_data_dir() -> Path:
    """Where the embedded server keeps its data when nothing is set: the user's own data folder."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "wallet-service"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share") / "wallet-service"


class Settings(BaseSettings):
    """What an operator can set. An empty variable counts as one that is not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=False,
        validate_by_name=True,
    )

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8208
    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: SecretStr | None = None
    supabase_url: Annotated[HttpUrl | None, Field(validation_alias="SUPABASE_URL")] = None
    supabase_service_role_key: Annotated[
        SecretStr | None, Field(validation_alias="SUPABASE_SERVICE_ROLE_KEY")
    ] = None
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = 5000
    database_statement_cache_size: Annotated[int, Field(ge=0, le=10_000)] = 100
    commit_lanes: Annotated[int, Field(ge=1, le=100)] = 1
    commit_batch_operations: Annotated[int, Field(ge=1, le=10_000)] = 200
    commit_queue_operations: Annotated[int, Field(ge=1)] = 10_000
    commit_queue_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = 5000
    commit_lock_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = 2000
    migrate_on_start: bool = True
    admin_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    metrics_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    metrics_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    tracing: bool = False
    jwt_secret: SecretStr | None = None
    jwt_jwks_url: HttpUrl | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    key_cache_ms: Annotated[int, Field(ge=0, le=5000)] = 2000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    import_max_bytes: Annotated[int, Field(ge=1024)] = 104_857_600
    keep_alive_ms: Annotated[int, Field(ge=1000, le=3_600_000)] = 75_000
    shutdown_grace_ms: Annotated[int, Field(ge=0)] = 8000
    rate_limit_client_tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000)] = None
    rate_limit_user_tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000)] = None
    rate_limit_window_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    rate_limit_on_redis_down: Literal["local", "deny"] = "local"
    redis_url: SecretStr | None = None
    redis_timeout_ms: Annotated[int, Field(ge=10, le=5000)] = 250
    environment: Literal["development", "production"] | None = None
    consul_url: HttpUrl | None = None
    consul_token: SecretStr | None = None
    consul_ca_file: Path | None = None
    consul_required: bool = False
    consul_service_name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,63}$")] = "wallet_service"
    consul_tags: str = "http"
    consul_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 2000
    consul_sync_interval_ms: Annotated[int, Field(ge=100, le=3_600_000)] = 5000
    consul_retry_max_ms: Annotated[int, Field(ge=100, le=3_600_000)] = 15_000
    consul_check_interval_ms: Annotated[int, Field(ge=1000, le=3_600_000)] = 5000
    consul_check_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 2000
    consul_deregister_after_ms: Annotated[int, Field(ge=60_000)] = 600_000
    consul_leave_pause_ms: Annotated[int, Field(ge=0, le=600_000)] = 2000
    advertise_address: Annotated[str | None, Field(pattern="^[A-Za-z0-9_.:-]{1,253}$")] = None
    advertise_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    account_url: HttpUrl | None = None
    organization_url: HttpUrl | None = None
    payment_url: HttpUrl | None = None
    auth_url: HttpUrl | None = None
    upstream_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 2000
    verify_users: bool = False
    upstream_unavailable_policy: Literal["allow", "deny"] | None = None
    upstream_set_aside_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 10_000

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(POSTGRES_SCHEMES):
            raise ValueError("should start with postgresql://")
        return url

    @field_validator("supabase_url")
    @classmethod
    def _of_the_project(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url and (url.query or url.fragment or (url.path or "").rstrip("/").endswith("/rest/v1")):
            raise ValueError("should be the project's address alone, without /rest/v1")
        return url

    @field_validator("supabase_service_role_key")
    @classmethod
    def _of_the_service(cls, key: SecretStr | None) -> SecretStr | None:
        if key:
            _need_header_text(key.get_secret_value())
        if key and (fault := _key_fault(key.get_secret_value())):
            raise ValueError(f"should be a key of the role service_role or a secret key, not {fault}")
        return key

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not _is_redis(url.get_secret_value()):
            raise ValueError("should be redis://host:port/0, or rediss:// for TLS")
        return url

    @field_validator("admin_key")
    @classmethod
    def _long_and_printable(cls, key: SecretStr | None) -> SecretStr | None:
        shortest = 32
        text = key.get_secret_value() if key else ""
        if key and len(text) < shortest:
            raise ValueError(f"should have at least {shortest} characters")
        _need_header_text(text)
        return key

    @field_validator("jwt_secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        shortest = 32
        if secret and len(secret.get_secret_value().encode()) < shortest:
            raise ValueError(f"should have at least {shortest} bytes")
        return secret

    @field_validator("consul_url")
    @classmethod
    def _address_alone(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url and ((url.path or "/") != "/" or url.query or url.fragment or url.username or url.password):
            raise ValueError("should be the agent's address alone, as in http://127.0.0.1:8500")
        return url

    @field_validator("consul_token")
    @classmethod
    def _printable(cls, token: SecretStr | None) -> SecretStr | None:
        if token and any(not "!" <= character <= "~" for character in token.get_secret_value()):
            raise ValueError("should be printable ASCII without spaces, since it is sent in a header")
        return token

    @field_validator("account_url", "organization_url", "payment_url", "auth_url")
    @classmethod
    def _base(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url and (url.query or url.fragment):
            raise ValueError("should be an address to which paths can be added, without ? and #")
        return url

    @property
    def is_development(self) -> bool:
        """Whether upstreams are looked for on this machine: as set, or else where no database was given."""
        if self.environment is not None:
            return self.environment == "development"
        return self.database_url is None and self.supabase_url is None

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if (self.supabase_url is None) != (self.supabase_service_role_key is None):
            raise ValueError("SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY should be set together")
        if self.supabase_url is not None and self.database_url is not None:
            raise ValueError(
                "SUPABASE_URL and WALLET_DATABASE_URL should not both be set: one says over REST, one says not"
            )
        if self.consul_required and self.consul_url is None:
            raise ValueError("WALLET_CONSUL_REQUIRED needs WALLET_CONSUL_URL")
        return self

    @model_validator(mode="after")
    def _somebody_to_ask(self) -> Self:
        nowhere = self.consul_url is None and self.account_url is None and not self.is_development
        if self.verify_users and nowhere:
            raise ValueError("WALLET_VERIFY_USERS needs WALLET_CONSUL_URL or WALLET_ACCOUNT_URL")
        return self


def variable_of(field: str) -> str:
    """The environment variable of a field."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{field}".upper()


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # refuses what is no number
    except ValueError:
        return False
    database = parts.path.strip("/")
    known = parts.scheme in {"redis", "rediss"} and bool(parts.hostname)
    # Options in the query would go past the timeout and the number of connections.
    return known and not parts.query and (not database or database.isdecimal())


def _need_header_text(text: str) -> None:
    if any(not "!" <= character <= "~" for character in text):
        raise ValueError("should be printable ASCII without spaces, since it is sent in a header")


def _key_fault(key: str) -> str | None:
    """What a key is that does not open the functions to the service; None for one that may."""
    if key.startswith("sb_secret_"):
        return None
    if key.startswith("sb_"):
        return "a publishable one"
    # Its imports, cryptography among them, are for those only who use Supabase.
    import jwt  # noqa: PLC0415

    try:
        role = jwt.decode(key, options={"verify_signature": False}).get("role")
    except jwt.InvalidTokenError:
        return "something else"
    return None if role == "service_role" else "one of another role"


def load() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: names every setting that is not acceptable.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [_problem(details["loc"], details["msg"]) for details in error.errors(include_input=False)]
        raise SettingsError("The settings are not acceptable:\n  " + "\n  ".join(problems)) from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    if not location:
        return text
    name = str(location[0])
    return f"{variable_of(name) if name in Settings.model_fields else name} {text}"
