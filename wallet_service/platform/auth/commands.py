"""The commands ``keys create``, ``keys list`` and ``keys revoke``."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated, Any
from uuid import UUID

import typer

from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.errors import ValidationFailed
from wallet_service.core.settings import Settings
from wallet_service.platform.auth.keys import PREFIX, create_key, list_keys, revoke_key
from wallet_service.platform.auth.permissions import ADMIN, names_of
from wallet_service.platform.auth.restrictions import Restriction
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
        wallet: Annotated[
            list[UUID] | None, typer.Option(help="Only this wallet; may be repeated.", show_default=False)
        ] = None,
        user: Annotated[str | None, typer.Option(help="Only wallets of this user.")] = None,
        organization: Annotated[str | None, typer.Option(help="Only wallets of this organization.")] = None,
        counter_account: Annotated[
            list[str] | None,
            typer.Option(
                help="Only this other side of entries, such as revenue:usage, or fx:* for all that begin like it;"
                " may be repeated.",
                show_default=False,
            ),
        ] = None,
        max_amount: Annotated[
            str | None, typer.Option(help="The most that one operation moves, in units of its currency.")
        ] = None,
    ) -> None:
        """Create a key and print it. It can't be printed again."""
        _check_scopes(scope, permissions)
        restriction = _restriction(wallet, user, organization, counter_account, max_amount)
        asyncio.run(_create(line.settings(), client, scope, expires_at, restriction))

    @keys.command("list")
    def list_() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """List all keys: id, client, state, scopes, restrictions."""
        asyncio.run(_list(line.settings()))

    @keys.command("revoke")
    def revoke(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        key_id: Annotated[str, typer.Argument(help="The id that `keys list` shows.")],
    ) -> None:
        """Revoke a key permanently. Running services refuse it within 5 seconds."""
        # The argument may be a whole key: only its id is used, and its secret must not be printed.
        asyncio.run(_revoke(line.settings(), key_id.removeprefix(PREFIX).partition("_")[0]))


_ARGUMENTS = {
    "/client_name": "'client'",
    "/scopes": "'--scope'",
    "/expires_at": "'--expires-at'",
    "/wallet_ids": "'--wallet'",
    "/user_id": "'--user'",
    "/organization_id": "'--organization'",
    "/counter_accounts": "'--counter-account'",
    "/max_amount": "'--max-amount'",
}
"""The arguments of ``keys create`` by the parameters of the database function."""


def _check_scopes(scopes: Sequence[str], permissions: Collection[str]) -> None:
    """Refuse a scope that no room declares.

    Raises:
        BadParameter: with the closest one.
    """
    for scope in scopes:
        if scope not in permissions:
            raise typer.BadParameter(_no_scope(scope, permissions), param_hint="'--scope'")


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


async def _create(
    settings: Settings, client: str, scopes: list[str], expires_at: datetime | None, restriction: Restriction
) -> None:
    if ADMIN.name in scopes and restriction:
        raise typer.BadParameter("a key with admin can't be restricted", param_hint="'--scope'")
    moment = expires_at.replace(tzinfo=UTC) if expires_at else None
    async with open_existing(settings) as database:
        try:
            key = await create_key(database, client, scopes, moment, restriction)
        except ValidationFailed as error:
            raise _bad_argument(error) from error
    print_line(key)


async def _list(settings: Settings) -> None:
    async with open_existing(settings) as database:
        for key in await list_keys(database):
            state = "valid"
            if key["expires_at"]:
                state = f"valid until {key['expires_at']}"
            if key["revoked_at"]:
                state = f"revoked {key['revoked_at']}"
            print_line(
                f"{key['key_id']}  {key['client_name']}  {state}  {','.join(key['scopes'])}{_restrictions(key)}"
            )


def _restrictions(key: dict[str, Any]) -> str:
    """What a key is restricted to, as ``keys create`` takes it."""
    restriction = Restriction.of_row(key)
    if restriction is None:
        return ""
    options = [f"--wallet {each}" for each in sorted(restriction.wallet_ids)]
    options += [f"--user {restriction.user_id}"] if restriction.user_id is not None else []
    if restriction.organization_id is not None:
        options.append(f"--organization {restriction.organization_id}")
    options += [f"--counter-account {each}" for each in restriction.counter_accounts]
    options += [f"--max-amount {restriction.max_amount:f}"] if restriction.max_amount is not None else []
    return "  " + " ".join(options)


def _restriction(
    wallets: Sequence[UUID] | None,
    user: str | None,
    organization: str | None,
    counter_accounts: Sequence[str] | None,
    max_amount: str | None,
) -> Restriction:
    """The restriction of the options.

    Raises:
        BadParameter: the amount is not a positive decimal number.
    """
    return Restriction(
        wallet_ids=frozenset(map(str, wallets or ())),
        user_id=user,
        organization_id=organization,
        counter_accounts=tuple(counter_accounts or ()),
        max_amount=_amount(max_amount),
    )


def _amount(text: str | None) -> Decimal | None:
    """An option's amount.

    Raises:
        BadParameter: it is not a positive decimal number.
    """
    try:
        amount = Decimal(text) if text is not None else None
    except InvalidOperation:
        amount = Decimal(0)
    if amount is not None and not (amount.is_finite() and amount > 0):
        raise typer.BadParameter(
            f"must be a positive decimal number, not {text}", param_hint="'--max-amount'"
        )
    return amount


async def _revoke(settings: Settings, key_id: str) -> None:
    async with open_existing(settings) as database:
        since = await revoke_key(database, key_id)
    if since is None:
        raise StartError(f"There is no key {key_id}")
    print_line(f"{key_id} is revoked since {since}")
