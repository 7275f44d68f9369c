"""The settings of the service, all from the environment (``WALLET_…``); the table is in docs/settings.md."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr, ValidationError, field_validator
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
    )

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8208
    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: SecretStr | None = None
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = 5000
    commit_lanes: Annotated[int, Field(ge=1, le=100)] = 1
    commit_batch_operations: Annotated[int, Field(ge=1, le=10_000)] = 200
    commit_queue_operations: Annotated[int, Field(ge=1)] = 10_000
    commit_queue_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = 5000
    commit_lock_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = 2000
    migrate_on_start: bool = True
    admin_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    jwt_secret: SecretStr | None = None
    jwt_jwks_url: HttpUrl | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    key_cache_ms: Annotated[int, Field(ge=0, le=5000)] = 2000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    import_max_bytes: Annotated[int, Field(ge=1024)] = 104_857_600
    keep_alive_ms: Annotated[int, Field(ge=1000, le=3_600_000)] = 75_000
    shutdown_grace_ms: Annotated[int, Field(ge=0)] = 10_000

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

    @field_validator("admin_key")
    @classmethod
    def _long_and_printable(cls, key: SecretStr | None) -> SecretStr | None:
        shortest = 32
        text = key.get_secret_value() if key else ""
        if key and len(text) < shortest:
            raise ValueError(f"should have at least {shortest} characters")
        if any(not "!" <= character <= "~" for character in text):
            raise ValueError("should be printable ASCII without spaces, since it is sent in a header")
        return key

    @field_validator("jwt_secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        shortest = 32
        if secret and len(secret.get_secret_value().encode()) < shortest:
            raise ValueError(f"should have at least {shortest} bytes")
        return secret


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
    name = f"{PREFIX}{location[0]}".upper() if location else PREFIX
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} {text}"
