"""The commands ``migrate`` and ``psql``."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from wallet_service import __version__
from wallet_service.core.commands import CommandLine
from wallet_service.core.settings import Settings
from wallet_service.platform.database.dsns import (
    StartError,
    configured_dsns,
    existing_database,
    migration_database,
)
from wallet_service.platform.database.migrate import migrate as migrate_database
from wallet_service.platform.database.script import index_statements, migration_script
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.embedded_postgres.installation import psql as psql_program


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""

    @line.app.command()
    def migrate(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        database_url: Annotated[
            str | None, typer.Option(help="postgresql://…; without it, the database that the settings name.")
        ] = None,
        sql: Annotated[
            bool, typer.Option("--sql", help="Print the migration script instead of running it.")
        ] = False,
        sql_indexes: Annotated[
            bool,
            typer.Option(
                "--sql-indexes",
                help="Print the indexes that are built after the script, outside of a transaction.",
            ),
        ] = False,
    ) -> None:
        """Migrate the database to this release. A second run changes nothing."""
        if sql or sql_indexes:
            if database_url is not None or (sql and sql_indexes):
                raise typer.BadParameter(
                    "--sql and --sql-indexes use no database: give one of the three options"
                )
            # As bytes, so that it is UTF-8 in every encoding of the terminal.
            text = migration_script(line.rooms) if sql else index_statements(line.rooms)
            typer.echo(text.encode(), nl=False)
            return
        asyncio.run(_migrate(line, database_url))

    # What is unknown here is an option of psql; after its first argument nothing is an option of this command.
    @line.app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
    def psql(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        arguments: Annotated[
            list[str] | None, typer.Argument(help='For psql, such as -c "select …".', show_default=False)
        ] = None,
    ) -> None:
        """Open psql in the bundled database, as its superuser, also while the service runs.

        Tables are for reading: change money only through the functions of wallet_api. All arguments are passed to psql.
        """
        # psql handles Ctrl-C, which the terminal sends to this process too. Unlike SIG_IGN, a handler is not inherited.
        signal.signal(signal.SIGINT, _leave_it_to_psql)
        status = asyncio.run(_psql(line.settings(), arguments or []))
        raise typer.Exit(status)


def _leave_it_to_psql(_number: int, _frame: FrameType | None) -> None:
    pass


async def _psql(settings: Settings, arguments: Sequence[str]) -> int:
    if (configured := configured_dsns(settings)) is not None:
        raise StartError(
            f"psql opens the bundled database, and the settings name another one ({configured.place}): "
            'use a psql of your own, as in psql "$WALLET_DATABASE_URL"'
        )
    async with existing_database(settings) as dsns:
        environment = libpq_environment(dsns.admin or "", os.environ)
        done = await asyncio.to_thread(
            subprocess.run, [psql_program(), *arguments], env=environment, check=False
        )
    return done.returncode


def libpq_environment(dsn: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a program of PostgreSQL connects to the embedded server.

    The password is not among the program's arguments, which other users can see.

    Args:
        dsn: of the embedded server.
        environment: of this process; what it has for other servers is left out.
    """
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    return {name: value for name, value in environment.items() if not name.startswith("PG")} | {
        "PGHOST": query["host"][0],
        "PGPORT": query["port"][0],
        "PGUSER": parts.username or "",
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
    }


async def _migrate(line: CommandLine, database_url: str | None) -> None:
    settings = line.settings()
    test_clock = settings[DatabaseSettings].test_clock
    if database_url is not None:
        report = await migrate_database(database_url, line.rooms, test_clock=test_clock)
    else:
        async with migration_database(settings) as dsn:
            report = await migrate_database(dsn, line.rooms, test_clock=test_clock)
    for name in report.applied:
        typer.echo(f"applied {name}")
    for name in report.functions_repaired:
        typer.echo(f"repaired {name}, which was missing or not as this release creates it")
    for signature in report.functions_dropped:
        typer.echo(f"dropped {signature}")
    for name in report.indexes_built:
        typer.echo(f"built index {name}")
    for name in report.indexes_left:
        typer.echo(f"left index {name} to another run, which builds it")
    typer.echo(f"The database is at release {__version__}")
