"""The command ``verify``."""

import asyncio

import typer

from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.settings import Settings
from wallet_service.ledger.verify import verify as verify_ledger
from wallet_service.platform.database.dsns import open_existing


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""
    walks = [walk for room in line.rooms for walk in room.verify_walks]

    @line.app.command()
    def verify() -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        """Check the whole ledger, also while the service runs. With faults, list their wallets and exit with status 1."""

        async def run(settings: Settings) -> bool:
            async with open_existing(settings) as database:
                return await verify_ledger(database, print_line, walks)

        if not asyncio.run(run(line.settings())):
            raise typer.Exit(1)
