"""The commands ``keys create``, ``keys list`` and ``keys revoke``."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated

import typer

from wallet_service.core.commands import CommandLine
from wallet_service.core.errors import ValidationFailed
from wallet_service.core.settings import Settings
from wallet_service.platform.auth.keys import PREFIX, create_key, list_keys, revoke_key
from wallet_service.platform.auth.permissions import names_of
from wallet_service.platform.database.dsns import StartError, open_existing


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""
    keys = typer.Typer(
        help="API keys. These commands work also while the service runs.",
        no_args_is_help=True,
    )
    line.app.add_typer(keys, name="keys")
    permissions = names_of(line.rooms)

    @keys.command("create")
    def create(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        client: Annotated[str, typer.Argument(help="The client's name: up to 64 letters, digits and . _ -")],
        scope: Annotated[
            list[str], typer.Option(help=f"One of {', '.join(sorted(permissions))}; may be repeated.")
        ],
        expires_at: Annotated[
            datetime | None,
            typer.Option(
                help="UTC; without it the key does not expire.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
            ),
        ] = None,
    ) -> None:
        """Create a key and print it. It can't be printed again."""
        for each in scope:
            if each not in permissions:
                raise typer.BadParameter(_no_scope(each, permissions), param_hint="'--scope'")
        moment = expires_at.replace(tzinfo=UTC) if expires_at else None

        async def run(settings: Settings) -> None:
            async with open_existing(settings) as database:
                typer.echo(await create_key(database, client, scope, moment))

        try:
            asyncio.run(run(line.settings()))
        except ValidationFailed as error:
            raise _bad_argument(error) from error

    @keys.command("list")
    def list_() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """List all keys: id, client, state, scopes."""
        asyncio.run(_list(line.settings()))

    @keys.command("revoke")
    def revoke(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        key_id: Annotated[str, typer.Argument(help="The id that `keys list` shows.")],
    ) -> None:
        """Revoke a key permanently. Running services refuse it within 5 seconds."""
        # The argument may be a whole key: only its id is used, and its secret must not be printed.
        asyncio.run(_revoke(line.settings(), key_id.removeprefix(PREFIX).partition("_")[0]))


_ARGUMENTS = {"/client_name": "'client'", "/scopes": "'--scope'", "/expires_at": "'--expires-at'"}
"""The arguments of ``keys create`` by the parameters of the database function."""


def _no_scope(scope: str, permissions: Collection[str]) -> str:
    closest = get_close_matches(scope, sorted(permissions), n=1)
    hint = f"; the closest one is {closest[0]}" if closest else ""
    return f"there is no scope {scope}{hint}. A scope is one of {', '.join(sorted(permissions))}"


def _bad_argument(error: ValidationFailed) -> Exception:
    """The error that names the argument, if the refusal is about one."""
    match error.facts.get("errors"):
        case [{"pointer": pointer, "detail": detail}, *_] if pointer in _ARGUMENTS:
            return typer.BadParameter(detail, param_hint=_ARGUMENTS[pointer])
        case _:
            return error


async def _list(settings: Settings) -> None:
    async with open_existing(settings) as database:
        for key in await list_keys(database):
            state = "valid"
            if key["expires_at"]:
                state = f"valid until {key['expires_at']}"
            if key["revoked_at"]:
                state = f"revoked {key['revoked_at']}"
            typer.echo(f"{key['key_id']}  {key['client_name']}  {state}  {','.join(key['scopes'])}")


async def _revoke(settings: Settings, key_id: str) -> None:
    async with open_existing(settings) as database:
        since = await revoke_key(database, key_id)
    if since is None:
        raise StartError(f"There is no key {key_id}")
    typer.echo(f"{key_id} is revoked since {since}")
