"""The address of the database, and the limits of its connections."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import Dependency, RoomSettings, Settings, require_header_text

POSTGRES_SCHEMES = ("postgresql://", "postgres://")


class DatabaseSettings(RoomSettings):
    """A PostgreSQL, a Supabase project, or neither: then the embedded server is used."""

    model_config = SettingsConfigDict(env_prefix="WALLET_DATABASE_")

    url: SecretStr | None = Field(
        default=None,
        description="`postgresql://…` of a PostgreSQL 15 to 18, also with several hosts (`host1:5432,host2:5432`), "
        "of which each has a share of the time limit; the embedded server is not started then. Its user "
        "creates roles at the first migration, so it is a superuser, or a role with CREATEROLE that owns the database",
    )
    supabase_url: Annotated[HttpUrl | None, Field(validation_alias="SUPABASE_URL")] = Field(
        default=None,
        description="address of a Supabase project, without `/rest/v1`; with its key, the service calls the "
        "database through the project's REST API, and the embedded server is not started. See "
        "[Supabase](supabase.md). Not together with `WALLET_DATABASE_URL`",
    )
    supabase_service_role_key: Annotated[
        SecretStr | None, Field(validation_alias="SUPABASE_SERVICE_ROLE_KEY")
    ] = Field(
        default=None,
        description="the project's `service_role` key (a JWT) or one of its secret keys (`sb_secret_…`)",
    )
    pool_size: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10,
        description="most connections to the database. Operations on locked wallets use up to half of those "
        "that the lanes leave: with fewer than `WALLET_COMMIT_LANES` + 2 connections, reads wait for them",
    )
    timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = Field(
        default=5000,
        description="milliseconds for one call of the database, together with its repetition after a lost connection. "
        "It waits for a connection for at most half of that, then it is refused with 503 `overloaded`",
    )
    role: Literal["primary", "any"] = Field(
        default="primary",
        description="what the database's server has to be for this instance to be ready: `primary`, or `any` for an "
        "instance that may also read from a standby (every write is then 503 `unavailable`). With several hosts in "
        "`WALLET_DATABASE_URL`, `primary` connects to the one that accepts writes, and `any` to the first that "
        "answers. See [a database that survives a machine](how-to.md#a-database-that-survives-a-machine)",
    )
    statement_cache_size: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=100,
        description="prepared statements kept for each connection; `0` behind a pooler that gives each "
        "transaction another session (Supabase's port 6543, PgBouncer in transaction mode)",
    )
    migrate_on_start: Annotated[bool, Field(validation_alias="WALLET_MIGRATE_ON_START")] = Field(
        default=True,
        description="migrate the database before serving; `false` if `wallet-service migrate` runs "
        "separately. A database that a newer release has migrated is used as it is, with a "
        "[warning](operations.md#upgrade)",
    )
    environment: Annotated[
        Literal["development", "production"] | None, Field(validation_alias="WALLET_ENVIRONMENT")
    ] = Field(
        default=None,
        description="`development` or `production`; not set, it is development if no database is configured. In "
        "development, upstream services are also looked for on this machine",
    )

    test_clock: Annotated[bool, Field(validation_alias="WALLET_TEST_CLOCK")] = Field(
        default=False,
        description="`true` lets callers [set the ledger's clock](api.md#the-test-clock), for trying out what time does. "
        "`migrate` then installs a clock that can be set. Only in development (`WALLET_ENVIRONMENT`)",
    )

    DEPENDENCIES: ClassVar = (
        Dependency(
            ("WALLET_MIGRATE_ON_START",),
            "a database other than that of SUPABASE_URL: run wallet-service migrate --database-url",
            lambda settings: (
                settings[DatabaseSettings].supabase_url is None
                or not settings[DatabaseSettings].migrate_on_start
            ),
        ),
    )

    @property
    def is_development(self) -> bool:
        """As set, else whether no database is configured."""
        if self.environment is not None:
            return self.environment == "development"
        return self.url is None and self.supabase_url is None

    @field_validator("url")
    @classmethod
    def _postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(POSTGRES_SCHEMES):
            raise ValueError("should start with postgresql://")
        return url

    @field_validator("supabase_url")
    @classmethod
    def _address_of_the_project(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url and (url.query or url.fragment or (url.path or "").rstrip("/").endswith("/rest/v1")):
            raise ValueError("should be the project's address alone, without /rest/v1")
        return url

    @field_validator("supabase_service_role_key")
    @classmethod
    def _key_of_the_service(cls, key: SecretStr | None) -> SecretStr | None:
        if key:
            require_header_text(key.get_secret_value())
        if key and (fault := _key_fault(key.get_secret_value())):
            raise ValueError(f"should be a key of the role service_role or a secret key, not {fault}")
        return key

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if (self.supabase_url is None) != (self.supabase_service_role_key is None):
            raise ValueError("SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY should be set together")
        if self.supabase_url is not None and self.url is not None:
            raise ValueError(
                "SUPABASE_URL and WALLET_DATABASE_URL should not both be set: they choose different drivers"
            )
        return self


def _key_fault(key: str) -> str | None:
    """The kind of a key that may not call the functions; None for one that may."""
    if key.startswith("sb_secret_"):
        return None
    if key.startswith("sb_"):
        return "a publishable one"
    # Its imports, cryptography among them, are needed only with Supabase.
    import jwt  # noqa: PLC0415

    try:
        role = jwt.decode(key, options={"verify_signature": False}).get("role")
    except jwt.InvalidTokenError:
        return "something else"
    return None if role == "service_role" else "one of another role"


def find_faults(settings: Settings) -> Iterable[str]:
    """A production ledger has the real time."""
    if settings[DatabaseSettings].test_clock and not settings[DatabaseSettings].is_development:
        yield "WALLET_TEST_CLOCK needs WALLET_ENVIRONMENT=development: the clock of real money can't be set"
