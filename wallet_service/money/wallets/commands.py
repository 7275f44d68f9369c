"""The command ``wallets show``."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import simplejson
import typer

from wallet_service.core.commands import CommandLine
from wallet_service.core.settings import Settings
from wallet_service.money.wallets.repository import WalletRepository
from wallet_service.platform.changes.reads import record_read
from wallet_service.platform.database.dsns import open_existing
from wallet_service.platform.membership.visibility import ALL

_PAGE = 100
_COLUMNS = ("wallet_id", "currency", "name", "balance", "available_balance", "status", "primary")


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""
    wallets = typer.Typer(
        help="Wallets. This command works also while the service runs.", no_args_is_help=True
    )
    line.app.add_typer(wallets, name="wallets")

    @wallets.callback()
    def group() -> None:  # pyright: ignore[reportUnusedFunction]  # typer registers it
        """Wallets. This command works also while the service runs."""

    @wallets.command("show", no_args_is_help=True)
    def show(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        wallet_id: Annotated[str | None, typer.Argument(help="The wallet.", show_default=False)] = None,
        user: Annotated[
            str | None, typer.Option(help="Instead of one wallet: all wallets of this user.")
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="As JSON, one wallet a line, as the API returns it.")
        ] = False,
    ) -> None:
        """Show a wallet, or all wallets of a user."""
        if (wallet_id is None) == (user is None):
            raise typer.BadParameter("give a wallet id, or --user, and not both", param_hint="'wallet_id'")
        if wallet_id is not None and not _is_uuid(wallet_id):
            raise typer.BadParameter(
                f"{wallet_id} is no UUID. The wallets of a user: wallets show --user {wallet_id}",
                param_hint="'wallet_id'",
            )
        found = asyncio.run(_read(line.settings(), wallet_id, user))
        if as_json:
            for wallet in found:
                typer.echo(_dumps(wallet))
        elif user is None:
            typer.echo(described(found[0]))
        else:
            typer.echo(listed(found) if found else f"The user {user} has no wallet")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def _read(settings: Settings, wallet_id: str | None, user: str | None) -> list[dict[str, Any]]:
    async with open_existing(settings) as database:
        repository = WalletRepository(database)
        if wallet_id is not None:
            wallet = _loads(await repository.get(wallet_id, None))
            await record_read(database, "wallet.read", wallet_id=wallet["wallet_id"])
            return [wallet]
        found: list[dict[str, Any]] = []
        after: str | None = None
        filters = {"wallet_type": None, "currency": None, "status": None}
        while True:
            items, after = await repository.page_of_user(user or "", filters, after, _PAGE, ALL)
            found += _loads(items)
            if after is None:
                await record_read(database, "user_wallets.read", user_id=user)
                return found


def described(wallet: dict[str, Any]) -> str:
    """A wallet for people: a member a line; those that are not set are left out."""
    shown = {name: _text(value) for name, value in wallet.items() if value not in (None, {})}
    width = max(map(len, shown))
    return "\n".join(f"{name:{width}}  {value}" for name, value in shown.items())


def listed(wallets: list[dict[str, Any]]) -> str:
    """Wallets for people: a wallet a line, below the names of the columns."""
    rows = [_COLUMNS, *(_row(wallet) for wallet in wallets)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    # Amounts are aligned at their point as far as currencies have the same number of decimals.
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name.endswith("balance") else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _row(wallet: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_text(wallet["is_primary" if name == "primary" else name]) for name in _COLUMNS)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else _dumps(value)


def _loads(text: bytes) -> Any:
    """With exact numbers, which metadata can have."""
    return simplejson.loads(text, use_decimal=True)


def _dumps(value: Any) -> str:
    return simplejson.dumps(value, use_decimal=True)
