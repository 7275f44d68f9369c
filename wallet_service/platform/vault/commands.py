"""The commands ``credentials generate-key``, ``status``, ``rotate`` and ``verify``."""

import asyncio
from typing import Annotated

import typer

from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.settings import Settings
from wallet_service.platform.database.dsns import open_existing
from wallet_service.platform.vault.keys import generate_key
from wallet_service.platform.vault.rotation import count_keys, rotate_room, verify_values
from wallet_service.platform.vault.service import Vault
from wallet_service.platform.vault.settings import VaultSettings


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""
    credentials = typer.Typer(
        help="Keys of the vault, and the values sealed with them. These commands work also while the service runs.",
        no_args_is_help=True,
    )
    line.app.add_typer(credentials, name="credentials")

    @credentials.command("generate-key")
    def generate(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        key_id: Annotated[
            str | None, typer.Option("--id", help="1 to 32 letters, digits, _ and -; by default random.")
        ] = None,
    ) -> None:
        """Print a new random key for WALLET_CREDENTIAL_KEYS. It is stored nowhere."""
        try:
            print_line(generate_key(key_id))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    @credentials.command("status")
    def status() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Print the keys of the ring, and how many values each key sealed, by room."""
        asyncio.run(_status(line, line.settings()))

    @credentials.command("rotate")
    def rotate() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Seal every value with the first key. It may be stopped at any time and started again."""
        if not asyncio.run(_rotate(line, line.settings())):
            raise typer.Exit(1)

    @credentials.command("verify")
    def verify() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Open every value. With faults, list their rows and exit with status 1."""
        if not asyncio.run(_verify(line, line.settings())):
            raise typer.Exit(1)


async def _status(line: CommandLine, settings: Settings) -> None:
    ring = Vault.from_settings(settings[VaultSettings]).key_ids
    async with open_existing(settings) as database:
        found = await count_keys(database, line.rooms)
    print_line(f"keys: {', '.join(ring) or 'none'}")
    for room, counts in found.items():
        for key_id, count in sorted(counts.items()):
            print_line(f"{room}  {key_id}  {count}{'' if key_id in ring else '  (key is missing)'}")
    if ring and all(counts.keys() <= {ring[0]} for counts in found.values()):
        print_line(f"every value has the first key, {ring[0]}")


async def _rotate(line: CommandLine, settings: Settings) -> bool:
    vault = Vault.from_settings(settings[VaultSettings])
    vault.require()
    clean = True
    async with open_existing(settings) as database:
        for room in line.rooms:
            if room.sealed_rows is None:
                continue
            done = await rotate_room(database, vault, room)
            print_line(f"{room.name}: {done.sealed} values sealed with {vault.key_ids[0]}")
            for fault in done.faults:
                print_line(f"FAULT {fault}")
            if done.changed_meanwhile:
                print_line(f"{room.name}: {done.changed_meanwhile} values changed meanwhile: rotate again")
            clean = clean and not done.faults and not done.changed_meanwhile
    return clean


async def _verify(line: CommandLine, settings: Settings) -> bool:
    vault = Vault.from_settings(settings[VaultSettings])
    async with open_existing(settings) as database:
        count, faults = await verify_values(database, vault, line.rooms)
    for fault in faults:
        print_line(f"FAULT {fault}")
    print_line(f"{count} values, {len(faults)} faults")
    return not faults
