"""The command ``files delete-expired``."""

import asyncio

import typer

from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.settings import Settings
from wallet_service.platform.database.dsns import open_existing
from wallet_service.platform.files.jobs import delete_all_expired
from wallet_service.platform.files.repository import FileRepository


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""
    files = typer.Typer(
        help="Files in the database. These commands work also while the service runs.", no_args_is_help=True
    )
    line.app.add_typer(files, name="files")

    @files.callback()
    def group() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Files in the database. These commands work also while the service runs."""

    @files.command("delete-expired")
    def delete_expired() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Remove the files that have expired, were deleted, or did not arrive whole. Workers do it every hour."""
        asyncio.run(_delete_expired(line.settings()))


async def _delete_expired(settings: Settings) -> None:
    async with open_existing(settings) as database:
        files = await delete_all_expired(FileRepository(database), lambda _: None)
    print_line(f"{files} files removed")
