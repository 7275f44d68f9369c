"""The command ``jobs enqueue``."""

import asyncio
import json
from typing import Annotated

import typer

from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.identifiers import new_id
from wallet_service.core.settings import Settings
from wallet_service.platform.database.dsns import open_existing
from wallet_service.platform.jobs.repository import JobRepository


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""
    jobs = typer.Typer(
        help="Work in the background. These commands work also while the service runs.", no_args_is_help=True
    )
    line.app.add_typer(jobs, name="jobs")
    # Those with a schedule need no arguments.
    names = sorted(kind.name for room in line.rooms for kind in room.jobs if kind.schedule is not None)

    @jobs.callback()
    def group() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Work in the background. These commands work also while the service runs."""

    @jobs.command()
    def enqueue(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        name: Annotated[str, typer.Argument(metavar="TYPE", help=f"One of {', '.join(names)}.")],
    ) -> None:
        """Enqueue a job of a schedule now, beside its ticks, and print its id. A worker runs it."""
        if name not in names:
            raise typer.BadParameter(f"there is no such schedule: {name}; there are {', '.join(names)}")
        print_line(asyncio.run(_enqueue(line.settings(), name)))


async def _enqueue(settings: Settings, name: str) -> str:
    async with open_existing(settings) as database:
        return json.loads(await JobRepository(database).enqueue(new_id(), name, {}))["job_id"]
