"""The command ``audit delete-expired``."""

import asyncio

import typer

from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.settings import Settings
from wallet_service.delivery.audit.jobs import delete_all_expired
from wallet_service.delivery.audit.repository import AuditRepository
from wallet_service.delivery.audit.settings import AuditSettings
from wallet_service.platform.database.dsns import open_existing


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""
    audit = typer.Typer(
        help="The audit trail. These commands work also while the service runs.", no_args_is_help=True
    )
    line.app.add_typer(audit, name="audit")

    @audit.callback()
    def group() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """The audit trail. These commands work also while the service runs."""

    @audit.command("delete-expired")
    def delete_expired() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Delete the entries that are older than WALLET_AUDIT_RETENTION_DAYS."""
        asyncio.run(_delete_expired(line.settings()))


async def _delete_expired(settings: Settings) -> None:
    keep_days = settings[AuditSettings].retention_days
    async with open_existing(settings) as database:
        entries = await delete_all_expired(AuditRepository(database), keep_days, lambda _: None)
    print_line(f"{entries} entries deleted")
