"""The command ``migrate``."""

import asyncio
from typing import Annotated

import typer

from wallet_service import __version__
from wallet_service.core.commands import CommandLine
from wallet_service.platform.database.dsns import migration_database
from wallet_service.platform.database.migrate import migrate as migrate_database
from wallet_service.platform.database.script import index_statements, migration_script
from wallet_service.platform.database.settings import DatabaseSettings


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
