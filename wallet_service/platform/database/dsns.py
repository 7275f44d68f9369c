"""The address of the database: that of the settings, or of the embedded server on the data folder."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from wallet_service.core.errors import ReportedError
from wallet_service.core.settings import Settings
from wallet_service.platform.database.connect import connect
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.embedded_postgres.server import EmbeddedInUse, EmbeddedPostgres
from wallet_service.platform.embedded_postgres.settings import EmbeddedPostgresSettings


class StartError(ReportedError):
    """The service, or a command, can't start. The message has the reason."""


@dataclass(frozen=True, slots=True)
class Dsns:
    """How to reach the database.

    Attributes:
        admin: for migrations; None over the REST API, which can't migrate.
        service: for all calls of the service; None for the Supabase project of the settings.
        place: where the data are, for people; without a password.
    """

    admin: str | None
    service: str | None
    place: str


def configured_dsns(settings: Settings) -> Dsns | None:
    """The database that the settings name; None for the embedded server."""
    own = settings[DatabaseSettings]
    if own.supabase_url is not None:
        return Dsns(None, None, f"the Supabase project {own.supabase_url.host}")
    if own.url is None:
        return None
    url = own.url.get_secret_value()
    return Dsns(url, url, place_of(url))


def place_of(url: str) -> str:
    """The name and host of a database, for people: without user, password and options."""
    parts = urlsplit(url)
    if "@" in parts.path + parts.query + parts.fragment:
        return "database of the address"  # a password has / ? or # in it, so its end is unknown
    options = parse_qs(parts.query)
    host = parts.netloc.rpartition("@")[2] or ",".join(options.get("host", ["(default)"]))
    return f"database {parts.path.lstrip('/') or '(default)'} on {host}"


def embedded_dsns(server: EmbeddedPostgres) -> Dsns:
    """The embedded server, which must be running."""
    return Dsns(server.admin_dsn, server.service_dsn, str(server.data_dir))


@contextlib.asynccontextmanager
async def existing_database(settings: Settings) -> AsyncGenerator[Dsns, None]:
    """The database that the service uses, for a command.

    If the embedded server is configured and not running, it is started for as long as this context is open.

    Raises:
        StartError: the data folder has no data.
        EmbeddedError: the embedded server does not start or can't be reached.
    """
    if (dsns := configured_dsns(settings)) is not None:
        yield dsns
        return
    data_dir = settings[EmbeddedPostgresSettings].data_dir
    embedded = EmbeddedPostgres(data_dir)
    if not await asyncio.to_thread((data_dir / "secrets.json").exists):
        raise StartError(
            f"There are no data in {data_dir}: set WALLET_DATA_DIR to the data folder, or create one "
            "with `wallet-service serve` or `wallet-service migrate`"
        )
    try:
        await embedded.start()
    except EmbeddedInUse:
        await embedded.attach()
    try:
        yield embedded_dsns(embedded)
    finally:
        await embedded.stop()


@contextlib.asynccontextmanager
async def migration_database(settings: Settings) -> AsyncGenerator[str, None]:
    """The DSN of the database to migrate: as ``existing_database``, but an empty data folder gets a new database.

    Raises:
        StartError: the settings name a Supabase project, whose REST API can't migrate.
        EmbeddedError: as ``existing_database``.
    """
    exists = configured_dsns(settings) is not None
    exists = exists or await asyncio.to_thread(
        (settings[EmbeddedPostgresSettings].data_dir / "secrets.json").exists
    )
    if exists:
        async with existing_database(settings) as dsns:
            if dsns.admin is None:
                raise StartError(
                    "A Supabase project can't be migrated over its REST API: name its database with "
                    "--database-url, or run the script that `wallet-service migrate --sql` prints"
                )
            yield dsns.admin
    else:
        async with EmbeddedPostgres(settings[EmbeddedPostgresSettings].data_dir) as embedded:
            yield embedded.admin_dsn


@contextlib.asynccontextmanager
async def open_existing(settings: Settings) -> AsyncGenerator[Database, None]:
    """``existing_database``, connected."""
    async with existing_database(settings) as dsns:
        database = await connect(settings, dsns.service, pool_size=1)
        try:
            yield database
        finally:
            await database.close()
