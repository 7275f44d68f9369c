"""The command ``wallet-service``."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import asyncpg
import typer

from wallet_service import __version__
from wallet_service.core.errors import WalletError
from wallet_service.core.settings import Settings, SettingsError, load
from wallet_service.ledger.verify import verify as verify_ledger
from wallet_service.platform.auth.keys import PREFIX, create_key, list_keys, revoke_key
from wallet_service.platform.auth.scopes import SCOPES
from wallet_service.platform.database.connect import connect
from wallet_service.platform.database.dsns import StartError, existing_database, migration_database
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.migrate import MigrationError
from wallet_service.platform.database.migrate import migrate as migrate_database
from wallet_service.platform.database.script import migration_script
from wallet_service.platform.embedded_postgres.server import EmbeddedError
from wallet_service.platform.telemetry.logging import configure_logging
from wallet_service.runtime.unused_settings import warn_of_unused

EXPECTED = (
    SettingsError,
    StartError,
    EmbeddedError,
    MigrationError,
    WalletError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)
"""What can go wrong without a fault of ours: told in one line, exit status 1."""

app = typer.Typer(
    name="wallet-service",
    help="A wallet and credits ledger behind an HTTP API. Settings come from the environment (WALLET_…).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(
    help="Keys of the services that call the API. They work beside a running service.", no_args_is_help=True
)
app.add_typer(keys, name="keys")


@app.command()
def serve() -> None:
    """Serve the API until Ctrl-C.

    Without WALLET_DATABASE_URL a PostgreSQL of its own is started on WALLET_DATA_DIR. The first start prints
    an admin key, once, unless WALLET_ADMIN_KEY is set.
    """
    settings = load()
    configure_logging(settings.log_level, traced=settings.tracing)
    warn_of_unused(settings, os.environ)
    # A second of imports, which no other command has to wait for.
    import uvloop  # noqa: PLC0415

    from wallet_service.runtime.serve import serve as serve_until_stopped  # noqa: PLC0415

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_until_stopped(settings, _say))
    except asyncio.CancelledError:
        _say("Stopped before it was ready")


@app.command()
def migrate(
    database_url: Annotated[
        str | None, typer.Option(help="postgresql://…; without it, the database of the settings.")
    ] = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the script that does it, and touch no database.")
    ] = False,
) -> None:
    """Bring the database to this release. Run again, it changes nothing."""
    if sql:
        if database_url is not None:
            raise typer.BadParameter("--sql touches no database: it goes without --database-url")
        typer.echo(
            migration_script().encode(), nl=False
        )  # as bytes: UTF-8 whatever the terminal's encoding is
        return

    async def run(settings: Settings) -> None:
        if database_url is not None:
            report = await migrate_database(database_url)
        else:
            async with migration_database(settings) as dsn:
                report = await migrate_database(dsn)
        for name in report.applied:
            typer.echo(f"applied {name}")
        for signature in report.functions_dropped:
            typer.echo(f"dropped {signature}")
        typer.echo(f"The database is at release {__version__}")

    asyncio.run(run(_quiet_settings()))


@keys.command("create")
def create(
    client: Annotated[str, typer.Argument(help="The client's name: up to 64 letters, digits and . _ -")],
    scope: Annotated[list[str], typer.Option(help=f"One of {', '.join(sorted(SCOPES))}; may be repeated.")],
    expires_at: Annotated[
        datetime | None,
        typer.Option(
            help="UTC; without it the key does not expire.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
        ),
    ] = None,
) -> None:
    """Make a key and print it. It can't be shown again."""
    moment = expires_at.replace(tzinfo=UTC) if expires_at else None

    async def run(settings: Settings) -> None:
        async with _database(settings) as database:
            typer.echo(await create_key(database, client, scope, moment))

    asyncio.run(run(_quiet_settings()))


@keys.command("list")
def list_() -> None:
    """List all keys: id, client, state, scopes."""

    async def run(settings: Settings) -> None:
        async with _database(settings) as database:
            for key in await list_keys(database):
                state = "valid"
                if key["expires_at"]:
                    state = f"valid until {key['expires_at']}"
                if key["revoked_at"]:
                    state = f"revoked {key['revoked_at']}"
                typer.echo(f"{key['key_id']}  {key['client_name']}  {state}  {','.join(key['scopes'])}")

    asyncio.run(run(_quiet_settings()))


@keys.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """End a key for good. Running services notice within 5 seconds."""
    # Somebody may paste the whole key: its id is enough, and its secret is not to be seen again.
    key_id = key_id.removeprefix(PREFIX).partition("_")[0]

    async def run(settings: Settings) -> str | None:
        async with _database(settings) as database:
            return await revoke_key(database, key_id)

    since = asyncio.run(run(_quiet_settings()))
    if since is None:
        raise StartError(f"There is no key {key_id}")
    typer.echo(f"{key_id} is revoked since {since}")


@app.command()
def verify() -> None:
    """Check the whole ledger, also while the service runs; exit 1 and name the wallets where it is off."""

    async def run(settings: Settings) -> bool:
        async with _database(settings) as database:
            return await verify_ledger(database, _say)

    if not asyncio.run(run(_quiet_settings())):
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line. Exit status 1 for what failed, 2 for a command that is not understood."""
    try:
        app(prog_name="wallet-service")
    except EXPECTED as error:
        typer.echo(f"wallet-service: {_told(error)}", err=True)
        sys.exit(1)


def _told(error: Exception) -> str:
    if isinstance(error, WalletError) and error.facts:
        return f"{error}: {json.dumps(dict(error.facts), default=str)}"
    return str(error) or type(error).__name__


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _quiet_settings() -> Settings:
    """The settings, for a command whose output is on stdout: only what is wrong is logged, on stderr."""
    settings = load()
    configure_logging("warning", sys.stderr)
    return settings


@asynccontextmanager
async def _database(settings: Settings) -> AsyncGenerator[Database, None]:
    async with existing_database(settings) as dsns:
        database = await connect(settings, dsns.service, pool_size=1)
        try:
            yield database
        finally:
            await database.close()
